package classify

import (
	"context"
	"fmt"

	"github.com/mega-go/mega"
	"github.com/mega-go/mega/autograd"
	"github.com/mega-go/mega/data"
	"github.com/mega-go/mega/data/labelled"
	"github.com/mega-go/mega/nn"
	"github.com/mega-go/mega/train"
)

// Task trains a Classifier on labelled sequences. It implements train.Task; the
// loss is the reference's lra_cross_entropy, with the weights of the classes, if the
// data has them, in training and in validation.
type Task struct {
	model  *mega.Classifier
	config DataConfig
	corpus *Corpus
	train  batches
	valid  []batches // of each subset of the configuration
}

// NewTask opens the data, makes a model for it and returns the task.
// A text model's vocabulary is the data's.
func NewTask(d DataConfig, m mega.ClassifierConfig) (*Task, error) {
	if d.Task == "" && labelled.IsFile(d.Data) {
		d.Task = TaskLabelled
	}
	corpus, err := OpenCorpus(d, m)
	if err != nil {
		return nil, err
	}
	return NewTaskOn(corpus, d, m)
}

// NewTaskOn is NewTask with data that is open. A model of labelled data has as
// many classes as the data.
func NewTaskOn(corpus *Corpus, d DataConfig, m mega.ClassifierConfig) (*Task, error) {
	if m.Tokens() {
		m.VocabSize = corpus.Vocabulary
	}
	if corpus.Seen != nil {
		m.SentenceClassNum = len(corpus.Classes)
	} else if len(d.ClassWeights) > 0 {
		return nil, fmt.Errorf("class_weights is for labelled data, not for task %s", d.Task)
	}
	model, err := mega.NewClassifier(m)
	if err != nil {
		return nil, err
	}
	c := &Task{model: model, config: d, corpus: corpus}
	if c.train, err = c.batches(d.TrainSubset, d.BatchSize, d.MaxTokens, !d.NoShuffle); err != nil {
		return nil, err
	}
	size, tokens := d.validSize()
	for _, subset := range d.validSubsets() {
		b, err := c.batches(subset, size, tokens, false)
		if err != nil {
			return nil, err
		}
		c.valid = append(c.valid, b)
	}
	return c, nil
}

// validSubsets returns the splits to validate on.
func (d DataConfig) validSubsets() []string { return train.Subsets(d.ValidSubset) }

// validSize returns the size of batches outside training.
func (d DataConfig) validSize() (sentences, tokens int) {
	sentences, tokens = d.BatchSize, d.MaxTokens
	if d.MaxSentences > 0 {
		sentences = d.MaxSentences
	}
	if d.MaxTokensValid > 0 {
		tokens = d.MaxTokensValid
	}
	return sentences, tokens
}

// naturalOrder reports whether samples are cut into batches in the order of the
// data: if asked for, and for recordings, as in the reference
// (tasks/speech_commands.py).
func (d DataConfig) naturalOrder() bool { return d.NoShuffle || d.Task == "speech_commands" }

// batches opens a split and cuts it into batches.
func (c *Task) batches(split string, size, tokens int, shuffle bool) (batches, error) {
	b, err := newBatches(c.model, c.corpus, split, c.config, data.SamplerOptions{
		BatchSize: size, MaxTokens: tokens, Multiple: c.config.RequiredMultiple,
		Seed: uint32(c.model.Config().Seed), NaturalOrder: c.config.naturalOrder(), Shuffle: shuffle,
	})
	if c.corpus.Seen != nil {
		b.weights = c.corpus.Seen.Weights()
	}
	return b, err
}

// Model returns the classifier.
func (c *Task) Model() *mega.Classifier { return c.model }

// Corpus returns the data.
func (c *Task) Corpus() *Corpus { return c.corpus }

// Summary says in words what the data is.
func (c *Task) Summary() string {
	classes := fmt.Sprintf("%d classes", c.model.Config().SentenceClassNum)
	if c.corpus.Vocabulary == 0 {
		return classes
	}
	return fmt.Sprintf("%d kinds of symbols, %s", c.corpus.Vocabulary, classes)
}

