package language

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/mega-go/mega"
	"github.com/mega-go/mega/autograd"
	"github.com/mega-go/mega/checkpoint"
	"github.com/mega-go/mega/data/bytetext"
	"github.com/mega-go/mega/internal/collective"
	"github.com/mega-go/mega/train"
)

func goldenDir(name string) string { return filepath.Join("..", "..", "testdata", "golden", name) }

func openLanguageModel(t *testing.T, name string, overrides map[string]any) *mega.LanguageModel {
	t.Helper()
	c, err := checkpoint.Open(goldenDir(name))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Override(overrides); err != nil {
		t.Fatal(err)
	}
	m, err := c.LanguageModel()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func goldenText(name string) DataConfig {
	d := DefaultDataConfig()
	d.Data, d.SampleBreakMode, d.ValidBlock = filepath.Join(goldenDir(name), "text"), "complete", "splits:5"
	return d
}

func evaluateText(t *testing.T, m *mega.LanguageModel, d DataConfig, o EvalOptions) (*Evaluation, string) {
	t.Helper()
	c, err := OpenCorpus(d)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var words bytes.Buffer
	e, err := Evaluate(context.Background(), train.NewEvaluator(train.Alone{}, nil), m, c, o, &words)
	if err != nil {
		t.Fatal(err)
	}
	return e, words.String()
}

// What eval_mega_lm.py printed for the golden models on their test splits.
func TestEvaluateLanguageGolden(t *testing.T) {
	for _, c := range []struct {
		name       string
		nums       int
		tokens     int
		loss, text string
	}{
		{"lm_enwik8", 3, 23424, "3.8716", "Loss (base 2): 3.8716, Perplexity: 14.64\n"},
		{"lm_wikitext103", 2, 10466, "8.1482", "Loss (base 2): 8.1482, Perplexity: 283.70\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := openLanguageModel(t, c.name, nil)
			o := DefaultEvalOptions()
			o.TestChunkSize, o.ChunkNums = 64, c.nums
			e, _ := evaluateText(t, m, goldenText(c.name), o)
			var text bytes.Buffer
			if err := e.WriteText(&text); err != nil {
				t.Fatal(err)
			}
			if e.Tokens != c.tokens || !strings.HasSuffix(text.String(), c.text) {
				t.Errorf("%d tokens, want %d; printed %q, want the end %q", e.Tokens, c.tokens, text.String(), c.text)
			}
		})
	}
}

// TestProcessesShareAnEvaluation: in each of several, the result and the words are those
// of one, bit for bit, whether the documents are in one batch or in several.
func TestProcessesShareAnEvaluation(t *testing.T) {
	m, d := openLanguageModel(t, "lm_wikitext103", nil), goldenText("lm_wikitext103")
	for _, rows := range []int{0, 1, 2} {
		o := DefaultEvalOptions()
		o.TestChunkSize, o.BatchSize, o.WordProbs, o.WordStats = 128, rows, true, true
		want, words := evaluateText(t, m, d, o)
		var all sync.WaitGroup
		for _, comm := range collective.Threads(3, collective.Options{}) {
			all.Go(func() {
				c, err := OpenCorpus(d)
				if err != nil {
					t.Error(err)
					return
				}
				defer c.Close()
				var printed bytes.Buffer
				got, err := Evaluate(context.Background(), train.NewEvaluator(comm, nil), m, c, o, &printed)
				if err != nil {
					t.Error(err)
					return
				}
				got.Seconds, got.TokensPerSecond = want.Seconds, want.TokensPerSecond
				if !reflect.DeepEqual(got, want) || printed.String() != words {
					t.Errorf("rank %d, %d rows: %s, want %s", comm.Rank(), rows, got.Line(), want.Line())
				}
			})
		}
		all.Wait()
	}
}

