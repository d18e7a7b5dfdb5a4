package autograd

import (
	"math"

	"github.com/mega-go/mega/internal/kernel"
	"github.com/mega-go/mega/tensor"
)

// AdamSettings shape an [Adam].
type AdamSettings struct {
	Betas            [2]float64
	Eps, WeightDecay float64
	Undecayed        []bool   // parameters that do not decay; nil for none
	Workers          *Workers // compute; nil for the process's own
}

// Adam updates parameters by the reference's AdamW (optim/adam.py:141), which
// adds eps before the bias correction and decays every parameter, norms and
// biases included:
//
//	m = β1·m + (1−β1)·g,  v = β2·v + (1−β2)·g²
//	w −= lr·decay·w
//	w −= lr·√(1−β2ᵗ)/(1−β1ᵗ) · m/(√v + eps)
//
// Results do not depend on the number of workers.
type Adam struct {
	settings AdamSettings
	weights  []*tensor.Tensor
	moments  []*tensor.Tensor // m and v of every parameter, in turn
	blocks   []block
	sums     []float64 // of a block's squared gradients

	// Of the call in progress. The tasks are made once, so that no call allocates.
	grads        []*tensor.Tensor
	numbers      kernel.AdamParams
	square, step func(worker, i int)
}

// NewAdam returns an optimiser of parameters whose moments are zero.
func NewAdam(params []*Variable, s AdamSettings) *Adam {
	a := &Adam{settings: s}
	for _, p := range params {
		w := p.Value()
		a.weights = append(a.weights, w)
		a.moments = append(a.moments, tensor.New(w.Shape()...), tensor.New(w.Shape()...))
	}
	a.blocks = blocksOf(a.weights)
	a.sums = make([]float64, len(a.blocks))
	a.square, a.step = a.squareBlock, a.stepBlock
	return a
}

// Moments returns m and v of every parameter in turn.
func (a *Adam) Moments() []*tensor.Tensor { return a.moments }

// Norm returns the L2 norm of all gradients together, summed in float64. A
// parameter that no gradient has reached has nil.
func (a *Adam) Norm(grads []*tensor.Tensor) float64 {
	a.grads = grads
	a.settings.Workers.Run(len(a.blocks), a.square)
	total := 0.0
	for _, s := range a.sums {
		total += s
	}
	return math.Sqrt(total)
}

// NotFinite returns the first parameter whose gradient, as of the last Norm,
// holds NaN or infinity, −1 if none does.
func (a *Adam) NotFinite() int {
	for i, s := range a.sums {
		if math.IsNaN(s) || math.IsInf(s, 0) {
			return a.blocks[i].index
		}
	}
	return -1
}

// Step is update number t, which counts from 1: of every parameter that has a
// gradient, by that times scale, at learning rate lr.
func (a *Adam) Step(grads []*tensor.Tensor, t int, lr, scale float64) {
	s := a.settings
	a.grads = grads
	a.numbers = kernel.AdamParams{
		StepSize:  kernel.AdamStepSize(lr, s.Betas[0], s.Betas[1], t),
		Beta1:     s.Betas[0],
		Beta2:     s.Betas[1],
		Eps:       s.Eps,
		Decay:     lr * s.WeightDecay,
		GradScale: scale,
	}
	a.settings.Workers.Run(len(a.blocks), a.step)
}

func (a *Adam) squareBlock(_, i int) {
	b := a.blocks[i]
	a.sums[i] = 0
	if a.grads[b.index] != nil {
		a.sums[i] = kernel.SumSquares(b.of(a.grads))
	}
}

func (a *Adam) stepBlock(_, i int) {
	b := a.blocks[i]
	if a.grads[b.index] == nil {
		return
	}
	numbers := a.numbers
	if a.settings.Undecayed != nil && a.settings.Undecayed[b.index] {
		numbers.Decay = 0
	}
	m, v := b, b // the same range of the moments
	m.index, v.index = 2*b.index, 2*b.index+1
	kernel.AdamStep(b.of(a.weights), b.of(a.grads), m.of(a.moments), v.of(a.moments), numbers)
}
