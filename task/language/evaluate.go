package language

import (
	"context"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/mega-go/mega"
	"github.com/mega-go/mega/autograd"
	"github.com/mega-go/mega/data"
	"github.com/mega-go/mega/data/blocks"
	"github.com/mega-go/mega/data/plaintext"
	"github.com/mega-go/mega/internal/cuda/device"
	"github.com/mega-go/mega/train"
)

// EvalOptions say how Evaluate reads a split. The JSON names are the reference's
// argument names (options.py:561).
type EvalOptions struct {
	Subset        string `json:"gen_subset" help:"split to evaluate"`
	TestChunkSize int    `json:"test_chunk_size" help:"unit of the windows that documents are read in; what the model attends to is its own chunk"`
	ChunkNums     int    `json:"chunk_nums" help:"units in a window"`
	ContextWindow int    `json:"context_window" help:"tokens before a document that are read first and not predicted"`
	SoftmaxBatch  int    `json:"softmax_batch" range:"0,9223372036854775807" help:"positions whose scores of all words are held at a time; 0 for a modest memory"`
	BatchSize     int    `json:"batch_size" help:"documents read side by side; 0 for a modest memory"`

	WordProbs bool   `json:"output_word_probs" help:"print every word with its log-probability"`
	WordStats bool   `json:"output_word_stats" help:"print for every kind of word: the word, how often, the sum of its log-probabilities, whether it was joined from pieces, the sum of the log-probabilities of next words, and how many there were"`
	RemoveBPE string `json:"remove_bpe" help:"join pieces that end in this mark to words"`
}

// DefaultEvalOptions returns the reference's defaults.
func DefaultEvalOptions() EvalOptions {
	return EvalOptions{Subset: "test", TestChunkSize: 1024, ChunkNums: 1}
}

// An Evaluation says how well a language model predicts a text.
type Evaluation struct {
	Split           string     `json:"split"`
	Documents       int        `json:"documents"`
	Tokens          int        `json:"tokens"` // </s> included; words, if put together of pieces
	Seconds         float64    `json:"seconds"`
	TokensPerSecond float64    `json:"tokens_per_s"`
	Loss            float64    `json:"loss"` // in bits per token
	Perplexity      float64    `json:"ppl"`
	BitsPerByte     float64    `json:"bits_per_byte,omitempty"` // of text in pieces; models of other pieces compare by it
	Words           []WordStat `json:"words,omitempty"`         // with WordStats, the most frequent first
}

// Evaluate runs a model over the documents of a split, each read in
// windows with the state carried from one to the next, as the reference does
// (fairseq_cli/eval_mega_lm.py). Windows make no difference to the result. Words
// and their log-probabilities go to words if the options want them. Processes share
// the batches of documents.
func Evaluate(ctx context.Context, ev *train.Evaluator, m *mega.LanguageModel, c *Corpus, o EvalOptions, words io.Writer) (_ *Evaluation, err error) {
	e := &evaluation{model: m, options: o, tape: m.Params().NewTape(), ev: ev}
	defer device.Finish(&err, e.tape.Close)
	if err := e.open(c); err != nil {
		return nil, err
	}
	if m.BF16() {
		e.tape.SetBF16(true)
		defer m.Freeze()()
	}
	e.words = newWordScores(c.Dictionary, o, words)
	start := time.Now()
	scored, err := e.share(ctx)
	if err != nil {
		return nil, err
	}
	for i := range e.epoch.Len() {
		score := e.read
		if scored != nil {
			score = known(scored[i])
		}
		if err := e.run(ctx, i, score); err != nil {
			return nil, err
		}
	}
	if e.words.count == 0 {
		return nil, fmt.Errorf("split %s: there is nothing to predict", o.Subset)
	}
	seconds := time.Since(start).Seconds()
	loss := -e.words.sum / float64(e.words.count) / math.Ln2
	sum := &Evaluation{
		Split: o.Subset, Documents: e.epoch.Blocks.Len(), Tokens: e.words.count, Seconds: seconds,
		TokensPerSecond: float64(e.words.count) / seconds, Loss: loss, Perplexity: math.Exp2(loss), Words: e.words.ranking(),
	}
	if e.bytes > 0 {
		sum.BitsPerByte = -e.words.sum / float64(e.bytes) / math.Ln2
	}
	return sum, nil
}

// Evaluate runs a model over a split of the task's data, in windows of the model's
// chunks.
func (l *Task) Evaluate(ctx context.Context, m *mega.LanguageModel, split string) (*Evaluation, error) {
	o := DefaultEvalOptions()
	o.Subset = split
	return Evaluate(ctx, train.NewEvaluator(train.Alone{}, nil), m, l.corpus, o, nil)
}

// CheckEvaluation fails where Evaluate would for want of fitting data.
func (l *Task) CheckEvaluation(split string) error {
	o := DefaultEvalOptions()
	o.Subset = split
	return (&evaluation{model: l.model, options: o}).open(l.corpus)
}

// evaluation is one call of Evaluate.
type evaluation struct {
	model   *mega.LanguageModel
	options EvalOptions
	epoch   *blocks.Epoch
	tape    *autograd.Tape
	words   *wordScores
	codec   *plaintext.Codec // nil but for pieces
	bytes   int              // that the predicted pieces stand for
	done    int              // columns read
	ev      *train.Evaluator
}

// evalTokens is about how many tokens are read side by side if the options do
// not say.
const evalTokens = 1 << 14

func (e *evaluation) window() int { return e.options.TestChunkSize * e.options.ChunkNums }

