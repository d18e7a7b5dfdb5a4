package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/mega-go/mega/recipe"
	"github.com/spf13/pflag"
)

// mustRun runs a command line that must succeed.
func mustRun(t *testing.T, args ...string) (stdout, stderr string) {
	t.Helper()
	status, stdout, stderr := command(t, args...)
	if status != exitOK {
		t.Fatalf("mega %s: status %d: %s", strings.Join(args, " "), status, stderr)
	}
	return stdout, stderr
}

// texts writes three texts of words, or of the numbers of bytes, that repeat
// themselves.
func texts(t *testing.T, numbers bool) (prefix string) {
	t.Helper()
	dir := t.TempDir()
	for i, split := range []string{"train", "valid", "test"} {
		var b strings.Builder
		for n := range 300 >> i {
			line := fmt.Sprintf("the %s brown fox %d jumps over the lazy dog", []string{"quick", "slow"}[n%2], n%7)
			if numbers {
				line = strings.Trim(fmt.Sprint([]byte(line)), "[]")
			}
			fmt.Fprintln(&b, line)
		}
		write(t, filepath.Join(dir, split+".txt"), b.String())
	}
	return dir + string(filepath.Separator)
}

func preprocessTexts(t *testing.T, numbers bool) (dir string) {
	t.Helper()
	prefix := texts(t, numbers)
	dir = filepath.Join(prefix, "bin")
	out, _ := mustRun(t, "preprocess", "--only-source", "--trainpref", prefix+"train.txt", "--validpref", prefix+"valid.txt",
		"--testpref", prefix+"test.txt", "--destdir", dir, "--workers", "20")
	if !strings.Contains(out, "train.txt: 300 sents") || !strings.Contains(out, "[None] Dictionary: ") {
		t.Errorf("preprocess printed %q", out)
	}
	return dir
}

// smallSizes shrink a recipe or command so that it takes a second.
var smallSizes = strings.Fields(`--decoder-layers 1 --decoder-embed-dim 16 --decoder-input-dim 16 --decoder-hidden-dim 32
	--decoder-ffn-embed-dim 32 --decoder-z-dim 8 --decoder-n-dim 2 --decoder-chunk-size 32 --max-tokens 128
	--total-num-update 6 --max-update 6 --warmup-updates 2 --log-interval 2`)

// The reference's commands for training language models (README.lm.md) run
// after replacing what comes before their flags, with smaller sizes at the end.
func TestReferenceLanguageCommands(t *testing.T) {
	const shared = `--activation-fn silu --attention-activation-fn softmax --decoder-n-dim 16 --normalize-before --no-affine-final-norm
		--update-freq 1 --normalization-type layernorm --truncation-length 8192 --rel-pos-bias rotary
		--optimizer adam --lr 5e-3 --adam-eps 1e-8 --clip-norm 0.25
		--lr-scheduler linear_decay --total-num-update 400000 --end-learning-rate 0.0 --warmup-updates 24000 --warmup-init-lr 1e-07
		--weight-decay 0.1 --max-update 400000 --no-epoch-checkpoints --sample-break-mode complete --valid-block splits:10
		--log-format simple --log-interval 100 --num-workers 0 --seed 1 --ddp-backend no_c10d --valid-subset valid --task language_modeling `
	for name, c := range map[string]struct {
		flags   string
		numbers bool
	}{
		"wikitext-103": {`--max-target-positions 8096 --decoder-hidden-dim 2048 -a mega_lm_adaptive_big --decoder-chunk-size 1024 --max-tokens 6144
			--variant-block-multiple-min 2 --variant-block-multiple-max 6 --criterion adaptive_loss
			--dropout 0.3 --attention-dropout 0.1 --hidden-dropout 0.1
			--adaptive-input-cutoff 8,12 --adaptive-softmax-cutoff 8,12 --adaptive-input-factor 2 --adaptive-softmax-factor 2`, false},
		"enwik8": {`--max-target-positions 10384 -a mega_lm_enwik8_base --decoder-chunk-size 2048 --max-tokens 8192
			--variant-block-multiple-min 2 --variant-block-multiple-max 4 --criterion cross_entropy --share-decoder-input-output-embed
			--dropout 0.1 --attention-dropout 0.0 --hidden-dropout 0.0`, true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := preprocessTexts(t, c.numbers)
			run := filepath.Join(t.TempDir(), "run")
			args := append([]string{"train", dir, "--adam-betas", "(0.9, 0.98)", "--save-dir", run}, strings.Fields(shared+c.flags)...)
			out, stderr := mustRun(t, append(args, smallSizes...)...)
			if !regexp.MustCompile(`test: loss \d\.\d{4} bits per token`).MatchString(out) {
				t.Errorf("printed %q", out)
			}
			if strings.Count(stderr, "has no effect") != 3 { // ddp-backend, log-format, num-workers
				t.Errorf("told %q", stderr)
			}
			out, _ = mustRun(t, "eval-lm", dir, "--path", run, "--gen-subset", "test", "--max-tokens", "5000000", "--test-chunk-size", "64",
				"--chunk-nums", "2", "--softmax-batch", "1024", "--sample-break-mode", "complete", "--valid-block", "splits:10",
				"--model-overrides", `{"decoder_chunk_size": 64, "max_tokens_valid": 5000000}`)
			if !strings.Contains(out, "Evaluated ") {
				t.Errorf("eval-lm printed %q", out)
			}
		})
	}
}

