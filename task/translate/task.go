package translate

import (
	"context"
	"fmt"
	"math"
	"strings"

	"github.com/mega-go/mega"
	"github.com/mega-go/mega/autograd"
	"github.com/mega-go/mega/checkpoint"
	"github.com/mega-go/mega/data/pairs"
	"github.com/mega-go/mega/nn"
	"github.com/mega-go/mega/train"
)

// Task trains a Translator on sentence pairs and validates it by its loss
// and, if asked for, by the BLEU of its translations (fairseq
// tasks/translation.py). It implements train.Task; the loss is cross_entropy or
// label_smoothed_cross_entropy.
type Task struct {
	model     *mega.Translator
	config    DataConfig
	corpus    *Corpus
	smoothing float64
	train     []batches       // one for each directory of data
	valid     []batches       // of each subset of the configuration
	bleu      *bleuEvaluation // nil unless wanted
	skipped   int
}

// NewTask opens the data, makes a model for its dictionaries and returns
// the task. Close it when done.
func NewTask(d DataConfig, m mega.TranslatorConfig) (*Task, error) {
	if d.Task != "" && d.Task != checkpoint.Translation {
		return nil, fmt.Errorf("task is %q, want %s for a translator", d.Task, checkpoint.Translation)
	}
	corpus, err := OpenCorpus(d)
	if err != nil {
		return nil, err
	}
	d.SourceLang, d.TargetLang = corpus.SourceLang, corpus.TargetLang
	if corpus.Pieces != nil {
		d.PieceModel = corpus.Pieces.Packed()
	}
	t := &Task{config: d, corpus: corpus}
	if err := t.open(m); err != nil {
		corpus.Close()
		return nil, err
	}
	return t, nil
}

func (t *Task) open(m mega.TranslatorConfig) (err error) {
	d := t.config
	if t.smoothing, err = d.smoothing(); err != nil {
		return err
	}
	m.SourceVocabSize, m.TargetVocabSize = t.corpus.Source.Len(), t.corpus.Target.Len()
	if err := t.corpus.checkShared(m); err != nil {
		return err
	}
	if t.model, err = mega.NewTranslator(m); err != nil {
		return err
	}
	for dir := range t.corpus.dirs {
		b, err := t.batches(d.TrainSubset, dir, d.BatchSize, d.MaxTokens)
		if err != nil {
			return err
		}
		t.skipped += len(b.sampler.Skipped())
		t.train = append(t.train, b)
	}
	size, tokens := d.validSize()
	for _, subset := range d.validSubsets() {
		b, err := t.batches(subset, 0, size, tokens)
		if err != nil {
			return err
		}
		t.valid = append(t.valid, b)
	}
	if d.EvalBLEU {
		t.bleu, err = newBLEUEvaluation(d)
	}
	return err
}

// validSubsets returns the splits to validate on.
func (c DataConfig) validSubsets() []string { return train.Subsets(c.ValidSubset) }

// validSize returns the size of batches outside training.
func (c DataConfig) validSize() (sentences, tokens int) {
	sentences, tokens = c.BatchSize, c.MaxTokens
	if c.MaxSentencesValid > 0 {
		sentences = c.MaxSentencesValid
	}
	if c.MaxTokensValid > 0 {
		tokens = c.MaxTokensValid
	}
	return sentences, tokens
}

// batches opens a split and cuts it into batches.
func (t *Task) batches(split string, dir, size, tokens int) (batches, error) {
	s, err := t.corpus.open(split, dir, t.model.Config())
	if err != nil {
		return batches{}, err
	}
	if !s.HasTargets() {
		return batches{}, fmt.Errorf("%s: split %s has no targets (%s)", t.corpus.Path, split, t.corpus.TargetLang)
	}
	sampler, err := t.corpus.sampler(s, split, t.model.Config(), size, tokens)
	if err != nil {
		return batches{}, err
	}
	order, err := sampler.Batches(1)
	return batches{t, s, sampler, order}, err
}

// Model returns the translator.
func (t *Task) Model() *mega.Translator { return t.model }

// Summary says in words what the data is.
func (t *Task) Summary() string {
	c := t.corpus
	what := fmt.Sprintf("%s to %s, %d and %d kinds of tokens", c.SourceLang, c.TargetLang, c.Source.Len(), c.Target.Len())
	if t.skipped > 0 {
		what += fmt.Sprintf(", %d pairs for training left out as too long", t.skipped)
	}
	return what
}

// Has reports whether the data has a split.
func (t *Task) Has(split string) bool { return t.corpus.Has(split) }

// Subsets names the splits to evaluate and to validate on.
func (t *Task) Subsets() (test, valid string) { return t.config.TestSubset, t.config.ValidSubset }

// Close closes the data.
func (t *Task) Close() error { return t.corpus.Close() }

// Params implements train.Task.
func (t *Task) Params() *nn.Params { return t.model.Params() }

// Epoch implements train.Task.
func (t *Task) Epoch(n int) (train.Batches, error) {
	b := t.train[(n-1)%len(t.train)]
	var err error
	b.order, err = b.sampler.Batches(n)
	return b.forward(), err
}

// Metrics implements train.Task. The loss is in bits, label smoothing included;
// nll_loss is without it, and ppl its perplexity.
func (t *Task) Metrics(s train.Stats) train.Metrics {
	return train.Metrics{"loss": s.LossBase2(), "nll_loss": s.NLLBase2(), "ppl": math.Exp2(s.NLLBase2())}
}

// Validate implements train.Task.
func (t *Task) Validate(ctx context.Context, e *train.Evaluator) (train.Metrics, error) {
	return train.MeasureSubsets(t.config.validSubsets(), func(i int) (train.Metrics, error) {
		s, err := e.Run(ctx, t.valid[i].forward())
		if err != nil {
			return nil, err
		}
		m := t.Metrics(s)
		if t.bleu != nil {
			m["bleu"], err = t.bleu.run(ctx, t.valid[i], e)
		}
		return m, err
	})
}

// Describe implements train.Task.
func (t *Task) Describe() train.Description {
	metrics := []string{"loss", "nll_loss", "ppl"}
	if t.config.EvalBLEU {
		metrics = append(metrics, "bleu")
	}
	return train.Description{
		Task: checkpoint.Translation, Model: t.model.Config(), Data: t.config, Metrics: train.SubsetMetrics(t.config.validSubsets(), metrics...),
		Paths: strings.Split(t.config.Data, ":"), Splits: append([]string{t.config.TrainSubset}, t.config.validSubsets()...),
	}
}

// batches is a split cut into batches, in the order of one epoch.
type batches struct {
	task    *Task
	split   *pairs.Split
	sampler *pairs.Sampler
	order   [][]int
}

// forward returns the batches of the epoch as the trainer takes them.
func (b batches) forward() train.Batches {
	read := func(i int) (*pairs.Batch, error) { return b.split.Collate(b.order[i], b.task.config.padding()) }
	return train.BatchesOf(len(b.order), read, b.task.loss)
}

// loss is that of a batch.
func (t *Task) loss(tape *autograd.Tape, b *pairs.Batch) (train.Result, error) {
	source := &mega.Input{Rows: b.Rows, Length: b.SourceLength, Tokens: b.Source}
	shifted := &mega.Input{Rows: b.Rows, Length: b.TargetLength, Tokens: b.PrevOutput}
	loss, err := t.model.Loss(tape, source, shifted, b.Targets, t.smoothing)
	if err != nil {
		return train.Result{}, err
	}
	return train.BatchStats(b.Rows, b.NumTokens(), t.config.SentenceAvg).Result(loss, false), nil
}
