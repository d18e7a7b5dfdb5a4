package language

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/mega-go/mega"
	"github.com/mega-go/mega/autograd"
	"github.com/mega-go/mega/checkpoint"
	"github.com/mega-go/mega/data"
	"github.com/mega-go/mega/data/blocks"
	"github.com/mega-go/mega/nn"
	"github.com/mega-go/mega/train"
)

// Task trains a LanguageModel on blocks of text and validates it on
// documents that are read window by window with the model's state carried, as
// the reference does (fairseq_cli/train.py:361-427). It implements train.Task;
// the loss is the model's: cross_entropy, or adaptive_loss with an adaptive
// softmax.
type Task struct {
	model  *mega.LanguageModel
	config DataConfig
	corpus *Corpus
	train  []*blocks.Epochs // one for each directory of data
	valid  []*blocks.Epoch  // one for each subset of the configuration
}

// NewTask opens the data, makes a model for its dictionary and
// returns the task. Close it when done.
func NewTask(d DataConfig, m mega.LanguageModelConfig) (*Task, error) {
	if d.Task != "" && d.Task != checkpoint.LanguageModelling {
		return nil, fmt.Errorf("task is %q, want %s for a language model", d.Task, checkpoint.LanguageModelling)
	}
	if err := d.PackPieces(); err != nil {
		return nil, err
	}
	corpus, err := OpenCorpus(d)
	if err != nil {
		return nil, err
	}
	l := &Task{config: d, corpus: corpus}
	m.VocabSize = corpus.Dictionary.Len()
	if l.model, err = mega.NewLanguageModel(m); err == nil {
		if err = l.openTrain(); err == nil {
			err = l.openValid()
		}
	}
	if err != nil {
		corpus.Close()
		return nil, err
	}
	return l, nil
}

func (l *Task) openTrain() error {
	d, m := l.config, l.model.Config()
	o, err := l.corpus.options(d.TrainSubset, m.DecoderChunkSize, m.Seed)
	if err != nil {
		return err
	}
	b := blocks.Batching{SamplerOptions: l.sampling(d.BatchSize, d.MaxTokens, true), MaxPositions: m.MaxTargetPositions}
	if d.MaxTokens > 0 {
		b.MaxPositions = min(b.MaxPositions, d.MaxTokens)
	}
	for dir := range max(1, len(l.corpus.dirs)) {
		text, err := l.corpus.open(d.TrainSubset, dir)
		if err != nil {
			return err
		}
		epochs, err := blocks.NewEpochs(text, o, b)
		if err != nil {
			return fmt.Errorf("split %s: %w", d.TrainSubset, err)
		}
		l.train = append(l.train, epochs)
	}
	return nil
}

func (l *Task) openValid() error {
	d, m := l.config, l.model.Config()
	rows := d.MaxSentencesValid
	if rows == 0 {
		rows = max(1, d.BatchSize, d.MaxTokens/l.window())
	}
	for _, subset := range d.validSubsets() {
		o, err := l.corpus.options(subset, m.DecoderChunkSize, m.Seed)
		if err != nil {
			return err
		}
		e, err := l.corpus.documents(subset, o, blocks.Batching{SamplerOptions: l.sampling(rows, 0, false)})
		if err != nil {
			return err
		}
		l.valid = append(l.valid, e)
	}
	return nil
}

func (l *Task) sampling(size, tokens int, shuffle bool) data.SamplerOptions {
	return data.SamplerOptions{
		BatchSize: size, MaxTokens: tokens, Multiple: l.config.RequiredMultiple,
		Seed: uint32(l.model.Config().Seed), Shuffle: shuffle,
	}
}

// window is how many tokens of a document are read at once in validation.
func (l *Task) window() int {
	if chunk := l.model.Config().DecoderChunkSize; chunk > 0 {
		return chunk
	}
	return l.config.TokensPerSample
}

// Model returns the language model.
func (l *Task) Model() *mega.LanguageModel { return l.model }

// Summary says in words what the data is.
func (l *Task) Summary() string { return fmt.Sprintf("%d kinds of tokens", l.corpus.Dictionary.Len()) }

// Has reports whether the data has a split.
func (l *Task) Has(split string) bool { return l.corpus.Has(split) }

// Subsets names the splits to evaluate and to validate on.
func (l *Task) Subsets() (test, valid string) { return l.config.TestSubset, l.config.ValidSubset }

// Close closes the data.
func (l *Task) Close() error { return l.corpus.Close() }

// Params implements train.Task.
func (l *Task) Params() *nn.Params { return l.model.Params() }

// Epoch implements train.Task.
func (l *Task) Epoch(n int) (train.Batches, error) {
	e, err := l.train[(n-1)%len(l.train)].Epoch(n)
	if err != nil {
		return nil, err
	}
	return batches(e, l.loss), nil
}

// Metrics implements train.Task. The loss is in bits per token, which for bytes
// are bits per byte; ppl is the perplexity.
func (l *Task) Metrics(s train.Stats) train.Metrics {
	return train.Metrics{"loss": s.LossBase2(), "ppl": math.Exp2(s.NLLBase2())}
}

// Validate implements train.Task.
func (l *Task) Validate(ctx context.Context, e *train.Evaluator) (train.Metrics, error) {
	return train.MeasureSubsets(l.config.validSubsets(), func(i int) (train.Metrics, error) {
		s, err := e.Run(ctx, batches(l.valid[i], l.documentLoss))
		return l.Metrics(s), err
	})
}

// Describe implements train.Task.
func (l *Task) Describe() train.Description {
	return train.Description{
		Task: checkpoint.LanguageModelling, Model: l.model.Config(), Data: l.config, Metrics: train.SubsetMetrics(l.config.validSubsets(), "loss", "ppl"),
		Paths:  slices.DeleteFunc(append(append(strings.Split(l.config.Data, ":"), l.corpus.files...), l.config.Dict), func(path string) bool { return path == "" }),
		Splits: append([]string{l.config.TrainSubset}, l.config.validSubsets()...),
	}
}

// batches joins blocks of text and what computes the loss of a batch of them.
func batches(e *blocks.Epoch, loss func(t *autograd.Tape, b *blocks.Batch) (train.Result, error)) train.Batches {
	return train.BatchesOf(e.Len(), e.Batch, loss)
}

// result returns what a loss says of some blocks.
func (l *Task) result(loss autograd.Loss, b *blocks.Batch) train.Result {
	return train.BatchStats(b.Rows, b.NumTokens(), l.config.SentenceAvg).Result(loss, false)
}

// loss is that of a batch in training.
func (l *Task) loss(t *autograd.Tape, b *blocks.Batch) (train.Result, error) {
	loss, err := l.model.Loss(t, b.Tokens, b.Targets, b.Rows, b.Length)
	if err != nil {
		return train.Result{}, err
	}
	return l.result(loss, b), nil
}

// documentLoss is that of documents that are held out. It has no gradient.
func (l *Task) documentLoss(t *autograd.Tape, b *blocks.Batch) (train.Result, error) {
	s := l.model.NewBatch(b.Rows)
	var sum train.Stats
	for w := range b.Windows(l.window()) {
		x, err := s.Features(w.Tokens)
		if err != nil {
			return train.Result{}, err
		}
		sum.Add(l.result(l.model.FeatureLoss(t, x, w.Targets), w).Host())
		t.Reset()
	}
	if l.config.SentenceAvg {
		sum.SampleSize = float64(b.Rows)
	}
	return train.Result{Host: func() train.Stats { return sum }}, nil
}
