//go:build unix

package main

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// TestNoPipes: what is no stream is not read from a pipe, which may never be
// written to.
func TestNoPipes(t *testing.T) {
	dir := t.TempDir()
	for _, file := range []string{"dict.txt", "pipe.wav", "pipe.jpg", "train/pos/1.txt"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, file)), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Mkfifo(filepath.Join(dir, file), 0o600); err != nil {
			t.Skip(err)
		}
	}
	write(t, filepath.Join(dir, "train", "neg", "1.txt"), "bad")
	write(t, filepath.Join(dir, "test", "neg", "1.txt"), "bad")
	write(t, filepath.Join(dir, "test", "pos", "1.txt"), "good")
	wiki := golden("lm_wikitext103")
	for _, line := range []string{
		"generate WIKI/text --checkpoint WIKI --prompt the --load-state DIR/dict.txt",
		"generate DIR --checkpoint WIKI --prompt the",
		"score DIR --checkpoint WIKI DIR/none",
		"eval-lm DIR --checkpoint WIKI",
		"classify --checkpoint TEXT --dict DIR/dict.txt --text good",
		"translate --checkpoint MT PAIRS --sentencepiece-model DIR/dict.txt",
		"inspect DIR/dict.txt",
		"data imdb DIR DIR/out",
		"classify PICTURES DIR/pipe.jpg",
	} {
		args := strings.Fields(strings.NewReplacer("WIKI", wiki, "DIR", dir, "TEXT", golden("lra_text"), "MT", golden("mt_wmt"), "PAIRS", pairsDir, "PICTURES", golden("imagenet")).Replace(line))
		if status, _, stderr := command(t, args...); status == exitOK || !strings.Contains(stderr, "it is a pipe") && !strings.Contains(stderr, "not a regular file") {
			t.Errorf("%s: status %d, %s", line, status, stderr)
		}
	}
}

// TestPipes: what reads lines reads them from a pipe too, or says that it is one.
func TestPipes(t *testing.T) {
	for _, r := range lineReaders {
		t.Run(r.name, func(t *testing.T) {
			dir := t.TempDir()
			want := r.read(t, dir, r.lines)
			args := r.command(t, dir, r.lines)
			file, pipe := filepath.Join(dir, "lines.txt"), filepath.Join(t.TempDir(), "pipe")
			if err := syscall.Mkfifo(pipe, 0o600); err != nil {
				t.Skip(err)
			}
			args[slices.Index(args, file)] = pipe
			if r.name == "preprocess" {
				if status, _, stderr := command(t, args...); status == exitOK || !strings.Contains(stderr, "is a pipe") {
					t.Errorf("status %d, %s", status, stderr)
				}
				return
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			go os.WriteFile(pipe, text, 0)
			out, _ := mustRun(t, args...)
			if args[len(args)-2] != "--destdir" && strings.ReplaceAll(out, pipe, file) != want {
				t.Errorf("%q, want %q", out, want)
			}
		})
	}
}

// TestTrainingFromAPipe: a run whose text comes from a pipe goes on with the text
// from a pipe or a file.
func TestTrainingFromAPipe(t *testing.T) {
	dir := t.TempDir()
	text, pipe := filepath.Join(dir, "text"), filepath.Join(dir, "pipe")
	write(t, text, strings.Repeat("some text\n", 200))
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Skip(err)
	}
	for updates, from := range []string{pipe, pipe, text, pipe} {
		if from == pipe {
			go os.WriteFile(pipe, []byte(strings.Repeat("some text\n", 200)), 0)
		}
		_, stderr := mustRun(t, "train", "--preset", "bytes-small", "--text", from, "--save-dir", filepath.Join(dir, "run"), "--max-update", strconv.Itoa(updates+1),
			"--decoder-layers", "1", "--decoder-embed-dim", "16", "--decoder-hidden-dim", "32", "--decoder-z-dim", "16")
		if strings.Contains(stderr, "resuming") != (updates > 0) {
			t.Errorf("%d: %s", updates, stderr)
		}
	}
}