// Windows, batches and how many scores are held make no difference; documents
// and what the model attends to do.
func TestEvaluateLanguageOptions(t *testing.T) {
	m := openLanguageModel(t, "lm_enwik8", nil)
	d := goldenText("lm_enwik8")
	base := DefaultEvalOptions()
	base.TestChunkSize, base.ChunkNums = 64, 10
	want, _ := evaluateText(t, m, d, base)
	for name, change := range map[string]func(*EvalOptions){
		"windows":       func(o *EvalOptions) { o.ChunkNums = 1000 },
		"crooked":       func(o *EvalOptions) { o.TestChunkSize = 1117 },
		"one by one":    func(o *EvalOptions) { o.BatchSize = 1 },
		"softmax batch": func(o *EvalOptions) { o.SoftmaxBatch = 77 },
	} {
		o := base
		change(&o)
		if got, _ := evaluateText(t, m, d, o); math.Abs(got.Loss-want.Loss) > 1e-6 || got.Tokens != want.Tokens {
			t.Errorf("%s: loss %.8f of %d tokens, want %.8f of %d", name, got.Loss, got.Tokens, want.Loss, want.Tokens)
		}
	}
	o := base
	o.ContextWindow = 100
	if got, _ := evaluateText(t, m, d, o); got.Loss == want.Loss || got.Tokens != want.Tokens {
		t.Errorf("with context: loss %.6f of %d tokens, without %.6f of %d", got.Loss, got.Tokens, want.Loss, want.Tokens)
	}
	wide := openLanguageModel(t, "lm_enwik8", map[string]any{"decoder_chunk_size": 128})
	if got, _ := evaluateText(t, wide, d, base); got.Loss == want.Loss {
		t.Error("another chunk size gives the same loss")
	}
	d.ValidBlock = "size:500"
	if got, _ := evaluateText(t, m, d, base); got.Loss == want.Loss || got.Documents <= want.Documents {
		t.Errorf("short documents: loss %.6f of %d, long ones %.6f of %d", got.Loss, got.Documents, want.Loss, want.Documents)
	}
}

// Log-probabilities of words sum to the loss, and pieces make words.
func TestEvaluateLanguageWords(t *testing.T) {
	m := openLanguageModel(t, "lm_wikitext103", nil)
	o := DefaultEvalOptions()
	o.TestChunkSize, o.ChunkNums = 64, 1000 // whole documents: words are not cut
	o.WordProbs, o.WordStats = true, true
	whole, printed := evaluateText(t, m, goldenText("lm_wikitext103"), o)
	sum, words := 0.0, 0
	for line := range strings.Lines(printed) {
		_, line, _ = strings.Cut(strings.TrimSpace(line), " ")
		for _, field := range strings.Split(line, "\t") {
			var p float64
			if _, err := fmt.Sscanf(field[strings.LastIndex(field, "[")+1:], "%g]", &p); err != nil {
				t.Fatalf("%q: %v", field, err)
			}
			sum += p
			words++
		}
	}
	if want := -whole.Loss * math.Ln2 * float64(whole.Tokens); words != whole.Tokens || math.Abs(sum-want) > 1e-5*math.Abs(want) {
		t.Errorf("%d words of log-probability %g, want %d of %g", words, sum, whole.Tokens, want)
	}
	if s := whole.Words[0]; s.Count < whole.Words[1].Count || s.Next > s.Count || s.Next < s.Count-whole.Documents {
		t.Errorf("most frequent word: %v", s)
	}
	o.RemoveBPE = "e " // as if words that end in e went on
	pieces, _ := evaluateText(t, m, goldenText("lm_wikitext103"), o)
	total := func(e *Evaluation) float64 { return e.Loss * float64(e.Tokens) }
	if pieces.Tokens >= whole.Tokens || math.Abs(total(pieces)-total(whole)) > 1e-6*total(whole) {
		t.Errorf("pieces: %d words of %g bits, want fewer than %d and %g", pieces.Tokens, total(pieces), whole.Tokens, total(whole))
	}
	put := 0
	for _, s := range pieces.Words {
		if s.Pieces {
			put++
		}
		if strings.HasSuffix(s.Word, "e") && s.Count > 1 {
			t.Errorf("%q was not put together", s.Word)
		}
	}
	if put == 0 {
		t.Error("no word was put together of pieces")
	}
}

