package generate

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/mega-go/mega/autograd"
)

// A Model reads texts side by side, as rows, and says what may come next.
// *mega.Session and *mega.TranslatorSession are models.
type Model interface {
	// Step reads one token of each row and returns the log-probabilities of each
	// row's next token, [rows, V], in memory of the model's that the caller may
	// write to until the next step.
	Step(tokens ...int32) ([]float32, error)
	// Reorder makes row i what row rows[i] was; their number becomes len(rows).
	Reorder(rows ...int) error
}

// An Attentive model tells what it attended to in the step before: the weights
// of a row's source tokens.
type Attentive interface {
	Attention(row int) []float32
}

// workersOf returns the threads that a model computes on, if it tells.
func workersOf(m any) *autograd.Workers {
	if w, ok := m.(interface{ Workers() *autograd.Workers }); ok {
		return w.Workers()
	}
	return nil
}

// Ensemble returns a model whose probabilities are the mean of those of several,
// which take it over (sequence_generator.py, EnsembleModel).
func Ensemble(models ...Model) (Model, error) {
	switch len(models) {
	case 0:
		return nil, errors.New("an ensemble of no models")
	case 1:
		return models[0], nil
	}
	return &ensemble{models: models}, nil
}

type ensemble struct {
	models  []Model
	mean    []float32 // [rows, V]
	scratch []float32
}

// Workers returns the threads that the first model computes on.
func (e *ensemble) Workers() *autograd.Workers { return workersOf(e.models[0]) }

// Step implements Model.
func (e *ensemble) Step(tokens ...int32) ([]float32, error) {
	for i, m := range e.models {
		x, err := m.Step(tokens...)
		if err != nil {
			return nil, fmt.Errorf("model %d of the ensemble: %w", i+1, err)
		}
		if i == 0 {
			e.mean = append(e.mean[:0], x...)
			continue
		}
		if len(x) != len(e.mean) {
			return nil, fmt.Errorf("model %d of the ensemble has a vocabulary of %d, the first one of %d",
				i+1, len(x)/len(tokens), len(e.mean)/len(tokens))
		}
		e.scratch = slices.Grow(e.scratch[:0], len(x))[:len(x)]
		autograd.LogAddExp(e.mean, x, e.scratch)
	}
	share := float32(math.Log(float64(len(e.models))))
	for i := range e.mean {
		e.mean[i] -= share
	}
	return e.mean, nil
}

// Reorder implements Model.
func (e *ensemble) Reorder(rows ...int) error {
	for _, m := range e.models {
		if err := m.Reorder(rows...); err != nil {
			return err
		}
	}
	return nil
}

// Attention implements Attentive by the mean over the models that do, nil if
// none does.
func (e *ensemble) Attention(row int) []float32 {
	var sum []float32
	n := 0
	for _, m := range e.models {
		a, ok := m.(Attentive)
		if !ok {
			continue
		}
		weights := a.Attention(row)
		if sum == nil {
			sum = make([]float32, len(weights))
		}
		for i, w := range weights {
			sum[i] += w
		}
		n++
	}
	for i := range sum {
		sum[i] *= 1 / float32(n)
	}
	return sum
}

// Tempered returns a model whose logarithms are divided by a temperature, and
// normalised again: above 1 it is less sure, below 1 surer. At 1 it is m itself.
func Tempered(m Model, temperature float64) Model {
	if temperature == 1 {
		return m
	}
	return &tempered{m, float32(1 / temperature)}
}

type tempered struct {
	Model
	factor float32
}

// Workers returns the threads that the model computes on.
func (t *tempered) Workers() *autograd.Workers { return workersOf(t.Model) }

// Step implements Model.
func (t *tempered) Step(tokens ...int32) ([]float32, error) {
	x, err := t.Model.Step(tokens...)
	if err != nil {
		return nil, err
	}
	autograd.Temper(x, len(tokens), t.factor)
	return x, nil
}

// Attention implements Attentive.
func (t *tempered) Attention(row int) []float32 {
	if a, ok := t.Model.(Attentive); ok {
		return a.Attention(row)
	}
	return nil
}