// Has reports whether the data has a split.
func (c *Task) Has(split string) bool { return c.corpus.Has(split) }

// Subsets names the splits to evaluate and to validate on.
func (c *Task) Subsets() (test, valid string) { return c.config.TestSubset, c.config.ValidSubset }

// Close closes the data.
func (c *Task) Close() error { return nil }

// Params implements train.Task.
func (c *Task) Params() *nn.Params { return c.model.Params() }

// Epoch implements train.Task.
func (c *Task) Epoch(n int) (train.Batches, error) {
	order, err := c.train.sampler.Batches(n)
	if err != nil {
		return nil, err
	}
	b := c.train
	b.order = order
	return b, nil
}

// Metrics implements train.Task.
func (c *Task) Metrics(s train.Stats) train.Metrics {
	return train.Metrics{"loss": s.LossBase2(), "accuracy": s.Accuracy()}
}

// Validate implements train.Task.
func (c *Task) Validate(ctx context.Context, e *train.Evaluator) (train.Metrics, error) {
	return train.MeasureSubsets(c.config.validSubsets(), func(i int) (train.Metrics, error) {
		s, err := e.Run(ctx, c.valid[i])
		return c.Metrics(s), err
	})
}

// Describe implements train.Task.
func (c *Task) Describe() train.Description {
	data := trainedOn{DataConfig: c.config, Inputs: &c.corpus.Inputs, Seen: c.corpus.Seen}
	if data.Seen != nil {
		data.Digest = data.Seen.Digest
	}
	d := train.Description{
		Task: "classification", Model: c.model.Config(), Data: data, Metrics: train.SubsetMetrics(c.config.validSubsets(), "loss", "accuracy"),
		Splits: append([]string{c.config.TrainSubset}, c.config.validSubsets()...),
	}
	for _, path := range []string{c.config.Data, c.config.ValidFile, c.config.TestFile, c.config.Labels} {
		if path != "" {
			d.Paths = append(d.Paths, path)
		}
	}
	return d
}

// batches is a split cut into batches, in the order of one epoch.
type batches struct {
	model       *mega.Classifier
	split       Split
	sampler     *data.Sampler
	order       [][]int
	sentenceAvg bool
	weights     []float32 // of the classes, nil for none
}

func newBatches(m *mega.Classifier, c *Corpus, split string, d DataConfig, o data.SamplerOptions) (batches, error) {
	s, err := c.Open(split)
	if err != nil {
		return batches{}, err
	}
	sampler, err := data.NewSampler(s, o)
	if err != nil {
		return batches{}, fmt.Errorf("split %s: %w", split, err)
	}
	order, err := sampler.Batches(1)
	return batches{m, s, sampler, order, d.SentenceAvg, nil}, err
}

// Len implements train.Batches.
func (b batches) Len() int { return len(b.order) }

// Batch implements train.Batches.
func (b batches) Batch(i int) (train.Batch, error) {
	collated, err := b.split.Collate(b.order[i])
	if err != nil {
		return nil, err
	}
	return batch{b.model, collated, b.sentenceAvg, b.weights}, nil
}

// A batch is one forward pass of a classifier.
type batch struct {
	model       *mega.Classifier
	data        *data.Batch
	sentenceAvg bool
	weights     []float32
}

// Loss implements train.Batch.
func (b batch) Loss(t *autograd.Tape) (train.Result, error) {
	loss, err := b.model.WeightedLoss(t, input(b.data), b.data.Labels, b.weights)
	if err != nil {
		return train.Result{}, err
	}
	return train.BatchStats(b.data.Rows, b.data.NumTokens(), b.sentenceAvg).Result(loss, true), nil
}

// input returns a batch as the model reads it.
func input(b *data.Batch) *mega.Input {
	if b == nil {
		return nil
	}
	return &mega.Input{
		Rows: b.Rows, Length: b.Length, Tokens: b.Tokens, Samples: b.Samples,
		Lengths: b.Lengths, Pair: input(b.Pair),
	}
}
