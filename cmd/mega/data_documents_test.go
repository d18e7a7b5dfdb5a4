package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// TestDocuments goes from files to an accuracy of pairs.
func TestDocuments(t *testing.T) {
	dir := t.TempDir()
	for i := range 40 {
		write(t, filepath.Join(dir, "low", fmt.Sprint(i)), fmt.Sprintf("%d%s", i, strings.Repeat("ab", 40)))
		write(t, filepath.Join(dir, "high", fmt.Sprint(i)), fmt.Sprintf("%d%s", i, strings.Repeat("yz", 40)))
	}
	to := filepath.Join(dir, "data")
	classes := []string{"low=" + filepath.Join(dir, "low"), "high=" + filepath.Join(dir, "high")}
	args := append([]string{"data", "documents", to, "--pairs", "--window", "20", "--train", "64", "--valid", "8", "--test", "16"}, classes...)
	status, out, err := command(t, args...)
	if status != exitOK || !strings.Contains(out, "train: 64 texts from") || !strings.Contains(out, "counting bytes gets 100.0% right") {
		t.Fatalf("status %d: %s%s", status, out, err)
	}
	status, out, err = command(t, "train", to, "--preset", "lra-retrieval", "--encoder-layers", "1", "--encoder-embed-dim", "16",
		"--encoder-hidden-dim", "16", "--encoder-ffn-embed-dim", "16", "--z-dim", "8", "--n-dim", "2", "--classifier-out-dim", "16",
		"--max-update", "2", "--save-dir", filepath.Join(dir, "run"))
	if status != exitOK || !strings.Contains(out, "of 16 held-out samples") {
		t.Errorf("status %d: %s%s", status, out, err)
	}
	status, out, err = command(t, "train", to, "--preset", "retrieval-short", "--encoder-layers", "1", "--max-update", "1",
		"--no-save", "--save-dir", filepath.Join(dir, "unsaved"))
	if status != exitOK || out != "" || !strings.Contains(err, "no evaluation: --no-save") {
		t.Errorf("without a checkpoint: status %d: %s%s", status, out, err)
	}
	for want, args := range map[string][]string{
		"want CLASS=FROM":   {to, dir},
		"--window is 0":     {to, classes[0], "--window", "0"},
		"takes a directory": {to},
		"--valid is 0":      {to, classes[0], classes[1], "--window", "20", "--valid", "0"},
	} {
		status, _, err := command(t, append([]string{"data", "documents"}, args...)...)
		if status != exitUsage || !strings.Contains(err, want) {
			t.Errorf("%v: status %d, %q; want %d and %q", args, status, err, exitUsage, want)
		}
	}
}
