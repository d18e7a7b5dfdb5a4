package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A lineReader is a way to read lines of text from a file, whose name FILE
// stands for; what it prints, with what it writes to OUT.bin, shows what it read.
type lineReader struct {
	name, lines string
	args        string
	records     bool // a carriage return alone ends no line
}

var lineReaders = []lineReader{
	{name: "generate --prompts", lines: "the\nof the\n", args: "generate WIKI --checkpoint WIKIMODEL --max-len-b 3 --temperature 0 --prompts FILE"},
	{name: "interactive, a language model", lines: "the\nof the\n", args: "interactive WIKI --checkpoint WIKIMODEL --max-len-b 3 --temperature 0 --input FILE"},
	{name: "interactive, a translator", lines: "seven\nforty two\n", args: "interactive PAIRS --path PAIRMODEL --input FILE"},
	{name: "translate", lines: "seven\n\nforty two\n", args: "translate PAIRS --checkpoint PAIRMODEL --input FILE"},
	{name: "translate --replace-unk", lines: "zork Zork\n", args: "translate PAIRS --checkpoint PAIRMODEL --replace-unk FILE --input OTHER"},
	{name: "translate --bpe-codes", lines: "s e\nv e\nse ve\n", records: true, args: "translate PAIRS --checkpoint PAIRMODEL --bpe-codes FILE --input OTHER"},
	{name: "score", lines: "the\n\nof the\n", args: "score WIKI --checkpoint WIKIMODEL FILE"},
	{name: "score --sys", lines: "the cat sat on mats\nof the\n", args: "score --sys FILE --ref SAME"},
	{name: "score --ref", lines: "the cat sat on mats\nof the\n", args: "score --sys SAME --ref FILE"},
	{name: "preprocess", lines: "the cat\n\nof the\n", args: "preprocess --only-source --trainpref FILE --destdir OUT"},
	{name: "preprocess --srcdict", lines: "the 3\ncat 1\n", args: "preprocess --only-source --srcdict FILE --trainpref SAME --destdir OUT"},
	{name: "classify --files", lines: "SAME\n\nOTHER\n", args: "classify --checkpoint TEXTMODEL --dict TEXTDICT --files FILE"},
	{name: "classify --jsonl", lines: `{"text": "one"}` + "\n" + `{"text": "two"}` + "\n", args: "classify --checkpoint TEXTMODEL --dict TEXTDICT --jsonl FILE"},
}

// TestLineEnds: whatever reads lines has Python's notion of their ends, and a
// byte order mark is no text.
func TestLineEnds(t *testing.T) {
	forms := map[string]func(string) string{
		"\\r\\n":         func(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") },
		"\\r":            func(s string) string { return strings.ReplaceAll(s, "\n", "\r") },
		"a mark":         func(s string) string { return "\uFEFF" + s },
		"a mark, \\r\\n": func(s string) string { return "\uFEFF" + strings.ReplaceAll(s, "\n", "\r\n") },
	}
	for _, r := range lineReaders {
		t.Run(r.name, func(t *testing.T) {
			dir := t.TempDir()
			want := r.read(t, dir, r.lines)
			for form, of := range forms {
				if r.records && form == "\\r" {
					continue
				}
				if got := r.read(t, dir, of(r.lines)); got != want {
					t.Errorf("with %s\n%q, want\n%q", form, got, want)
				}
			}
			status, _, stderr := command(t, r.command(t, dir, "\xff\xfea\x00\n\x00")...)
			if status == exitOK || !strings.Contains(stderr, "UTF-16") || !strings.Contains(stderr, "lines.txt") {
				t.Errorf("UTF-16: status %d, %s", status, stderr)
			}
		})
	}
}

// command writes a text to a file of dir and returns the command that reads it.
func (r lineReader) command(t *testing.T, dir, text string) []string {
	t.Helper()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		return path
	}
	wiki, pairs := golden("lm_wikitext103"), golden("mt_wmt")
	same, other := file("same.txt", r.lines), file("other.txt", "seven zork\n")
	names := strings.NewReplacer("SAME", same, "OTHER", other)
	return strings.Fields(strings.NewReplacer(
		"FILE", file("lines.txt", names.Replace(text)), "SAME", same, "OTHER", other, "OUT", t.TempDir(),
		"WIKIMODEL", wiki, "WIKI", filepath.Join(wiki, "text"), "PAIRMODEL", pairs, "PAIRS", pairsDir,
		"TEXTMODEL", golden("lra_text"), "TEXTDICT", filepath.Join("..", "..", "data", "testdata", "text", "src-bin", "dict.txt"),
	).Replace(r.args))
}

// read returns what the command makes of a text.
func (r lineReader) read(t *testing.T, dir, text string) string {
	t.Helper()
	args := r.command(t, dir, text)
	out, _ := mustRun(t, args...)
	if i := len(args) - 1; args[i-1] == "--destdir" {
		tokens, err := os.ReadFile(filepath.Join(args[i], "train.bin"))
		if err != nil {
			t.Fatal(err)
		}
		return string(tokens)
	}
	return out
}
