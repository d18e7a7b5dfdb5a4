package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mega-go/mega/autograd"
)

var pairsDir = filepath.Join("..", "..", "data", "pairs", "testdata", "mt")

// withInput is command with something on standard input.
func withInput(t *testing.T, input string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	status = run(context.Background(), args, strings.NewReader(input), &out, &err)
	return status, out.String(), err.String()
}

// TestReferenceTranslationCommand runs the command of README.mt.md, but for a
// small model and few updates, and translates with what it leaves.
func TestReferenceTranslationCommand(t *testing.T) {
	data, dir := filepath.Join(t.TempDir(), "numbers"), filepath.Join(t.TempDir(), "run")
	if status, _, err := command(t, "data", "numbers", data, "--train", "90", "--valid", "6", "--test", "4", "--max", "99"); status != exitOK {
		t.Fatal(err)
	}
	status, out, err := command(t, "train", data,
		"--seed", "1", "--ddp-backend", "c10d", "--valid-subset", "valid", "-s", "en", "-t", "de",
		"--eval-bleu", "--eval-bleu-remove-bpe", "@@ ", "--best-checkpoint-metric", "bleu", "--maximize-best-checkpoint-metric",
		"--eval-tokenized-bleu", "--eval-bleu-detok", "space", "-a", "mega_wmt_en_de", "--encoder-layers", "1", "--decoder-layers", "1",
		"--activation-fn", "silu", "--attention-activation-fn", "softmax", "--encoder-n-dim", "2", "--encoder-chunk-size", "-1",
		"--normalization-type", "layernorm", "--truncation-length", "0",
		"--optimizer", "adam", "--lr", "1e-3", "--adam-betas", "(0.9, 0.98)", "--adam-eps", "1e-8", "--clip-norm", "1.0",
		"--label-smoothing", "0.1", "--max-tokens", "512", "--max-sentences", "1024", "--share-all-embeddings",
		"--dropout", "0.15", "--attention-dropout", "0.1", "--hidden-dropout", "0.1", "--activation-dropout", "0.1", "--weight-decay", "0.05",
		"--lr-scheduler", "linear_decay", "--total-num-update", "4", "--end-learning-rate", "0.0",
		"--warmup-updates", "1", "--warmup-init-lr", "1e-07", "--criterion", "label_smoothed_cross_entropy", "--max-update", "4",
		"--keep-last-epochs", "5", "--keep-interval-updates", "1", "--update-freq", "1", "--save-interval-updates", "5000",
		"--save-dir", dir, "--log-format", "simple", "--log-interval", "100", "--num-workers", "0",
		"--encoder-embed-dim", "16", "--encoder-hidden-dim", "16", "--encoder-z-dim", "8", "--eval-bleu-args", `{"beam": 2, "max_len_b": 8}`)
	if status != exitOK || !strings.Contains(out, "test: 4 sentences") {
		t.Fatalf("status %d: %s%s", status, out, err)
	}
	status, out, err = withInput(t, "seven\n\nforty two\n", "translate", "--checkpoint", dir, "--beam", "2", "--max-len-b", "8")
	if status != exitOK || strings.Count(out, "\n") != 3 || strings.Split(out, "\n")[1] != "" {
		t.Errorf("translate: status %d, %q, %s", status, out, err)
	}
	status, out, err = command(t, "generate", data, "--path", dir+":"+dir, "--beam", "2", "--max-len-b", "8", "--print-alignment")
	if status != exitOK || !strings.Contains(out, "A-0\t") || !strings.Contains(out, "Generate test with beam=2: BLEU4 = ") {
		t.Errorf("generate: status %d, %q, %s", status, out, err)
	}
	mean := dir + "-mean.pt"
	if status, _, err = command(t, "average", dir, "--num-epoch-checkpoints", "2", "--output", mean); status != exitOK || strings.Count(err, "averaging ") != 2 {
		t.Errorf("average: status %d, %s", status, err)
	}
	status, out, err = command(t, "generate", data, "--path", mean, "--beam", "2", "--max-len-b", "8", "--quiet")
	if status != exitOK || !strings.Contains(out, "Generate test with beam=2: BLEU4 = ") {
		t.Errorf("generate with an average: status %d, %q, %s", status, out, err)
	}
}

func TestTranslateGolden(t *testing.T) {
	model := golden("mt_wmt")
	status, out, err := withInput(t, "nine hundred thousand forty two\n", "translate", pairsDir, "--checkpoint", model)
	if status != exitOK || out != "neun hundert tausend zwei und vierzig\n" {
		t.Errorf("status %d, %q, %s", status, out, err)
	}
	status, out, err = withInput(t, "eleven thousand foo\n", "interactive", pairsDir, "--path", model, "--nbest", "2")
	if status != exitOK || strings.Count(out, "H-0\t") != 2 || !strings.HasPrefix(out, "S-0\televen thousand <unk>\n") {
		t.Errorf("status %d, %q, %s", status, out, err)
	}
	status, out, err = withInput(t, "eleven thousand foo\n", "interactive", pairsDir, "--path", model, "--unkpen", "-8", "--replace-unk",
		"--match-source-len")
	if status != exitOK || !strings.Contains(out, "\telf foo foo\nP-0\t") || strings.Contains(out, "A-0") {
		t.Errorf("--replace-unk: status %d, %q, %s", status, out, err)
	}
	status, out, err = withInput(t, "nine hundred thousand forty two\n", "translate", pairsDir, "--checkpoint", model, "--bf16")
	if why := autograd.CheckBF16(); why == nil && (status != exitOK || out != "neun hundert tausend zwei und vierzig\n") ||
		why != nil && (status != exitFailure || !strings.Contains(err, "--bf16 is set: products in bfloat16 need")) {
		t.Errorf("--bf16: status %d, %q, %s", status, out, err)
	}
	status, out, err = command(t, "generate", pairsDir, "--path", model, "--gen-subset", "valid", "--batch-size", "50",
		"--score-reference", "--scoring", "sacrebleu", "--quiet")
	if status != exitOK || !strings.HasPrefix(out, "Generate valid with beam=5: BLEU|nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:mega = 100.00 ") {
		t.Errorf("status %d, %q, %s", status, out, err)
	}
}

