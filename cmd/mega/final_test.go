package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// smallTrainings are one training of each kind of model, by the kind: its flags
// and how its data is made.
var smallTrainings = map[string]struct {
	flags string
	data  func(t *testing.T) string
	test  string // a file of the test split
}{
	"language model": {
		"--task language_modeling -a mega_lm --share-decoder-input-output-embed " + strings.Join(smallSizes, " "),
		func(t *testing.T) string { return preprocessTexts(t, false) }, "test.bin",
	},
	"translator": {
		`-s en -t de -a mega --encoder-layers 1 --decoder-layers 1 --encoder-embed-dim 8 --decoder-embed-dim 8 --encoder-hidden-dim 8
			--decoder-hidden-dim 8 --encoder-ffn-embed-dim 8 --decoder-ffn-embed-dim 8 --encoder-z-dim 4 --decoder-z-dim 4
			--max-tokens 64 --max-update 3 --eval-bleu-args {"beam":2,"max_len_b":8}`,
		func(t *testing.T) string {
			dir := filepath.Join(t.TempDir(), "numbers")
			mustRun(t, "data", "numbers", dir, "--train", "90", "--valid", "6", "--test", "4", "--max", "99")
			return dir
		}, "test.en-de.en.bin",
	},
	"classifier": {
		refText + tinyFlags + ` -a mega_lra_imdb --batch-size 4`,
		func(t *testing.T) string {
			from, flags := distribution(t, "imdb")
			dir := filepath.Join(t.TempDir(), "data")
			mustRun(t, append([]string{"data", "imdb", from, dir}, flags...)...)
			return dir
		}, "src-bin/test.bin",
	},
}

// TestFinalEvaluationIsCheckedFirst: what it would fail for is said before
// training, which leaves nothing behind.
func TestFinalEvaluationIsCheckedFirst(t *testing.T) {
	for kind, c := range smallTrainings {
		t.Run(kind, func(t *testing.T) {
			data, dir := c.data(t), filepath.Join(t.TempDir(), "run")
			args := append([]string{"train", data, "--save-dir", dir}, refFlags(c.flags)...)
			status, _, err := command(t, append(args, "--test-subset", "tset")...)
			if status != exitUsage || !strings.Contains(err, "--test-subset tset: the data has no such split") {
				t.Errorf("an unknown split: status %d: %s", status, err)
			}
			if err := os.Truncate(filepath.Join(data, c.test), 3); err != nil {
				t.Fatal(err)
			}
			status, _, err = command(t, args...)
			if status != exitFailure || !strings.Contains(err, "the final evaluation would fail: ") || !strings.Contains(err, "test") {
				t.Errorf("a broken split: status %d: %s", status, err)
			}
			if _, err := os.Stat(dir); err == nil {
				t.Error("the run directory was made")
			}
			mustRun(t, append(args, "--no-save")...) // which has no final evaluation
		})
	}
}

// TestFinalEvaluationHasTheBatchesOfValidation: --max-tokens bounds training.
func TestFinalEvaluationHasTheBatchesOfValidation(t *testing.T) {
	c := smallTrainings["translator"]
	args := append([]string{"train", c.data(t), "--save-dir", filepath.Join(t.TempDir(), "run")}, refFlags(c.flags)...)
	if status, _, err := command(t, append(args, "--max-tokens", "2")...); status != exitFailure || !strings.Contains(err, "split valid: sample") {
		t.Errorf("status %d: %s", status, err)
	}
	if out, _ := mustRun(t, append(args, "--max-tokens", "2", "--max-tokens-valid", "64")...); !strings.Contains(out, "test: 4 sentences") {
		t.Errorf("got %q", out)
	}
}

// TestRunsAreUsedFromElsewhere: data that training was given by a relative path
// is found from other directories, and asked for once it is gone.
func TestRunsAreUsedFromElsewhere(t *testing.T) {
	for kind, uses := range map[string][]string{
		"language model": {"eval-lm --path RUN", "score --checkpoint RUN text", "generate --checkpoint RUN --prompt fox --max-len-b 3"},
		"translator":     {"generate --path RUN --beam 1 --max-len-b 3", "translate --checkpoint RUN --input text --beam 1 --max-len-b 3"},
		"classifier":     {"eval --checkpoint RUN", "validate --path RUN"},
	} {
		t.Run(kind, func(t *testing.T) {
			data, run := smallTrainings[kind].data(t), filepath.Join(t.TempDir(), "run")
			t.Chdir(filepath.Dir(data))
			mustRun(t, append([]string{"train", filepath.Base(data), "--save-dir", run}, refFlags(smallTrainings[kind].flags)...)...)
			t.Chdir(t.TempDir())
			write(t, "text", "the quick brown fox\n")
			for _, gone := range []bool{false, true} {
				if gone {
					if err := os.Rename(data, data+"-gone"); err != nil {
						t.Fatal(err)
					}
				}
				for _, use := range uses {
					status, _, err := command(t, strings.Fields(strings.ReplaceAll(use, "RUN", run))...)
					if !gone && status != exitOK || gone && (status == exitOK || !strings.Contains(err, "want that of the data")) {
						t.Errorf("%s, gone %v: status %d: %s", use, gone, status, err)
					}
				}
			}
		})
	}
}
