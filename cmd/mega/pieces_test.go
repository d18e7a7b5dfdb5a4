package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestPieces makes pieces, trains a language model of them, and uses it when
// neither its text nor the pieces are there any more.
func TestPieces(t *testing.T) {
	prefix := texts(t, false)
	for _, kind := range []string{"bpe", "unigram"} {
		t.Run(kind, func(t *testing.T) { usePieces(t, prefix, kind) })
	}
}

func usePieces(t *testing.T, prefix, kind string) {
	dir := t.TempDir()
	model, run := filepath.Join(dir, "a.model"), filepath.Join(dir, "run")
	make := []string{"data", "pieces", model, prefix + "*.txt", "--model-type", kind, "--vocab-size", "330"}
	out, _ := mustRun(t, make...)
	if !strings.Contains(out, "a.model: 3") {
		t.Errorf("printed %q", out)
	}
	if status, _, stderr := command(t, make...); status == exitOK || !strings.Contains(stderr, "is there already") {
		t.Errorf("a second time: status %d, %q", status, stderr)
	}
	mustRun(t, append(make, "--overwrite")...)

	text := filepath.Join(dir, "text.txt")
	b, err := os.ReadFile(prefix + "train.txt")
	if err != nil {
		t.Fatal(err)
	}
	write(t, text, string(b))
	train := append([]string{"train", "--preset", "bytes-small", "--text", text + ":" + prefix + "test.txt", "--pieces", model, "--save-dir", run, "--valid-block", "splits:2"}, smallSizes...)
	mustRun(t, append(train, "--lr", "1e-2", "--max-update", "20", "--total-num-update", "20")...)
	for _, path := range []string{model, text} {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}

	line := "  the quick\tbrown \xff fox"
	odd := filepath.Join(dir, "odd.txt")
	write(t, odd, line+"\n")
	out, stderr := mustRun(t, "score", "--checkpoint", run, odd)
	if !strings.HasSuffix(out, "\t"+line+"\n") || strings.Contains(stderr, "<unk>") {
		t.Errorf("score printed %q, %q", out, stderr)
	}
	out, _ = mustRun(t, "score", "--checkpoint", run, "--tokens", odd)
	if !strings.Contains(out, "\t\"<0xFF>\"\n") || !strings.Contains(out, "quick") {
		t.Errorf("score printed %q", out)
	}
	out, _ = mustRun(t, "generate", "--checkpoint", run, "--prompt", "the quick", "--max-len-b", "10", "--temperature", "0")
	if !strings.HasPrefix(out, "the quick") || strings.Contains(out, "\u2581") {
		t.Errorf("generate printed %q", out)
	}
	var talk, told bytes.Buffer
	if status := runCommand(t, []string{"interactive", "--checkpoint", run, "--max-len-b", "4"}, "the slow\n", &talk, &told); status != exitOK || !strings.HasPrefix(talk.String(), "the slow") {
		t.Errorf("interactive: status %d, printed %q, told %q", status, talk.String(), told.String())
	}
	if out, _ = mustRun(t, "eval-lm", "--checkpoint", run, "--text", prefix+"valid.txt"); !strings.Contains(out, "Loss (base 2)") {
		t.Errorf("eval-lm printed %q", out)
	}
	if out, _ = mustRun(t, "inspect", run); strings.Contains(out, strings.Repeat("A", 4)) && len(out) > 20_000 {
		t.Errorf("inspect printed %d bytes", len(out))
	}
}

func TestPiecesErrors(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text")
	write(t, text, strings.Repeat("a b\n", 200))
	for want, args := range map[string][]string{
		"takes a file to write and one or more texts":  {"data", "pieces", "x"},
		"no file has such a name":                      {"data", "pieces", filepath.Join(dir, "m"), filepath.Join(dir, "*.no")},
		"none: no such file":                           {"data", "pieces", filepath.Join(dir, "m"), filepath.Join(dir, "none")},
		"want bpe or unigram":                          {"data", "pieces", filepath.Join(dir, "m"), text, "--model-type", "x"},
		"want 262 or more":                             {"data", "pieces", filepath.Join(dir, "m"), text, "--vocab-size", "9"},
		"no such file of pieces, want a SentencePiece": {"train", "--preset", "bytes-small", "--text", text, "--pieces", filepath.Join(dir, "none"), "--save-dir", filepath.Join(dir, "r")},
		"pieces are for plain text (--text)":           {"train", dir, "--preset", "bytes-small", "--pieces", "../../data/sentencepiece/testdata/bpe.model", "--save-dir", filepath.Join(dir, "r")},
		"not a SentencePiece model":                    {"train", "--preset", "bytes-small", "--text", text, "--pieces", text, "--save-dir", filepath.Join(dir, "r")},
	} {
		if status, _, stderr := command(t, args...); status == exitOK || !strings.Contains(stderr, want) {
			t.Errorf("mega %s: status %d, %q, want %q", strings.Join(args, " "), status, stderr, want)
		}
	}
}