// open opens the split's documents.
func (e *evaluation) open(c *Corpus) error {
	o, m := e.options, e.model.Config()
	switch {
	case o.TestChunkSize < 1 || o.ChunkNums < 1:
		return fmt.Errorf("windows of %d times test_chunk_size %d, want at least 1 of 1", o.ChunkNums, o.TestChunkSize)
	case o.ContextWindow < 0 || o.SoftmaxBatch < 0 || o.BatchSize < 0:
		return fmt.Errorf("context_window %d, softmax_batch %d, batch_size %d: none may be negative", o.ContextWindow, o.SoftmaxBatch, o.BatchSize)
	}
	if err := c.Dictionary.Check(m.VocabSize); err != nil {
		return err
	}
	if c.codec != nil && c.codec.Pieces() {
		e.codec = c.codec
	}
	cut, err := c.options(o.Subset, m.DecoderChunkSize, m.Seed)
	if err != nil {
		return err
	}
	cut.Context = o.ContextWindow
	rows := o.BatchSize
	if rows == 0 {
		rows = max(1, evalTokens/e.window())
	}
	e.epoch, err = c.documents(o.Subset, cut, blocks.Batching{
		SamplerOptions: data.SamplerOptions{BatchSize: rows, Seed: uint32(m.Seed)},
	})
	return err
}

// A windowScorer returns the log-probabilities of a window's targets, of the batch for
// which it was made, window after window.
type windowScorer func(w *blocks.Batch) ([]float64, error)

// run takes in a batch of documents.
func (e *evaluation) run(ctx context.Context, i int, scorer func(rows int) windowScorer) error {
	return e.eachWindow(ctx, i, scorer, func(w *blocks.Batch, scores []float64) {
		for row, id := range w.IDs {
			from := row * w.Length
			e.count(w.Tokens[from:from+w.Length], w.Targets[from:from+w.Length])
			e.words.add(id, w.Targets[from:from+w.Length], scores[from:from+w.Length])
		}
	})
}

// eachWindow scores the windows of a batch and calls take with each.
func (e *evaluation) eachWindow(ctx context.Context, i int, scorer func(rows int) windowScorer, take func(w *blocks.Batch, scores []float64)) error {
	b, err := e.epoch.Batch(i)
	if err != nil {
		return err
	}
	score := scorer(b.Rows)
	for w := range b.Windows(e.window()) {
		if err := ctx.Err(); err != nil {
			return err
		}
		scores, err := score(w)
		if err != nil {
			return err
		}
		take(w, scores)
	}
	return nil
}

// read returns a scorer that runs the model.
func (e *evaluation) read(rows int) windowScorer {
	s := e.model.NewBatch(rows)
	return func(w *blocks.Batch) ([]float64, error) {
		x, err := s.Features(w.Tokens)
		if err != nil {
			return nil, err
		}
		e.done += w.NumTokens()
		e.ev.Tick(e.done, e.epoch.Blocks.Total())
		return e.model.TargetLogProbs(e.tape, x, w.Targets, e.options.SoftmaxBatch)
	}
}

// known returns a scorer of a batch whose windows were scored before.
func known(windows [][]float64) func(rows int) windowScorer {
	return func(int) windowScorer {
		return func(*blocks.Batch) (next []float64, err error) {
			next, windows = windows[0], windows[1:]
			return next, nil
		}
	}
}

// share lets the processes score the batches, which go round them, and returns the
// log-probabilities of each, window by window; nil for a process alone. Batches are not
// cut further: what is added up in which order, and so the last bits, depends on them.
func (e *evaluation) share(ctx context.Context) ([][][]float64, error) {
	comm := e.ev.Communicator()
	if comm.Size() == 1 {
		return nil, nil
	}
	var mine [][][]float64
	for i := comm.Rank(); i < e.epoch.Len(); i += comm.Size() {
		var windows [][]float64
		err := e.eachWindow(ctx, i, e.read, func(_ *blocks.Batch, scores []float64) { windows = append(windows, scores) })
		if err != nil {
			return nil, err
		}
		mine = append(mine, windows)
	}
	return train.Collect(comm, "log-probabilities", mine, e.epoch.Len())
}

// count adds up the bytes of targets, each the piece after an input.
func (e *evaluation) count(inputs, targets []int32) {
	if e.codec == nil {
		return
	}
	var text []byte
	for i, id := range targets {
		text = e.codec.Append(text[:0], inputs[i], id)
		e.bytes += len(text)
	}
}

// Finite reports whether the loss is a number.
func (e *Evaluation) Finite() bool { return !math.IsNaN(e.Loss) && !math.IsInf(e.Loss, 0) }

// perByte says how many bits a byte takes, if that is known.
func perByte(bits float64) string {
	if bits == 0 {
		return ""
	}
	return fmt.Sprintf(", %.4f bits per byte", bits)
}

// Line returns the evaluation in a line.
func (e *Evaluation) Line() string {
	return fmt.Sprintf("%s: loss %.4f bits per token of %d, perplexity %.2f%s", e.Split, e.Loss, e.Tokens, e.Perplexity, perByte(e.BitsPerByte))
}

// WriteText writes the evaluation as the reference does, and the statistics of
// words after it.
func (e *Evaluation) WriteText(w io.Writer) error {
	fmt.Fprintf(w, "Evaluated %d tokens in %.1fs (%.2f tokens/s)\n", e.Tokens, e.Seconds, e.TokensPerSecond)
	_, err := fmt.Fprintf(w, "Loss (base 2): %.4f, Perplexity: %.2f%s\n", e.Loss, e.Perplexity, perByte(e.BitsPerByte))
	for _, s := range e.Words {
		fmt.Fprintln(w, s)
	}
	return err
}
