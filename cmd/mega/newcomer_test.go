package main

import (
	"context"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// TestModelIsAnArgument: the first argument is the model where no flag names one.
func TestModelIsAnArgument(t *testing.T) {
	wiki, data := golden("lm_wikitext103"), filepath.Join(golden("lm_wikitext103"), "text")
	text := filepath.Join(t.TempDir(), "text")
	write(t, text, "the game\n")
	dict := filepath.Join(data, "dict.txt")
	for _, line := range [][2][]string{
		{{"generate", wiki, "the", "--dict", dict, "-n", "3"}, {"generate", "--checkpoint", wiki, "--prompt", "the", "--dict", dict, "--max_len_b", "3"}},
		{{"score", wiki, data, text}, {"score", data, text, "--path", wiki}},
		{{"classify", golden("lra_text"), "--text", "a"}, {"classify", "--text", "a", "--checkpoint", golden("lra_text")}},
		{{"translate", golden("mt_wmt"), "--input", text}, {"translate", "--input", text, "--path", golden("mt_wmt")}},
	} {
		gotStatus, got, gotErr := command(t, line[0]...)
		status, want, wantErr := command(t, line[1]...)
		if got != want || gotStatus != status || status != exitOK && gotErr != wantErr {
			t.Errorf("%q: %q, %q; %q: %q, %q", line[0], got, gotErr, line[1], want, wantErr)
		}
	}
}

// TestNearMisses: what other programs call something works here, or is named.
func TestNearMisses(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "book.txt"), "a book\n")
	write(t, filepath.Join(dir, "run", "metrics.jsonl"), "")
	for line, want := range map[string]string{
		"train DIR/book.txt":                 "book.txt trains a language model of its text",
		"train DIR/run":                      "run is a run directory, not data",
		"plot DIR":                           " is no run directory: it has no metrics.jsonl",
		"translate MT forty":                 `"forty" is no directory of data: text comes from standard input`,
		"translate MT --prompt x":            "unknown flag --prompt: text comes from standard input",
		"presets lra":                        "want one of lra-image, lra-listops",
		"--version":                          "mega ",
		"-v":                                 "mega ",
		"generate --temp 2 --top_k 3":        "no prompt is given",
		"generate --max-new-tokens 3":        "no prompt is given",
		"generate --num_return_sequences 2":  "no prompt is given",
		"generate x y --max-tokens 3":        "--max-len-b N says how many",
		"generate MT --prompt x":             "is a translator, and mega generate translates a split of its data: mega translate",
		"generate MT hello":                  "mega translate",
		"generate":                           "want one after the model",
		"train --learning-rate x":            "--lr is",
		"train nosuch":                       "mega: nosuch: no such file",
		"train --preset photos":              "no data is given, want a directory of pictures",
		"train --preset labelled-text":       "task labelled needs data: a table",
		"train":                              "want labelled data, or --preset NAME",
		"completion nosuch":                  `unknown shell "nosuch"`,
		"completion bash x":                  "takes no arguments",
		"classify x":                         "no input beside the model",
		"train --preset listops-short --lrr": "did you mean --lr?",
	} {
		_, out, err := command(t, strings.Fields(strings.NewReplacer("MT", golden("mt_wmt"), "DIR", dir).Replace(line))...)
		if !strings.Contains(out+err, want) {
			t.Errorf("mega %s: %q, %q, want %q", line, out, err, want)
		}
	}
}

// TestInterruptedWhileWaiting: a command that waits for text to be typed ends with the
// first Ctrl-C.
func TestInterruptedWhileWaiting(t *testing.T) {
	data := filepath.Join(golden("lm_wikitext103"), "text")
	for _, args := range [][]string{
		{"translate", filepath.Join("..", "..", "models", "numbers-en-de")}, {"interactive", filepath.Join("..", "..", "models", "numbers-en-de")},
		{"score", data, "-", "--path", golden("lm_wikitext103")},
		{"generate", golden("lm_wikitext103"), "--prompt-file", "-", "--dict", filepath.Join(data, "dict.txt")},
	} {
		typed, _ := io.Pipe() // nothing is
		ctx, interrupt := context.WithCancel(context.Background())
		time.AfterFunc(100*time.Millisecond, interrupt)
		var stderr strings.Builder
		if status := run(ctx, args, typed, io.Discard, &stderr); status != exitInterrupted {
			t.Errorf("mega %s: status %d: %s", strings.Join(args, " "), status, stderr.String())
		}
	}
}

// TestHelpFits: what a newcomer reads first fits a terminal of 80 columns.
func TestHelpFits(t *testing.T) {
	for _, line := range []string{"", "data", "presets"} {
		_, out, _ := command(t, strings.Fields(line)...)
		for _, row := range strings.Split(out, "\n") {
			if n := utf8.RuneCountInString(row); n > 80 {
				t.Errorf("mega %s: %d columns: %s", line, n, row)
			}
		}
		if line == "" && strings.Index(out, "  presets ") > strings.Index(out, "  average ") {
			t.Errorf("the commands of the beginning are not first:\n%s", out)
		}
	}
}