// TestRecipesAreValid: every recipe's flags are known and make a configuration of
// the kind of model that its task names.
func TestRecipesAreValid(t *testing.T) {
	kinds := map[string]string{"language_modeling": languageModel, "translation": translator, "image_classification": pictureClassifier}
	for _, name := range recipe.Names() {
		r, err := recipe.Find(name)
		if err != nil {
			t.Fatal(err)
		}
		c := &trainCommand{kinds: trainKinds()}
		flags := pflag.NewFlagSet("train", pflag.ContinueOnError)
		c.addFlags(flags)
		if err := flags.Parse(r.Flags); err != nil {
			t.Fatal(err)
		}
		kind, arch, _, err := c.configs([]string{"data"})
		want := cmp.Or(kinds[flags.Lookup("task").Value.String()], classifier)
		if err != nil || kind.name() != want {
			t.Errorf("%s: %s is %s, want %s: %v", name, arch, kind.name(), want, err)
		}
	}
}

// trainBytes trains a model of bytes for a moment.
func trainBytes(t *testing.T) (run, text string) {
	t.Helper()
	text = texts(t, false) + "train.txt"
	run = filepath.Join(t.TempDir(), "run")
	args := append([]string{"train", "--preset", "bytes-small", "--text", text, "--save-dir", run, "--variant-block-multiple-max", "2"}, smallSizes...)
	out, _ := mustRun(t, append(args, "--lr", "1e-2", "--clip-norm", "1", "--max-update", "40", "--total-num-update", "40")...)
	if !strings.Contains(out, "test: loss ") {
		t.Errorf("printed %q", out)
	}
	return run, text
}

