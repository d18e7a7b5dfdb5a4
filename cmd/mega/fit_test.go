package main

import (
	"bytes"
	"strings"
	"testing"
)

// TestFit: words are not broken, rows go on below their last column, and what is to be
// pasted into a shell stays as it is.
func TestFit(t *testing.T) {
	const text = `train trains a model, evaluates it
on held-out data.

Examples:
  mega train reviews.csv --text-column text --label-column label

Train:
  presets     List presets and architectures
  train       Train
PRESET  FOR
été     Länge in Bytes und noch mehr
short
`
	const want = `train trains a model,
evaluates it on held-out
data.

Examples:
  mega train reviews.csv --text-column text --label-column label

Train:
  presets     List presets
              and
              architectures
  train       Train
PRESET  FOR
été     Länge in Bytes und
        noch mehr
short
`
	if got := fit(joinParagraphs(text), 26); got != want {
		t.Errorf("got\n%s", got)
	}
	if got := fit(text, 200); got != text {
		t.Errorf("in a wide terminal\n%s", got)
	}
	if got := fit("one result of a run\nanother\n", 12); got != "one result\nof a run\nanother\n" {
		t.Errorf("results on lines of their own\n%s", got)
	}
	for _, odd := range []string{"", "\n", "no end", " ", strings.Repeat("x", 50) + "\n"} {
		if got := fit(joinParagraphs(odd), 20); got != odd && got != odd+"\n" {
			t.Errorf("%q becomes %q", odd, got)
		}
	}
}

// TestHelpIsWhole: help that goes to no terminal is as it was written.
func TestHelpIsWhole(t *testing.T) {
	var out bytes.Buffer
	say(&out, "%s", strings.Repeat("word ", 50)+"end")
	if n := strings.Count(out.String(), "\n"); n != 1 {
		t.Errorf("%d lines", n)
	}
	for _, line := range [][]string{{"classify", "--help"}, {"help", "classify"}} {
		if _, help, _ := command(t, line...); !strings.Contains(help, "\n  -h, --help ") || !strings.Contains(help, "classify reads files as the model's training read its data and prints a line for\n") {
			t.Errorf("mega %s: %s", strings.Join(line, " "), help)
		}
	}
}
