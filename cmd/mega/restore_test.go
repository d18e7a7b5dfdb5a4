package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/mega-go/mega/checkpoint"
)

// TestRestorePath: which checkpoint the flags mean, by which files there are.
func TestRestorePath(t *testing.T) {
	const inDir, here = "run/checkpoint_last.pt", "checkpoint_last.pt"
	for _, c := range []struct {
		files          string // that there are
		file, finetune string // flags
		want           string
	}{
		{"", "", "", ""},
		{"", here, "", ""},
		{inDir, "", "", inDir}, // the reference's default
		{here, "", "", ""},
		{here, here, "", here},
		{here, "./" + here, "", "./" + here},
		{inDir + " " + here, here, "", inDir},
		{"run/other.pt", "other.pt", "", "run/other.pt"},
		{"other.pt", "other.pt", "", "other.pt"},
		{"", "other.pt", "", "other.pt"}, // which says that it is not there
		{"run/sub/other.pt sub/other.pt", "sub/other.pt", "", "sub/other.pt"},
		{"run/sub/other.pt", "sub/other.pt", "", "run/sub/other.pt"},
		{"", "", "model.pt", "model.pt"},
		{here, here, "model.pt", "model.pt"},
		{inDir, "", "model.pt", inDir}, // a second start of fine-tuning
	} {
		t.Chdir(t.TempDir())
		for _, f := range strings.Fields(c.files) {
			write(t, filepath.FromSlash(f), "")
		}
		r := restoreFlags{file: c.file, finetune: c.finetune}
		if got, err := r.path("run"); got != filepath.FromSlash(c.want) || err != nil {
			t.Errorf("%q with --restore-file %q, --finetune-from-model %q: %q, %v, want %q", c.files, c.file, c.finetune, got, err, c.want)
		}
	}
	for _, r := range []restoreFlags{{file: "other.pt"}, {scheduler: true}, {drop: checkpoint.Reset{Meters: true}}} {
		r.finetune = "model.pt"
		if _, err := r.path("run"); err == nil || status(err) != exitUsage {
			t.Errorf("%+v: %v", r, err)
		}
	}
}

// TestRestoreFile trains from checkpoints of the reference and of a run.
func TestRestoreFile(t *testing.T) {
	root := t.TempDir()
	from := filepath.Join(root, "from")
	if status, _, err := command(t, tiny(from, "--max-update", "4")...); status != exitOK {
		t.Fatal(err)
	}
	last := filepath.Join(from, "checkpoints", "checkpoint_last")
	dir := filepath.Join(root, "fairseq") // where the reference would have left it
	write(t, filepath.Join(dir, "train.log"), "the reference's\n")
	if status, _, err := command(t, "convert", last, filepath.Join(dir, "checkpoint_last.pt")); status != exitOK {
		t.Fatal(err)
	}
	for _, c := range []struct {
		dir, file string
		more      []string
		want      string
	}{
		{dir, "", nil, "going on  epoch 1  update 4"},
		{filepath.Join(root, "a"), last, nil, "going on  epoch 1  update 4"},
		{filepath.Join(root, "b"), last, []string{"--reset-optimizer", "--reset-dataloader"}, "going on  epoch 1  update 0"},
		{filepath.Join(root, "c"), "checkpoint_last.pt", nil, "neither in"},
	} {
		args := tiny(c.dir, append(c.more, "--no-save", "--disable-validation")...)
		if c.file != "" {
			args = append(args, "--restore-file", c.file)
		}
		if status, _, err := command(t, args...); status != exitOK || !strings.Contains(err, c.want) {
			t.Errorf("%s: status %d, want %q: %s", c.file, status, c.want, err)
		}
	}
	args := tiny(filepath.Join(root, "d"), "--restore-file", "absent.pt")
	if status, _, err := command(t, args...); status != exitFailure || !strings.Contains(err, "absent.pt: no such file") {
		t.Errorf("status %d: %s", status, err)
	}
}
