package documents

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mega-go/mega/data"
)

// write makes n documents of size bytes in dir, each of one letter of letters
// and its number.
func write(t *testing.T, dir, letters string, n, size int) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		text := fmt.Sprintf("%03d%s", i, strings.Repeat(letters[i%len(letters):i%len(letters)+1], size))[:size]
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%03d.txt", i)), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// collection has two classes of 60 documents, one of letters from a to c, one
// of letters from x to z.
func collection(t *testing.T) *Collection {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "early"), "abc", 60, 300)
	write(t, filepath.Join(dir, "late", "deep"), "xyz", 60, 300)
	var c Collection
	for _, class := range []string{"early", "late"} {
		if err := c.Add(class, filepath.Join(dir, class), "*.txt", 200); err != nil {
			t.Fatal(err)
		}
	}
	return &c
}

func TestAdd(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "abc", 10, 50)
	var c Collection
	for want, add := range map[string]func() error{
		"no files *.txt of 51 bytes": func() error { return c.Add("k", dir, "*.txt", 51) },
		"no files *.go":              func() error { return c.Add("k", dir, "*.go", 1) },
		"no such file":               func() error { return c.Add("k", filepath.Join(dir, "none"), "*", 1) },
		"syntax error in pattern":    func() error { return c.Add("k", dir, "[", 1) },
		"needs a name":               func() error { return c.Add("", dir, "*", 1) },
	} {
		if err := add(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
	for _, name := range []string{"._1.txt", "__MACOSX/2.txt", ".git/3.txt"} { // clutter
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o777), os.WriteFile(path, make([]byte, 60), 0o666)); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Add("k", dir, "*.txt", 50); err != nil {
		t.Fatal(err)
	}
	if err := c.Add("copies", dir, "*.txt", 50); err == nil || !strings.Contains(err.Error(), "not read before") {
		t.Errorf("copies were taken for documents: %v", err)
	}
	if got := c.classes; len(got) != 1 || len(got[0].Texts) != 10 {
		t.Errorf("%d classes, want one of 10 documents", len(got))
	}
}

// TestSplitsShareNoDocument looks every window up in the documents of all splits.
func TestSplitsShareNoDocument(t *testing.T) {
	c := collection(t)
	for _, config := range []Config{{Window: 100, Seed: 3}, {Window: 100, Pairs: true, Seed: 3}} {
		drawn, err := c.Draw(config, data.SplitSizes{Train: 400, Valid: 60, Test: 60})
		if err != nil {
			t.Fatal(err)
		}
		documents := 0
		for _, d := range drawn {
			documents += d.Documents
			count := 0
			for s := range d.Samples {
				count++
				for _, window := range [][]byte{s.Text, s.Pair}[:1+btoi(config.Pairs)] {
					if len(window) != config.Window {
						t.Fatalf("a window of %d bytes, want %d", len(window), config.Window)
					}
					if i := bytes.IndexAny(window, "0123456789"); i >= 0 && !within(c, d.Name, window) {
						t.Errorf("%s has a window of another split's document: %.5q", d.Name, window)
					}
				}
			}
			if count != d.Count {
				t.Errorf("%d samples, want %d", count, d.Count)
			}
		}
		if documents != 120 {
			t.Errorf("splits have %d documents, want all 120", documents)
		}
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// within tells whether a split has a document with this window.
func within(c *Collection, split string, window []byte) bool {
	classes, _ := c.Split(split)
	for _, class := range classes {
		if slices.ContainsFunc(class.Texts, func(text []byte) bool { return bytes.Contains(text, window) }) {
			return true
		}
	}
	return false
}

func TestLabels(t *testing.T) {
	c := collection(t)
	classes, err := c.Split("train")
	if err != nil {
		t.Fatal(err)
	}
	early := func(window []byte) bool { return bytes.ContainsAny(window, "abc") }
	seen := map[string]int{}
	samples, err := Config{Window: 100, Seed: 1}.Samples(classes, 400)
	if err != nil {
		t.Fatal(err)
	}
	for s := range samples {
		seen[s.Label]++
		if early(s.Text) != (s.Label == "early") {
			t.Fatalf("%.10q is labelled %s", s.Text, s.Label)
		}
	}
	pairs, err := Config{Window: 100, Pairs: true, Seed: 1}.Samples(classes, 400)
	if err != nil {
		t.Fatal(err)
	}
	for s := range pairs {
		seen[s.Label]++
		if (early(s.Text) == early(s.Pair)) != (s.Label == "1") {
			t.Fatalf("%.10q and %.10q are labelled %s", s.Text, s.Pair, s.Label)
		}
	}
	for _, label := range []string{"early", "late", "0", "1"} {
		if n := seen[label]; n < 150 || n > 250 {
			t.Errorf("%d of 400 are %s, want about half", n, label)
		}
	}
}

// TestPairsDoNotOverlap cuts the only two windows that a document has room for.
func TestPairsDoNotOverlap(t *testing.T) {
	classes := []Class{{"k", [][]byte{[]byte("abcdef"), []byte("uvwxyz")}}}
	samples, err := Config{Window: 3, Pairs: true, Seed: 1}.Samples(classes, 50)
	if err != nil {
		t.Fatal(err)
	}
	for s := range samples {
		both := []string{string(s.Text), string(s.Pair)}
		slices.Sort(both)
		whole := strings.Join(both, "")
		if same := whole == "abcdef" || whole == "uvwxyz"; s.Label == "1" && !same {
			t.Errorf("%q are one document's", both)
		}
	}
}

func TestDrawErrors(t *testing.T) {
	two := []Class{{"a", [][]byte{[]byte("abcdef")}}, {"b", [][]byte{[]byte("uvwxyz")}}}
	for want, draw := range map[string]func() error{
		"windows of 0 bytes":        func() error { _, err := Config{}.Samples(two, 1); return err },
		"a document of 6 bytes":     func() error { _, err := Config{Window: 4, Pairs: true}.Samples(two, 1); return err },
		"two documents or two":      func() error { _, err := Config{Window: 2}.Samples(two[:1], 1); return err },
		"1 documents of class only": func() error { _, err := single().Split("valid"); return err },
	} {
		if err := draw(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

func single() *Collection { return &Collection{classes: []Class{{"only", [][]byte{[]byte("abcdef")}}}} }

// TestBaseline: classes of different letters are all told apart, and so are
// pairs.
func TestBaseline(t *testing.T) {
	c := collection(t)
	for _, config := range []Config{{Window: 100, Seed: 5}, {Window: 100, Pairs: true, Seed: 5}} {
		drawn, err := c.Draw(config, data.SplitSizes{Train: 400, Valid: 60, Test: 100})
		if err != nil {
			t.Fatal(err)
		}
		if got := Baseline(drawn[0].Samples, drawn[2].Samples, config.Pairs); got != 1 {
			t.Errorf("pairs %v: %v right, want all", config.Pairs, got)
		}
	}
	// Of two windows with the same bytes in another order, counting tells nothing.
	blind := []Class{{"a", [][]byte{[]byte("abab")}}, {"b", [][]byte{[]byte("baba")}}}
	samples, err := Config{Window: 4}.Samples(blind, 100)
	if err != nil {
		t.Fatal(err)
	}
	if got := Baseline(samples, samples, false); got < 0.35 || got > 0.65 {
		t.Errorf("%v right, want about half", got)
	}
}
