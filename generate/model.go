package generate

import (
	"errors"
	"fmt"
	"math"

	"github.com/mega-go/mega/internal/kernel"
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
	models []Model
	mean   []float32 // [rows, V]
	term   []float32 // [V]
}

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
		logAddExp(e.mean, x, len(tokens), &e.term)
	}
	kernel.AddScalar(e.mean, e.mean, -float32(math.Log(float64(len(e.models)))))
	return e.mean, nil
}

// logAddExp sets a to log(exp a + exp b), each of so many rows relative to the
// larger of the two: log1p(exp(−|a − b|)) is what it gains.
func logAddExp(a, b []float32, rows int, memory *[]float32) {
	vocab := len(a) / rows
	if len(*memory) < vocab {
		*memory = make([]float32, vocab)
	}
	gain := (*memory)[:vocab]
	for r := range rows {
		x, y := a[r*vocab:][:vocab], b[r*vocab:][:vocab]
		for i := range gain {
			gain[i] = -abs32(x[i] - y[i])
		}
		kernel.Exp(gain, gain)
		for i, g := range gain {
			if high := max(x[i], y[i]); math.IsInf(float64(high), -1) {
				x[i] = high
			} else {
				x[i] = high + float32(math.Log1p(float64(g)))
			}
		}
	}
}

func abs32(x float32) float32 { return math.Float32frombits(math.Float32bits(x) &^ (1 << 31)) }

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
		kernel.Add(sum, sum, weights)
		n++
	}
	if n > 0 {
		kernel.Scale(sum, sum, 1/float32(n))
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

// Step implements Model.
func (t *tempered) Step(tokens ...int32) ([]float32, error) {
	x, err := t.Model.Step(tokens...)
	if err != nil {
		return nil, err
	}
	kernel.Scale(x, x, t.factor)
	vocab := len(x) / len(tokens)
	for r := range tokens {
		row := x[r*vocab:][:vocab]
		kernel.LogSoftmaxRow(row, row)
	}
	return x, nil
}

// Attention implements Attentive.
func (t *tempered) Attention(row int) []float32 {
	if a, ok := t.Model.(Attentive); ok {
		return a.Attention(row)
	}
	return nil
}