// The commands that a user gives a model of bytes, one after another.
func TestLanguageCommands(t *testing.T) {
	run, text := trainBytes(t)

	t.Run("eval-lm", func(t *testing.T) {
		var e struct{ Tokens int }
		out, _ := mustRun(t, "eval-lm", "--checkpoint", run, "--text", text, "--json")
		if err := json.Unmarshal([]byte(out), &e); err != nil || e.Tokens < 10000 {
			t.Errorf("printed %q: %v", out, err)
		}
		for share, warned := range map[string]bool{"0.05": false, "0.3": true} {
			_, stderr := mustRun(t, "eval-lm", "--checkpoint", run, "--gen-subset", "test", "--text-held-out", share)
			if strings.Contains(stderr, "was trained on in part") != warned {
				t.Errorf("--text-held-out %s is warned of: %v, want %v: %q", share, !warned, warned, stderr)
			}
		}
	})
	t.Run("generate", func(t *testing.T) {
		prompt := []string{"generate", "--checkpoint", run, "--prompt", "the quick"}
		out, stderr := mustRun(t, append(prompt, "--max-new-tokens", "20", "--top-k", "5", "--top-p", "0.9")...)
		if !strings.HasPrefix(out, "the quick") || len(out) != len("the quick")+20+1 {
			t.Errorf("printed %q", out)
		}
		if !strings.Contains(stderr, "read 10 tokens") || !strings.Contains(stderr, "made 20 tokens") {
			t.Errorf("told %q", stderr)
		}
		again, _ := mustRun(t, append(prompt, "--max-len-b", "20", "--sampling-topk", "5", "--sampling-topp", "0.9")...)
		other, _ := mustRun(t, append(prompt, "--max-len-b", "20", "--seed", "2")...)
		if again != out || other == out {
			t.Errorf("the same seed gives %q and %q, another %q", out, again, other)
		}
		out, _ = mustRun(t, append(prompt, "--prompt", "dog", "--nbest", "2", "--max-len-b", "5", "--json")...)
		if strings.Count(out, "\n") != 4 || strings.Count(out, `"prompt":"dog"`) != 2 {
			t.Errorf("printed %q", out)
		}
		out, _ = mustRun(t, append(prompt, "--beam", "3", "--nbest", "2", "--max-len-b", "5")...)
		if !strings.Contains(out, "--- 1.1 (log-probability -") || !strings.Contains(out, "--- 1.2 (") {
			t.Errorf("printed %q", out)
		}
	})
	t.Run("other models' flags", func(t *testing.T) {
		_, stderr := mustRun(t, "generate", "--checkpoint", run, "--prompt", "a", "--max-len-b", "1", "--sampling", "--print-alignment", "--temperature", "2")
		if strings.Count(stderr, "has no effect: it is for a translator") != 2 {
			t.Errorf("told %q", stderr)
		}
	})
	t.Run("prompts", func(t *testing.T) {
		list := filepath.Join(t.TempDir(), "prompts")
		write(t, list, "the\nfox\n")
		out, _ := mustRun(t, "generate", "--checkpoint", run, "--prompts", list, "--prompt-file", list, "--max-len-b", "3", "--no-echo")
		if strings.Count(out, "--- ") != 3 || strings.Contains(out, "fox") {
			t.Errorf("printed %q", out)
		}
	})
	t.Run("state", func(t *testing.T) {
		state := filepath.Join(t.TempDir(), "state")
		whole, _ := mustRun(t, "generate", "--checkpoint", run, "--prompt", "the quick", "--max-len-b", "30")
		first, _ := mustRun(t, "generate", "--checkpoint", run, "--prompt", "the quick", "--max-len-b", "10", "--save-state", state)
		second, _ := mustRun(t, "generate", "--checkpoint", run, "--load-state", state, "--max-len-b", "20")
		if got := strings.TrimSuffix(first, "\n") + second; got != whole {
			t.Errorf("in two goes %q, in one %q", got, whole)
		}
	})
	t.Run("interactive", func(t *testing.T) {
		var out, stderr bytes.Buffer
		args := []string{"interactive", "--checkpoint", run, "--max-len-b", "4", "--keep"}
		if status := runCommand(t, args, "the\nfox\n", &out, &stderr); status != exitOK {
			t.Fatalf("status %d: %s", status, stderr.String())
		}
		lines := strings.Split(out.String(), "\n")
		if len(lines) < 3 || !strings.HasPrefix(lines[0], "the") || !strings.Contains(out.String(), "\nfox") {
			t.Errorf("printed %q", out.String())
		}
	})
	t.Run("score", func(t *testing.T) {
		two := filepath.Join(t.TempDir(), "two")
		write(t, two, "the quick\nfox")
		out, stderr := mustRun(t, "score", "--checkpoint", run, "--tokens", two)
		if !strings.Contains(out, "\t10\tthe quick\n") || strings.Count(out, "\n") != 2+13 || !strings.Contains(stderr, "2 lines, 13 tokens") {
			t.Errorf("printed %q, told %q", out, stderr)
		}
		var line struct {
			Line   int
			Tokens []struct{ Token string }
		}
		out, _ = mustRun(t, "score", "--checkpoint", run, "--tokens", "--json", two)
		if err := json.Unmarshal([]byte(strings.Split(out, "\n")[1]), &line); err != nil || line.Line != 2 || line.Tokens[0].Token != "f" {
			t.Errorf("printed %q: %v", out, err)
		}
	})
}

