package translate

import (
	"bytes"
	"context"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mega-go/mega"
	"github.com/mega-go/mega/data"
	"github.com/mega-go/mega/data/numbers"
	"github.com/mega-go/mega/data/preprocess"
	"github.com/mega-go/mega/generate"
	"github.com/mega-go/mega/internal/cuda/device"
	"github.com/mega-go/mega/internal/cuda/devicetest"
	"github.com/mega-go/mega/train"
)

// tinyTranslator is a model that learns to count in moments.
func tinyTranslator(t *testing.T) mega.TranslatorConfig {
	t.Helper()
	c, err := mega.TranslatorArch("mega_wmt_en_de")
	if err != nil {
		t.Fatal(err)
	}
	c.EncoderLayers, c.DecoderLayers, c.EncoderEmbedDim, c.EncoderHiddenDim, c.EncoderZDim, c.EncoderNDim = 1, 1, 16, 24, 8, 2
	c.MaxSourcePositions, c.MaxTargetPositions, c.ShareAllEmbeddings = 32, 32, true
	c.Dropout, c.AttentionDropout, c.HiddenDropout, c.ActivationDropout = 0, 0, 0, 0
	c.Derive(func(string) bool { return false })
	return c
}

func tinyPairs(t *testing.T) DataConfig {
	t.Helper()
	dir := t.TempDir()
	if err := numbers.Write(context.Background(), dir, numbers.Options{Train: 90, Valid: 5, Test: 4, Max: 99, Seed: 1}); err != nil {
		t.Fatal(err)
	}
	d := DefaultDataConfig()
	d.Data, d.MaxTokens = dir, 120
	d.Criterion, d.LabelSmoothing = "label_smoothed_cross_entropy", 0.1
	return d
}