// writeText writes a plain text that is easy to learn.
func writeText(t *testing.T, bytes int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "text")
	line := "the quick brown fox jumps over the lazy dog\n"
	if err := os.WriteFile(path, []byte(strings.Repeat(line, bytes/len(line)+1)[:bytes]), 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

func smallLanguageModel(t *testing.T) mega.LanguageModelConfig {
	t.Helper()
	m, err := mega.LanguageModelArch("mega_lm_enwik8_base")
	if err != nil {
		t.Fatal(err)
	}
	m.DecoderLayers, m.DecoderEmbedDim, m.DecoderInputDim, m.DecoderHiddenDim = 1, 32, 32, 48
	m.DecoderFFNEmbedDim, m.DecoderZDim, m.DecoderNDim, m.DecoderChunkSize = 48, 16, 4, 32
	m.RelPosBias, m.NormalizeBefore, m.ShareDecoderInputOutputEmbed, m.Dropout = "rotary", true, true, 0
	return m
}

// A byte model learns a text that repeats itself, and held-out text is predicted
// as well as validation says.
func TestTrainOnBytes(t *testing.T) {
	d := DefaultDataConfig()
	d.Text, d.MaxTokens, d.VariantBlockMultipleMax = writeText(t, 20000), 512, 4
	l, err := NewTask(d, smallLanguageModel(t))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	config := train.DefaultConfig()
	config.MaxUpdate, config.LR, config.ClipNorm, config.LogInterval = 60, []float64{1e-2}, 1, 20
	config.WarmupUpdates, config.LRScheduler, config.TotalNumUpdate = 5, "linear_decay", 60
	s, err := train.Run(context.Background(), l, config, train.Options{})
	if err != nil {
		t.Fatal(err)
	}
	loss := s.Valid["loss"]
	if !(loss < 2) { // of 8 bits a byte
		t.Errorf("loss %g bits per byte after training", loss)
	}
	if ppl := s.Valid["ppl"]; math.Abs(ppl-math.Exp2(loss)) > 1e-9*ppl {
		t.Errorf("perplexity %g for %g bits", ppl, loss)
	}
	o := DefaultEvalOptions()
	o.Subset = "valid"
	if e, _ := evaluateText(t, l.Model(), d, o); math.Abs(e.Loss-loss) > 1e-5 || e.Tokens != 1000 {
		t.Errorf("evaluated %g of %d bytes, want %g of 1000", e.Loss, e.Tokens, loss)
	}
}

// A batch of training has the reference's loss and size, whichever the unit.
func TestLanguageModellingStats(t *testing.T) {
	d := DefaultDataConfig()
	d.Text, d.BatchSize, d.SentenceAvg = writeText(t, 3000), 4, true
	l, err := NewTask(d, smallLanguageModel(t))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	epoch, err := l.Epoch(1)
	if err != nil {
		t.Fatal(err)
	}
	b, err := epoch.Batch(0)
	if err != nil {
		t.Fatal(err)
	}
	r, err := b.Loss(autograd.NewTape())
	if err != nil {
		t.Fatal(err)
	}
	s := r.Host()
	if s.SampleSize != 4 || s.Sentences != 4 || s.Tokens != 4*32 || s.NLL != s.Loss {
		t.Errorf("stats %+v", s)
	}
	// An untrained model knows nothing: about log 260 a byte.
	if per := s.NLL / s.Tokens; math.Abs(per-math.Log(260)) > 2 {
		t.Errorf("%g nats a byte before training", per)
	}
}

func TestLanguageErrors(t *testing.T) {
	m := openLanguageModel(t, "lm_enwik8", nil)
	text := writeText(t, 100)
	dict := filepath.Join(goldenDir("lm_enwik8"), "text", "dict.txt")
	latin := filepath.Join(t.TempDir(), "latin")
	if err := os.WriteFile(latin, []byte("na\xefve"), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		change func(*DataConfig, *EvalOptions)
		want   string
	}{
		{func(d *DataConfig, _ *EvalOptions) { *d = goldenText("lm_wikitext103") }, "the dictionary has 5368 symbols and the model 112"},
		{func(d *DataConfig, _ *EvalOptions) { d.Data = "" }, "no text is given"},
		{func(d *DataConfig, _ *EvalOptions) { d.Text = text }, "want one of them"},
		{func(d *DataConfig, _ *EvalOptions) { d.Data = t.TempDir() }, "dict.txt"},
		{func(d *DataConfig, _ *EvalOptions) { d.ValidBlock = "5" }, "want splits:N"},
		{func(d *DataConfig, _ *EvalOptions) { d.SampleBreakMode = "lines" }, "unknown sample break mode"},
		{func(d *DataConfig, _ *EvalOptions) { d.ShortenMethod = "random_crop" }, "want none or truncate"},
		{func(_ *DataConfig, o *EvalOptions) { o.Subset = "train" }, "no such file"},
		{func(_ *DataConfig, o *EvalOptions) { o.Subset = "" }, "no name of a split is given"},
		{func(_ *DataConfig, o *EvalOptions) { o.ChunkNums = 0 }, "want at least 1 of 1"},
		{func(_ *DataConfig, o *EvalOptions) { o.ContextWindow = -1 }, "none may be negative"},
		{func(d *DataConfig, _ *EvalOptions) { d.Data, d.Text, d.TextHeldOut = "", text, 0.5 }, "below 0.5"},
		{func(d *DataConfig, _ *EvalOptions) {
			d.Data, d.Text, d.Dict, d.TextHeldOut = "", text, dict, 0.001
		}, "no tokens 100 to 100"},
		{func(d *DataConfig, o *EvalOptions) {
			d.Data, d.Text, d.Dict, o.Subset = "", text, dict, "dev"
		}, `no split "dev"`},
		{func(d *DataConfig, _ *EvalOptions) { d.Data, d.Text, d.Dict = "", latin, dict }, "1 bytes of the text are not in the dictionary"},
	} {
		d, o := goldenText("lm_enwik8"), DefaultEvalOptions()
		c.change(&d, &o)
		corpus, err := OpenCorpus(d)
		if err == nil {
			_, err = Evaluate(context.Background(), train.NewEvaluator(train.Alone{}, nil), m, corpus, o, &bytes.Buffer{})
			corpus.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want one with %q", err, c.want)
		}
	}
	d := goldenText("lm_enwik8")
	d.Task = "masked_lm"
	if _, err := NewTask(d, m.Config()); err == nil || !strings.Contains(err.Error(), `task is "masked_lm", want language_modeling`) {
		t.Error(err)
	}
}

// A plain text is parted into what is trained on and what is held out.
func TestByteCorpus(t *testing.T) {
	d := DefaultDataConfig()
	d.Text, d.TextHeldOut = writeText(t, 1000), 0.1
	c, err := OpenCorpus(d)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if c.Dictionary.Len() != bytetext.Dictionary().Len() {
		t.Errorf("a dictionary of %d", c.Dictionary.Len())
	}
	for split, want := range map[string]int{"train": 800, "valid": 100, "test": 100, "all": 1000} {
		l, err := c.open(split, 0)
		if err != nil || l.Size(0) != want || !c.Has(split) {
			t.Errorf("split %s: %d bytes, %v, want %d", split, l.Size(0), err, want)
		}
	}
	if c.Has("dev") {
		t.Error("there is a split dev")
	}
}

// TestCheckpointData: what a checkpoint says wrongly of its text is told with its name.
func TestCheckpointData(t *testing.T) {
	for text, want := range map[string]string{
		`{"valid_block": "size:1000 0000"}`: `run: valid block "size:1000 0000", want splits:N`,
		`{"sample_break_mode": "lines"}`:    `run: unknown sample break mode "lines", want`,
	} {
		c := &checkpoint.Checkpoint{Path: "run", Task: checkpoint.LanguageModelling, Data: json.RawMessage(text)}
		d := DefaultDataConfig()
		if err := CheckpointData(c, &d); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: got %v", text, err)
		}
	}
}