func runCommand(t *testing.T, args []string, stdin string, out, stderr *bytes.Buffer) int {
	t.Helper()
	return run(context.Background(), args, strings.NewReader(stdin), out, stderr)
}

// mega eval-lm prints what the reference printed, by the reference's flags.
func TestEvalLMGolden(t *testing.T) {
	for name, c := range map[string][2]string{
		"lm_enwik8":      {"3", "Evaluated 23424 tokens in .*\nLoss \\(base 2\\): 3.8716, Perplexity: 14.64\n$"},
		"lm_wikitext103": {"2", "Evaluated 10466 tokens in .*\nLoss \\(base 2\\): 8.1482, Perplexity: 283.70\n$"},
	} {
		out, _ := mustRun(t, "eval-lm", filepath.Join(golden(name), "text"), "--path", golden(name), "--gen-subset", "test",
			"--test-chunk-size", "64", "--chunk-nums", c[0], "--sample-break-mode", "complete", "--valid-block", "splits:5")
		if !regexp.MustCompile(c[1]).MatchString(out) {
			t.Errorf("%s: printed %q", name, out)
		}
	}
	status, _, stderr := command(t, "eval-lm", filepath.Join(golden("lm_wikitext103"), "text"), "--path", golden("lm_enwik8"))
	if status != exitFailure || !strings.Contains(stderr, "the dictionary has 5368 symbols and the model 112") {
		t.Errorf("another model's dictionary: status %d: %s", status, stderr)
	}
}

// Words and statistics, whole or put together of pieces, go where they are
// asked to.
func TestEvalLMWords(t *testing.T) {
	results := filepath.Join(t.TempDir(), "results")
	args := []string{"eval-lm", filepath.Join(golden("lm_wikitext103"), "text"), "--path", golden("lm_wikitext103"), "--valid-block", "splits:5",
		"--output-word-stats", "--output-word-probs", "--results-path", results}
	out, _ := mustRun(t, args...)
	if !strings.Contains(out, "\nthe\t") {
		t.Errorf("no statistics of words in %.200q", out)
	}
	words, err := os.ReadFile(filepath.Join(results, "generate-test.txt"))
	if err != nil || !regexp.MustCompile(`(?m)^S-\d+ \S+ \[-\d+\.\d+\]\t`).Match(words) {
		t.Errorf("words %.200q, %v", words, err)
	}
	pieces, _ := mustRun(t, append(args, "--remove-bpe", "e ")...)
	if pieces == out {
		t.Error("pieces make no difference")
	}
}