// TestTrainTranslator: training lowers the loss, validation measures BLEU, and
// the best checkpoint goes by it.
func TestTrainTranslator(t *testing.T) {
	d := tinyPairs(t)
	d.EvalBLEU, d.EvalTokenizedBLEU, d.EvalBLEUArgs = true, true, `{"beam": 2}`
	task, err := NewTask(d, tinyTranslator(t))
	if err != nil {
		t.Fatal(err)
	}
	defer task.Close()
	before, err := task.Validate(context.Background(), train.NewEvaluator(train.Alone{}, nil))
	if err != nil {
		t.Fatal(err)
	}
	c := train.DefaultConfig()
	c.MaxUpdate, c.LR, c.BestCheckpointMetric, c.MaximizeBestCheckpointMetric = 60, []float64{0.01}, "bleu", true
	summary, err := train.Run(context.Background(), task, c, train.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if after := summary.Valid; !(after["loss"] < 0.7*before["loss"]) || !(after["bleu"] >= before["bleu"]) || after["nll_loss"] >= after["loss"] {
		t.Errorf("before %v, after %v", before, after)
	}
	e, err := task.Evaluate(context.Background(), task.Model(), "test")
	if err != nil || e.Sentences != 4 || !strings.Contains(e.Line(), "test: 4 sentences") || !strings.Contains(e.Line(), "BLEU4 = ") {
		t.Errorf("evaluation %+v, %v", e, err)
	}
}

// TestFirstFailure: a measurement of BLEU on a device that breaks says what broke first.
func TestFirstFailure(t *testing.T) {
	d := tinyPairs(t)
	d.EvalBLEU = true
	task, err := NewTask(d, tinyTranslator(t))
	if err != nil {
		t.Fatal(err)
	}
	defer task.Close()
	task.Params().Move(&devicetest.Broken{Device: devicetest.New(t)})
	if _, err := task.bleu.run(t.Context(), task.valid[0], train.NewEvaluator(train.Alone{}, nil)); err == nil || !strings.Contains(err.Error(), "it is on fire") {
		t.Errorf("error %v", err)
	}
}

// TestTrainOnDevice trains a translator on a device, and translates there in validation, as
// on the CPU. Nothing stays there of either but the parameters.
func TestTrainOnDevice(t *testing.T) {
	if testing.Short() {
		t.Skip("the interpreter takes its time")
	}
	d := tinyPairs(t)
	d.MaxTokens, d.EvalBLEU, d.EvalTokenizedBLEU, d.EvalBLEUArgs = 40, true, true, `{"beam": 1, "max_len_b": 4}`
	c := train.DefaultConfig()
	c.MaxUpdate, c.LR, c.AdamEps, c.BestCheckpointMetric = 2, []float64{0.01}, 0.01, "bleu"
	counter := devicetest.NewCounter(t)
	var measured [2]train.Metrics
	for i, on := range []device.Device{nil, counter} {
		task, err := NewTask(d, tinyTranslator(t))
		if err != nil {
			t.Fatal(err)
		}
		defer task.Close()
		task.Params().Move(on)
		parameters := counter.Blocks
		if _, err := task.bleu.run(t.Context(), task.valid[0], train.NewEvaluator(train.Alone{}, nil)); err != nil || counter.Blocks != parameters {
			t.Errorf("validation leaves %d blocks of memory of %d, %v", counter.Blocks, parameters, err)
		}
		s, err := train.Run(t.Context(), task, c, train.Options{Device: on})
		if err != nil || counter.Blocks != parameters || on != nil && parameters == 0 {
			t.Errorf("training leaves %d blocks of memory of %d, %v", counter.Blocks, parameters, err)
		}
		measured[i] = s.Valid
	}
	for name, want := range measured[0] {
		if got := measured[1][name]; !(math.Abs(got-want) <= 1e-5*want) {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
}

// TestTranslationErrors: what is wrong, and where.
func TestTranslationErrors(t *testing.T) {
	joined := tinyPairs(t)
	apart := joined
	apart.Data = t.TempDir()
	_, err := preprocess.Run(context.Background(), preprocess.Options{
		SourceLang: "en", TargetLang: "de", TrainPref: filepath.Join(joined.Data, "train"),
		ValidPref: []string{filepath.Join(joined.Data, "valid")}, DestDir: apart.Data,
	})
	if err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(d *DataConfig, m *mega.TranslatorConfig){
		"no data is given":                 func(d *DataConfig, _ *mega.TranslatorConfig) { d.Data = "" },
		`task is "x", want translation`:    func(d *DataConfig, _ *mega.TranslatorConfig) { d.Task = "x" },
		"no such directory":                func(d *DataConfig, _ *mega.TranslatorConfig) { d.Data = "nowhere" },
		"no data of the language pair fr-": func(d *DataConfig, _ *mega.TranslatorConfig) { d.SourceLang, d.TargetLang = "fr", "de" },
		"cross_entropy has none":           func(d *DataConfig, _ *mega.TranslatorConfig) { d.Criterion = "cross_entropy" },
		`criterion is "x"`:                 func(d *DataConfig, _ *mega.TranslatorConfig) { d.Criterion = "x" },
		"label_smoothing is 1":             func(d *DataConfig, _ *mega.TranslatorConfig) { d.LabelSmoothing = 1 },
		"joined_dictionary":                func(d *DataConfig, _ *mega.TranslatorConfig) { d.Data = apart.Data },
		`unknown field "beem"`: func(d *DataConfig, _ *mega.TranslatorConfig) {
			d.EvalBLEU, d.EvalBLEUArgs = true, `{"beem": 4}`
		},
		"eval_bleu_args: beam is 0": func(d *DataConfig, _ *mega.TranslatorConfig) {
			d.EvalBLEU, d.EvalBLEUArgs = true, `{"beam": 0}`
		},
		`eval_bleu_detok is "x"`: func(d *DataConfig, _ *mega.TranslatorConfig) { d.EvalBLEU, d.EvalBLEUDetok = true, "x" },
		"the source has 3 tokens, more than the 2": func(_ *DataConfig, m *mega.TranslatorConfig) {
			m.MaxSourcePositions = 2
		},
	} {
		d, m := joined, tinyTranslator(t)
		change(&d, &m)
		if task, err := NewTask(d, m); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v of %v, want one with %q", err, task, want)
		}
	}
}

// TestDictionaryMismatch: a model that was trained with another dictionary.
func TestDictionaryMismatch(t *testing.T) {
	m := goldenTranslator(t)
	s := generate.Searcher{Options: generate.DefaultOptions()}
	d := DefaultDataConfig()
	d.Data = t.TempDir()
	if err := numbers.Write(context.Background(), d.Data, numbers.Options{Train: 8, Valid: 1, Test: 1, Max: 9}); err != nil {
		t.Fatal(err)
	}
	_, err := Generate(context.Background(), train.NewEvaluator(train.Alone{}, nil), m, openPairs(t, d), s, DefaultGenerateOptions(), io.Discard)
	if err == nil || !strings.Contains(err.Error(), "dict.en.txt has") {
		t.Errorf("error %v", err)
	}
	corpus := openPairs(t, d)
	text := Translator{Models: m, Source: corpus.Source, Target: corpus.Target, Searcher: s}
	if err := text.Check(); err == nil || !strings.Contains(err.Error(), "not the ones that the model was trained with") {
		t.Errorf("error %v", err)
	}
}

// goldenTextTranslator returns a translator of text for the golden model.
func goldenTextTranslator(t *testing.T) *Translator {
	t.Helper()
	d := DefaultDataConfig()
	d.Data = pairData
	corpus := openPairs(t, d)
	return &Translator{
		Models: goldenTranslator(t), Source: corpus.Source, Target: corpus.Target, Workers: 2,
		Searcher: generate.Searcher{Options: generate.DefaultOptions()},
	}
}

// TestTranslateText: lines keep their order, empty ones stay empty, and a
// translation is bit for bit the same alone, beside others and in another order.
func TestTranslateText(t *testing.T) {
	tr := goldenTextTranslator(t)
	lines := []string{"forty two thousand", "", "five hundred and sixty thousand nine hundred and sixty", "  nine  ", "three foo hundred", "eleven thousand seven"}
	found, err := tr.Translate(context.Background(), lines, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(found[1].Found) != 0 || len(found[4].Unknown) != 1 || found[4].Unknown[0] != "foo" {
		t.Errorf("an empty line: %v; unknown words: %v", found[1].Found, found[4].Unknown)
	}
	if got := tr.Plain(found[2], found[2].Found[0]); got != "fünf hundert sechzig tausend neun hundert sechzig" {
		t.Errorf("%q", got)
	}
	for i, line := range lines {
		alone, err := tr.Translate(context.Background(), []string{line}, 1, nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(found[i].Found) == 0 {
			continue
		}
		a, b := found[i].Found[0], alone[0].Found[0]
		if tr.Plain(found[i], a) != tr.Plain(alone[0], b) || a.Score-b.Score > 1e-6 || b.Score-a.Score > 1e-6 {
			t.Errorf("%q: %q %g beside others, %q %g alone", line, tr.Plain(found[i], a), a.Score, tr.Plain(alone[0], b), b.Score)
		}
	}
	for want, bad := range map[string]string{
		"line 8 has 1025 tokens": strings.Repeat("one ", 1024),
		"line 8 is not UTF-8":    "\xff",
	} {
		if _, err := tr.Translate(context.Background(), []string{"one", bad}, 7, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

// TestInteractiveLines: the lines of interactive.py, with an alignment.
func TestInteractiveLines(t *testing.T) {
	tr := goldenTextTranslator(t)
	tr.Alignment = true
	found, err := tr.Translate(context.Background(), []string{"nine thousand"}, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := tr.WriteLines(&out, 3, found[0]); err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for line := range strings.Lines(out.String()) {
		kinds = append(kinds, line[:4])
	}
	if strings.Join(kinds, " ") != "S-3\t H-3\t D-3\t P-3\t A-3\t" || !strings.Contains(out.String(), "S-3\tnine thousand\n") {
		t.Errorf("%q", out.String())
	}
}

// TestReplaceUnknown: <unk> gives way to the source token that it attends to most,
// </s> not considered, or to what a dictionary has for it.
func TestReplaceUnknown(t *testing.T) {
	d := data.NewDictionary()
	ein := d.Add("ein", 1)
	h := generate.Hypothesis{
		Tokens:    []int32{data.Unknown, ein, data.Unknown, data.EOS},
		Attention: [][]float32{{0.2, 0.3, 0.5}, {1, 0, 0}, {0.6, 0.1, 0.3}, {0, 0, 1}},
	}
	source, words := []int32{5, data.Unknown, data.EOS}, []string{"two", "foo@@"}
	file := filepath.Join(t.TempDir(), "words")
	if err := os.WriteFile(file, []byte("two zwei\n\none eins\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := newUnknownReplacer(file); err == nil || !strings.Contains(err.Error(), "words:2: \"\"") {
		t.Errorf("an empty line: error %v", err)
	}
	if err := os.WriteFile(file, []byte("two  zwei 0.9\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	for replace, want := range map[string]string{
		"": "UNK ein UNK", copyUnknown: "foo@@ ein two", file: "foo@@ ein zwei",
	} {
		u, err := newUnknownReplacer(replace)
		if err != nil {
			t.Fatal(err)
		}
		if got := u.decode(d, h, "UNK", source, words); got != want {
			t.Errorf("%q: %q, want %q", replace, got, want)
		}
	}
	if _, err := newUnknownReplacer(file + "x"); err == nil || !strings.Contains(err.Error(), "no such replacement file") {
		t.Errorf("no file: error %v", err)
	}
}

// TestScoreReference: the best hypothesis's own score where it is the reference,
// up to the moving average's truncation, which is longer than these sentences.
func TestScoreReference(t *testing.T) {
	d := DefaultDataConfig()
	d.Data, d.BatchSize = pairData, 50
	s := generate.Searcher{Options: generate.DefaultOptions()}
	o := DefaultGenerateOptions()
	lines := func(m Ensemble) map[string]string {
		var out bytes.Buffer
		if _, err := Generate(context.Background(), train.NewEvaluator(train.Alone{}, nil), m, openPairs(t, d), s, o, &out); err != nil {
			t.Fatal(err)
		}
		all := map[string]string{}
		for line := range strings.Lines(out.String()) {
			key, rest, _ := strings.Cut(strings.TrimSpace(line), "\t")
			all[key] = rest
		}
		return all
	}
	one := goldenTranslator(t)
	searched := lines(one)
	o.ScoreReference = true
	compareMaps(t, "score-reference", lines(one), searched)
	o.ScoreReference = false
	compareMaps(t, "an ensemble of twins", lines(Ensemble{one[0], one[0]}), searched)
}

func compareMaps(t *testing.T, name string, got, want map[string]string) {
	t.Helper()
	var a, b strings.Builder
	for key, text := range want {
		if strings.HasPrefix(key, "P-") {
			b.WriteString(key + " " + text + "\n")
			a.WriteString(key + " " + got[key] + "\n")
		}
	}
	compareLines(t, name, a.String(), b.String(), 2.1e-4)
}

func TestTextConfig(t *testing.T) {
	codes := filepath.Join(t.TempDir(), "codes")
	if err := os.WriteFile(codes, []byte("#version: 0.2\no n\non e</w>\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	o, err := TextConfig{Tokenizer: "moses", BPECodes: codes}.Open("en", "de")
	if err != nil {
		t.Fatal(err)
	}
	if got := o.encode(" one, on! "); got != "one , o@@ n !" && got != "one , on !" {
		t.Errorf("%q", got)
	}
	if got := o.decode(o.join("o@@ n , ein@@ s !")); got != "on, eins!" {
		t.Errorf("%q", got)
	}
	for want, c := range map[string]TextConfig{
		"a~ -~ b o~ n &~ a~ p~ o~ s~ ; on~ &~ a~ p~ o~ s~ ;": {Tokenizer: "moses", MosesNoDashSplits: true, BPECodes: codes, BPE: "subword_nmt", BPESeparator: "~"},
		"a @@@ -@@ @ b o@@ n ' on@@ '":                       {Tokenizer: "moses", MosesNoEscape: true, MosesSourceLang: "fr", BPECodes: codes, BPE: "fastbpe", BPESeparator: "~"},
	} {
		o, err := c.Open("en", "de")
		if err != nil {
			t.Fatal(err)
		}
		if got := o.encode("a-b\ton 'on'"); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	for want, c := range map[string]TextConfig{
		`tokenizer is "x"`:    {Tokenizer: "x"},
		`bpe is "x"`:          {BPE: "x"},
		"takes bpe_codes":     {BPE: "subword_nmt"},
		"takes sentencepiece": {BPE: "sentencepiece"},
		"nowhere":             {BPECodes: "nowhere"},
	} {
		if _, err := c.Open("en", "de"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

// TestTokenizerOfWords gives a translator of words, which are pieces of a
// tokenizer.json, the file of them.
func TestTokenizerOfWords(t *testing.T) {
	file := filepath.Join(t.TempDir(), "t")
	const letters = `{"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false},"decoder":{"type":"ByteLevel"},
		"model":{"type":"BPE","vocab":{"a":0,"b":1,"Ġ":2,"ab":3,"Ã":4,"¤":5},"merges":["a b"]}}`
	if err := os.WriteFile(file, []byte(letters), 0o666); err != nil {
		t.Fatal(err)
	}
	o, err := TextConfig{SentencepieceModel: file}.Open("en", "de")
	if err != nil {
		t.Fatal(err)
	}
	words := o.encode(" ab ä")
	if want := "ab Ġ Ã ¤"; words != want {
		t.Errorf("%q, want %q", words, want)
	}
	if got := o.decode(o.join(words + " <unk>")); got != "ab ä<unk>" {
		t.Errorf("%q", got)
	}
	o.remove = "sentencepiece"
	if got := o.decode(o.join(words)); got != "ab ä" {
		t.Errorf("%q with remove_bpe", got)
	}
}
