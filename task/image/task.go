package image

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mega-go/mega"
	"github.com/mega-go/mega/autograd"
	"github.com/mega-go/mega/checkpoint"
	"github.com/mega-go/mega/data"
	"github.com/mega-go/mega/data/images"
	"github.com/mega-go/mega/nn"
	"github.com/mega-go/mega/train"
)

// The splits of the data.
const (
	trainSplit = "train"
	validSplit = "valid"
)

// Task trains a Vision on pictures. It implements train.Task; the loss is the
// cross-entropy of soft targets, in evaluation that of the classes, with the weights
// of the classes, if they have some.
type Task struct {
	model        *mega.Vision
	config       DataConfig
	augmentation images.Augmentation
	train, valid *images.Set
	weights      []float32 // of the classes in the loss, nil for none
}

// NewTask opens the data and makes a model of as many classes as it has.
func NewTask(d DataConfig, m mega.VisionConfig) (*Task, error) {
	t := &Task{config: d}
	var err error
	if t.augmentation, err = d.augmentation(); err != nil {
		return nil, err
	}
	if d.Data == "" {
		return nil, errors.New("no data is given, want a directory of pictures in folders named for their classes")
	}
	if t.train, t.valid, err = images.OpenSplits(d.Data, d.heldOut(), m.Seed); err != nil {
		return nil, err
	}
	counts := make([]int, len(t.train.Classes))
	for _, label := range t.train.Labels() {
		counts[label]++
	}
	if t.weights, err = data.ClassWeights(d.ClassWeights, t.train.Classes, counts); err != nil {
		return nil, err
	}
	m.NumClasses = len(t.train.Classes)
	t.model, err = mega.NewVision(m)
	return t, err
}

// Model returns the model.
func (t *Task) Model() *mega.Vision { return t.model }

// Classes names the classes.
func (t *Task) Classes() []string { return t.train.Classes }

// Summary says in words what the data is.
func (t *Task) Summary() string {
	s := fmt.Sprintf("%d pictures of %d classes, %d held out", t.train.Len(), len(t.train.Classes), t.valid.Len())
	if t.weights != nil {
		s += fmt.Sprintf(", weights of classes from %.4g to %.4g", slices.Min(t.weights), slices.Max(t.weights))
	}
	return s
}

// Has reports whether the data has a split.
func (t *Task) Has(split string) bool { return split == trainSplit || split == validSplit }

// Subsets names the splits to evaluate and to validate on.
func (t *Task) Subsets() (test, valid string) { return "test", validSplit }

// CheckEvaluation fails where evaluating on a split would.
func (t *Task) CheckEvaluation(string) error {
	if t.valid.Len() == 0 {
		return fmt.Errorf("%s: no pictures to validate on, want DIR/val/CLASS, or held_out above 0", t.config.Data)
	}
	return nil
}

// Close implements the commands' tasks: there is nothing to close.
func (t *Task) Close() error { return nil }

// Params implements train.Task.
func (t *Task) Params() *nn.Params { return t.model.Params() }

// Undecayed implements train.Undecayer (timm/optim/optim_factory.py:31-45).
func (t *Task) Undecayed(p *nn.Parameter) bool {
	return p.Name == "pos_embed" || strings.HasSuffix(p.Name, ".bias") || strings.HasSuffix(p.Name, ".weight") && len(p.Shape()) == 1
}

// Skipped implements train.Skipper.
func (t *Task) Skipped() []error { return append(t.train.NewlySkipped(), t.valid.NewlySkipped()...) }

// Epoch implements train.Task.
func (t *Task) Epoch(n int) (train.Batches, error) {
	c := t.model.Config()
	return batches{t.model, t.train.Training(t.config.view(c), t.augmentation, t.config.BatchSize, c.Seed, n), t.weights}, nil
}

// Metrics implements train.Task.
func (t *Task) Metrics(s train.Stats) train.Metrics {
	return train.Metrics{"loss": s.LossBase2(), "accuracy": s.Accuracy()}
}

// Validate implements train.Task.
func (t *Task) Validate(ctx context.Context, e *train.Evaluator) (train.Metrics, error) {
	held := heldOut(t.model, t.config, t.valid)
	held.weights = t.weights
	s, err := e.Run(ctx, held)
	if err == nil && s.Sentences == 0 {
		err = errNoneRead(t.valid)
	}
	m := t.Metrics(s)
	m["top5"] = s.Top5Accuracy()
	return m, err
}

// Describe implements train.Task.
func (t *Task) Describe() train.Description {
	return train.Description{
		Task: checkpoint.ImageClassification, Model: t.model.Config(), Data: trainedOn{t.config, t.Classes()},
		Metrics: []string{"loss", "accuracy", "top5"}, Paths: []string{t.config.Data}, Splits: []string{trainSplit, validSplit},
	}
}

// heldOut returns pictures as evaluation reads them.
func heldOut(m *mega.Vision, d DataConfig, s *images.Set) batches {
	return batches{m, s.Evaluation(d.view(m.Config()), d.validSize()), nil}
}

// batches joins pictures and the model that reads them.
type batches struct {
	model *mega.Vision
	*images.Batches
	weights []float32 // of the classes, nil for none
}

// Batch implements train.Batches.
func (b batches) Batch(i int) (train.Batch, error) {
	data, err := b.Batches.Batch(i)
	return batch{b.model, data, b.weights}, err
}

// A batch is one forward pass.
type batch struct {
	model   *mega.Vision
	data    *images.Batch
	weights []float32
}

// images returns what the model reads.
func (b batch) images() *mega.Images {
	return &mega.Images{Rows: b.data.Rows, Side: b.data.Side, Pixels: b.data.Pixels}
}

// Loss implements train.Batch.
func (b batch) Loss(t *autograd.Tape) (train.Result, error) {
	if b.data.Rows == 0 { // in evaluation
		return train.Result{Host: func() train.Stats { return train.Stats{} }}, nil
	}
	s := train.BatchStats(b.data.Rows, b.data.Rows, true)
	loss, err := b.loss(t, &s)
	if err != nil {
		return train.Result{}, err
	}
	return s.Result(loss, true), nil
}

// loss is the loss of soft targets, or of classes, whose five likeliest it counts.
func (b batch) loss(t *autograd.Tape, s *train.Stats) (autograd.Loss, error) {
	if b.data.Targets != nil {
		return b.model.Loss(t, b.images(), b.weighted(b.data.Targets))
	}
	logits, err := b.model.Forward(t, b.images())
	if err != nil {
		return autograd.Loss{}, err
	}
	s.Top5 = float64(amongFive(t, logits, b.data.Labels))
	if b.weights != nil {
		return t.WeightedCrossEntropy(logits, b.data.Labels, b.weights), nil
	}
	const none = -1
	return t.CrossEntropy(logits, b.data.Labels, none, 0), nil
}

// weighted multiplies targets [B, classes] by the weights of the classes.
func (b batch) weighted(targets []float32) []float32 {
	if b.weights == nil {
		return targets
	}
	out := make([]float32, len(targets))
	for i, target := range targets {
		out[i] = target * b.weights[i%len(b.weights)]
	}
	return out
}

// amongFive counts the labels that are among the five likeliest classes.
func amongFive(t *autograd.Tape, logits *autograd.Variable, labels []int32) (n int) {
	const top = 5
	for _, rank := range t.Ranks(logits, labels) {
		if rank < top {
			n++
		}
	}
	return n
}