// mega preprocess does pairs, and dictionaries alone.
func TestPreprocessPairs(t *testing.T) {
	prefix := texts(t, false)
	for _, split := range []string{"train", "valid"} {
		text, err := os.ReadFile(prefix + split + ".txt")
		if err != nil {
			t.Fatal(err)
		}
		write(t, prefix+split+".en", string(text))
		write(t, prefix+split+".de", strings.ReplaceAll(string(text), "fox", "Fuchs"))
	}
	pair := []string{"preprocess", "-s", "en", "-t", "de", "--trainpref", prefix + "train", "--validpref", prefix + "valid"}
	joined := filepath.Join(prefix, "joined")
	mustRun(t, append(pair, "--destdir", joined, "--joined-dictionary")...)
	apart := filepath.Join(prefix, "apart")
	mustRun(t, append(pair, "--destdir", apart, "--nwordssrc", "12", "--thresholdtgt", "100", "--padding-factor", "1")...)
	dict := func(dir, lang string) string {
		text, err := os.ReadFile(filepath.Join(dir, "dict."+lang+".txt"))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	if dict(joined, "en") != dict(joined, "de") || !strings.Contains(dict(joined, "en"), "Fuchs") {
		t.Error("the joined dictionary is not one of both languages")
	}
	if strings.Contains(dict(apart, "en"), "Fuchs") || strings.Count(dict(apart, "en"), "\n") != 8 || strings.Contains(dict(apart, "de"), "\n6 ") {
		t.Errorf("dictionaries apart: %q and %q", dict(apart, "en"), dict(apart, "de"))
	}
	only := filepath.Join(prefix, "only")
	mustRun(t, append(pair, "--destdir", only, "--dict-only", "--joined-dictionary")...)
	if files, _ := os.ReadDir(only); len(files) != 2 || dict(only, "en") != dict(joined, "en") {
		t.Errorf("--dict-only wrote %v", files)
	}
	given := filepath.Join(prefix, "given")
	mustRun(t, append(pair, "--destdir", given, "--srcdict", filepath.Join(joined, "dict.en.txt"), "--tgtdict", filepath.Join(apart, "dict.de.txt"))...)
	if dict(given, "en") != dict(joined, "en") || dict(given, "de") != dict(apart, "de") {
		t.Error("the given dictionaries are not used")
	}
}

// TestManyContinuations: what is made does not depend on how many are made side by
// side.
func TestManyContinuations(t *testing.T) {
	wiki := golden("lm_wikitext103")
	prompts := strings.Repeat("the\n", mostTexts+6)
	of := func(n int, prompts string) string {
		var out, stderr bytes.Buffer
		if status := runCommand(t, []string{"generate", filepath.Join(wiki, "text"), "--checkpoint", wiki, "--max-len-b", "3", "--nbest", strconv.Itoa(n), "--prompts", "-"}, prompts, &out, &stderr); status != exitOK {
			t.Fatal(stderr.String())
		}
		return out.String()
	}
	made := func(text string) string { return regexp.MustCompile(`--- \d+\.\d+ `).ReplaceAllString(text, "") }
	one, all := made(of(mostTexts+6, "the\n")), made(of(1, prompts))
	if one != all || !strings.HasPrefix(one, made(of(5, "the\n"))) || strings.Count(one, "(log-probability") != mostTexts+6 {
		t.Errorf("%q\n%q", one, all)
	}
}

func TestEnwik8Command(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text")
	write(t, text, strings.Repeat("ab\n", 100))
	out, _ := mustRun(t, "data", "enwik8", "--held-out", "30", text, filepath.Join(dir, "out"))
	if strings.Count(out, ": 30 bytes") != 2 || !strings.Contains(out, ": 240 bytes") {
		t.Errorf("printed %q", out)
	}
}

func TestBadLanguageInput(t *testing.T) {
	enwik8, wiki := golden("lm_enwik8"), golden("lm_wikitext103")
	bytesOf := filepath.Join(enwik8, "text")
	dir := t.TempDir()
	short := filepath.Join(dir, "enwik8")
	write(t, short, "too short")
	zip := filepath.Join(dir, "enwik8.zip")
	write(t, zip, "PK\x03\x04 and no more")
	state := filepath.Join(dir, "state")
	mustRun(t, "generate", bytesOf, "--checkpoint", enwik8, "--prompt", "a", "--max-len-b", "0", "--save-state", state)
	gen := func(more ...string) []string {
		return append([]string{"generate", bytesOf, "--checkpoint", enwik8}, more...)
	}
	for name, c := range map[string]struct {
		args   []string
		status int
		want   string
	}{
		"no prompt":             {gen(), exitUsage, "no prompt is given"},
		"byte outside":          {gen("--prompt", "caf\xe9"), exitFailure, `byte 233`},
		"byte outside, second":  {gen("--prompt", "a", "--prompt", "caf\xe9"), exitFailure, "prompt 2: the prompt: byte 233"},
		"other dictionary":      {[]string{"generate", filepath.Join(wiki, "text"), "--checkpoint", enwik8, "--prompt", "a"}, exitFailure, "the dictionary has 5368 symbols and the model 112"},
		"no dictionary":         {[]string{"generate", dir, "--checkpoint", enwik8, "--prompt", "a"}, exitFailure, "dict.txt"},
		"no model":              {[]string{"generate", "--prompt", "a"}, exitUsage, "--checkpoint"},
		"chunk of zero":         {gen("--prompt", "a", "--model-overrides", `{"decoder_chunk_size": 0}`), exitFailure, "chunk_size is 0"},
		"negative length":       {gen("--prompt", "a", "--max-len-b", "-1"), exitUsage, "--max-len-b is -1"},
		"negative temperature":  {gen("--prompt", "a", "--temperature", "-1"), exitUsage, "temperature is -1"},
		"state of several":      {gen("--prompt", "a", "--nbest", "2", "--save-state", "x"), exitUsage, "--save-state keeps one text"},
		"foreign state":         {gen("--load-state", short), exitFailure, short},
		"state of another":      {[]string{"generate", filepath.Join(wiki, "text"), "--checkpoint", wiki, "--load-state", state}, exitFailure, "another model"},
		"penalty in a search":   {gen("--prompt", "a", "--beam", "2", "--min-p", "0.1"), exitUsage, "--min-p is for texts drawn"},
		"lenpen without search": {gen("--prompt", "a", "--lenpen", "2"), exitUsage, "--beam"},
		"interactive":           {[]string{"interactive", bytesOf, "--checkpoint", enwik8, "--sampling-topp", "2"}, exitUsage, "--sampling-topp"},
		"score nothing":         {[]string{"score", bytesOf, "--checkpoint", enwik8, filepath.Join(dir, "none")}, exitFailure, "none"},
		"window of zero":        {[]string{"eval-lm", bytesOf, "--path", enwik8, "--test-chunk-size", "0"}, exitFailure, "--test-chunk-size 0"},
		"unfinished download":   {[]string{"data", "enwik8", short, filepath.Join(dir, "out")}, exitFailure, "the download is not finished"},
		"unfinished zip":        {[]string{"data", "enwik8", zip, filepath.Join(dir, "out")}, exitFailure, "is the download finished?"},
		"one language":          {[]string{"preprocess", "-s", "en", "--trainpref", short}, exitUsage, "--only-source"},
		"no text to preprocess": {[]string{"preprocess", "--only-source", "--destdir", dir}, exitUsage, "--trainpref"},
		"missing text":          {[]string{"preprocess", "--only-source", "--trainpref", filepath.Join(dir, "none"), "--destdir", filepath.Join(dir, "bin")}, exitFailure, "no such file"},
		"wrong criterion":       {[]string{"train", bytesOf, "--arch", "mega_lm", "--criterion", "adaptive_loss"}, exitUsage, "want cross_entropy"},
		"unknown arch":          {[]string{"train", bytesOf, "--arch", "mega_lm_enwik8_bas"}, exitUsage, `did you mean "mega_lm_enwik8_base"`},
		"text and data":         {[]string{"train", bytesOf, "--preset", "bytes-small", "--text", short}, exitFailure, "want one of them"},
	} {
		t.Run(name, func(t *testing.T) {
			status, out, stderr := command(t, c.args...)
			last := strings.TrimSpace(stderr[strings.LastIndex(strings.TrimSpace(stderr), "\n")+1:])
			if status != c.status || !strings.HasPrefix(last, "mega: ") || !strings.Contains(last, c.want) || out != "" {
				t.Errorf("status %d, want %d; printed %q; last line %q, want it to hold %q", status, c.status, out, last, c.want)
			}
		})
	}
}

// TestToldOnce: an error that comes with every line is not told sixty times.
func TestToldOnce(t *testing.T) {
	wiki := golden("lm_wikitext103")
	var out, stderr bytes.Buffer
	status := runCommand(t, []string{"interactive", filepath.Join(wiki, "text"), "--checkpoint", wiki, "--max-len-b", "1"}, strings.Repeat("\xff\n", 60), &out, &stderr)
	if n := strings.Count(stderr.String(), "\n"); status != exitOK || n != 4 {
		t.Errorf("status %d, %d lines: %s", status, n, stderr.String())
	}
}

// TestOtherModels: what is not for a kind of model names what is.
func TestOtherModels(t *testing.T) {
	for line, want := range map[string]string{
		"validate DATA --path lm_wikitext103":                                    "mega eval-lm evaluates it",
		"validate DATA --path mt_wmt":                                            "mega generate evaluates it",
		"eval-lm --path lm_wikitext103":                                          "give another by --text or as DATA",
		"eval-lm DATA --path lm_wikitext103 --softmax-batch 9223372036854775807": "DATA",
	} {
		args := strings.Fields(line)
		for i, arg := range args {
			if strings.Contains(arg, "_w") {
				args[i] = golden(arg)
			}
		}
		if status, _, stderr := command(t, args...); status == exitOK || !strings.Contains(stderr, want) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%s: status %d, %s", line, status, stderr)
		}
	}
}