// TestGenerateMakesText: S, T and D lines are text, as the reference's are, and H
// lines words.
func TestGenerateMakesText(t *testing.T) {
	args := []string{"generate", pairsDir, "--path", golden("mt_wmt"), "--gen-subset", "valid", "--beam", "1", "--score-reference"}
	words, _ := mustRun(t, args...)
	text, _ := mustRun(t, append(args, "--bpe", "subword_nmt", "--bpe-separator", "d")...)
	var want strings.Builder
	for line := range strings.Lines(words) {
		if strings.HasPrefix(line, "S-") || strings.HasPrefix(line, "T-") || strings.HasPrefix(line, "D-") {
			line = strings.NewReplacer("d ", "", "d\n", "\n").Replace(line)
		}
		want.WriteString(line)
	}
	if words == text || text != want.String() {
		t.Errorf("%s, want\n%s", text, want.String())
	}
}

func TestScoreTranslations(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		return path
	}
	ref, short := file("ref", "a b c d e\nF g h i\n"), file("short", "a b c d e\n")
	for _, c := range []struct {
		input, want string
		status      int
		args        []string
	}{
		{"a b c d e\nf g h i\n", "BLEU4 = 79.84, 88.9/85.7/80.0/66.7 ", exitOK, nil},
		{"a b c d e\nf g h i\n", "BLEU4 = 100.00, ", exitOK, []string{"--ignore-case"}},
		{"a b c d e\nf g h i\n", "BLEU1 = 88.89, ", exitOK, []string{"--order", "1"}},
		{"a b c d e\nf g h i\n", "0 BLEU4 = 100.00, ", exitOK, []string{"--sentence-bleu"}},
		{"a b c d e\nf g h i\n", "|bs:50|seed:3|", exitOK, []string{"--sacrebleu", "--confidence", "--confidence-n", "50", "--seed", "3"}},
		{"a b c d e\nf g h i\n", "chrF2++|nrefs:1|case:mixed|eff:yes|nc:4|nw:2|", exitOK, []string{"--sacrebleu", "--chrf-word-order", "2", "--chrf-char-order", "4"}},
		{"a b\n", "ref:2 has no translation", exitFailure, nil},
		{"a\nb\nc\n", "-:3 has no reference", exitFailure, nil},
		{"a\n\xff\n", "-:2: the line is not UTF-8", exitFailure, nil},
		{"a\n", "--order is 5", exitUsage, []string{"--order", "5"}},
		{"a\n", "--confidence is for --sacrebleu", exitUsage, []string{"--confidence"}},
		{"a\n", "takes one; --sacrebleu takes several", exitUsage, []string{"--ref", short}},
		{"a\n", "unknown tokeniser", exitUsage, []string{"--sacrebleu", "--tokenize", "x", "--sys", ref}},
	} {
		status, out, err := withInput(t, c.input, append([]string{"score", "--ref", ref}, c.args...)...)
		if status != c.status || !strings.Contains(out+err, c.want) {
			t.Errorf("%v of %q: status %d, %q, want %q", c.args, c.input, status, out+err, c.want)
		}
	}
}

func TestTranslationUsage(t *testing.T) {
	model := golden("mt_wmt")
	for want, args := range map[string][]string{
		"--nbest takes --json":                           {"translate", pairsDir, "--checkpoint", model, "--nbest", "2"},
		"--buffer-size is 0":                             {"translate", pairsDir, "--checkpoint", model, "--buffer-size", "0"},
		"beam is 0":                                      {"generate", pairsDir, "--path", model, "--beam", "0"},
		"no data of the language pair en-fr":             {"generate", pairsDir, "--path", model, "-s", "en", "-t", "fr"},
		`no split "nothing"`:                             {"generate", pairsDir, "--path", model, "--gen-subset", "nothing"},
		`tokenizer is "x"`:                               {"translate", pairsDir, "--checkpoint", model, "--tokenizer", "x"},
		"neither --batch-size nor --max-tokens is given": {"train", pairsDir, "-a", "mega_wmt_en_de", "--train-subset", "valid"},
	} {
		if status, _, err := withInput(t, "one\n", args...); status == exitOK || !strings.Contains(err, want) {
			t.Errorf("%v: status %d, %q, want %q", args, status, err, want)
		}
	}
}
