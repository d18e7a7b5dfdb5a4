package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
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
	if !strings.HasSuffix(out, "\t"+line+"\n") || strings.Contains(stderr, "<unk>") || !strings.Contains(stderr, " bits per byte;") {
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
	if out, _ = mustRun(t, "eval-lm", "--checkpoint", run, "--text", prefix+"valid.txt"); !strings.Contains(out, " bits per byte\n") {
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

// TestTranslatorOfPieces trains a translator on raw text in pieces, and translates
// when neither the data nor the pieces are there any more.
func TestTranslatorOfPieces(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	mustRun(t, "data", "numbers", in("text"), "--train", "40", "--valid", "4", "--test", "3", "--max", "90")
	model := in("mt.model")
	mustRun(t, "data", "pieces", model, in("text/train.en"), in("text/train.de"), "--vocab-size", "290")
	preprocess := []string{"preprocess", "-s", "en", "-t", "de", "--trainpref", in("text/train"), "--validpref", in("text/valid"), "--testpref", in("text/test"), "--destdir"}
	mustRun(t, append(preprocess, in("data"), "--pieces", model)...)
	run := in("run")
	mustRun(t, append([]string{"train", in("data"), "-s", "en", "-t", "de", "--save-dir", run, "--eval-bleu"}, smallTranslatorFlags...)...)

	test, err := os.ReadFile(in("text/test.de"))
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(test), "\n")
	out, _ := mustRun(t, "generate", in("data"), "--path", run, "--beam", "2", "--max-len-b", "5")
	if !strings.Contains(out, "T-0\t"+first+"\n") || strings.Contains(strings.Join(regexp.MustCompile("(?m)^[STD]-.*").FindAllString(out, -1), ""), "\u2581") {
		t.Errorf("generate printed %q, want texts put together", out)
	}
	write(t, in("other.json"), `{"decoder":{"type":"ByteLevel"},"model":{"type":"BPE","unk_token":"u","vocab":{"u":0,"a":1},"merges":[]}}`)
	mustRun(t, append(preprocess, in("other"), "--pieces", in("other.json"))...)
	if status, _, stderr := command(t, "translate", "--checkpoint", run, in("other")); status == exitOK || !strings.Contains(stderr, "is not of the pieces") {
		t.Errorf("data of other pieces: status %d, %q", status, stderr)
	}

	for _, path := range []string{model, in("data")} {
		if err := os.RemoveAll(path); err != nil {
			t.Fatal(err)
		}
	}
	write(t, in("in"), "forty two\n\n caf\u00e9 \u3000\u00a0x\n")
	out, stderr := mustRun(t, "translate", "--checkpoint", run, "--input", in("in"), "--max-len-b", "5")
	if lines := strings.Split(out, "\n"); len(lines) != 4 || lines[1] != "" || strings.Contains(out, "\u2581") || strings.Contains(stderr, "dictionary") {
		t.Errorf("translate printed %q, told %q", out, stderr)
	}
	out, _ = mustRun(t, "interactive", "--checkpoint", run, "--input", in("in"), "--max-len-b", "5")
	if !strings.HasPrefix(out, "S-0\tfor") && !strings.Contains(out, "\nD-0\t") {
		t.Errorf("interactive printed %q", out)
	}

	for want, flags := range map[string][]string{
		"pieces are for two languages": {"--only-source"},
		"no number of words":           {"--nwordssrc", "9"},
		"dataset-impl is raw":          {"--dataset-impl", "raw"},
		"no such file of pieces":       {},
	} {
		args := slices.Concat(preprocess, []string{in("new"), "--pieces", model}, flags)
		if status, _, stderr := command(t, args...); status == exitOK || !strings.Contains(stderr, want) {
			t.Errorf("preprocess %q: status %d, %q, want %q", flags, status, stderr, want)
		}
	}
}

// smallTranslatorFlags make a translator that trains in a moment.
var smallTranslatorFlags = strings.Fields(`-a mega_wmt_en_de --share-all-embeddings --encoder-layers 1 --decoder-layers 1
	--encoder-embed-dim 8 --decoder-embed-dim 8 --encoder-hidden-dim 8 --decoder-hidden-dim 8 --encoder-ffn-embed-dim 8
	--decoder-ffn-embed-dim 8 --encoder-z-dim 4 --decoder-z-dim 4 --encoder-n-dim 2 --decoder-n-dim 2 --max-tokens 256
	--max-update 2 --lr 0.001 --criterion label_smoothed_cross_entropy --label-smoothing 0.1`)

// TestTextFiles gives --text as a shell expands it.
func TestTextFiles(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a.txt", "b.txt", "c.txt"} {
		write(t, filepath.Join(dir, name), strings.Repeat(name+" and more\n", 60))
	}
	train := func(run string, args ...string) string {
		out, _ := mustRun(t, append(append([]string{"train", "--preset", "bytes-small", "--save-dir", filepath.Join(dir, run)}, smallSizes...), args...)...)
		out, _, _ = strings.Cut(out, "\n")
		return out
	}
	quoted := train("r1", "--text", filepath.Join(dir, "*.txt"))
	if got := train("r2", "--text", filepath.Join(dir, "a.txt"), filepath.Join(dir, "b.txt"), filepath.Join(dir, "c.txt")); got != quoted || got == "" {
		t.Errorf("expanded %q, quoted %q", got, quoted)
	}
	if status, _, stderr := command(t, append([]string{"train", "--preset", "bytes-small", "--text", filepath.Join(dir, "a.txt"), filepath.Join(dir, "none"), filepath.Join(dir, "b.txt")}, smallSizes...)...); status == exitOK || !strings.Contains(stderr, "none: no such file") {
		t.Errorf("status %d, %q", status, stderr)
	}
}
