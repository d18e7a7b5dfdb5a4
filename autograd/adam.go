package autograd

import (
	"fmt"
	"math"

	"github.com/mega-go/mega/internal/cuda/device"
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
// Results do not depend on the number of workers, nor on how parameters are
// divided among several Adams.
type Adam struct {
	settings AdamSettings
	weights  []*tensor.Tensor
	moments  []*tensor.Tensor // m and v of every range, in turn
	blocks   []adamBlock
	sums     []float64 // of a block's squared gradients

	// Of the call in progress. The tasks are made once, so that no call allocates.
	grads        []*tensor.Tensor
	numbers      kernel.AdamParams
	square, step func(worker, i int)

	device *deviceAdam // where the parameters are, nil for the host
}

// AdamBlock is how many numbers of a parameter are updated at a time. The squares
// of their gradients are added first, then the sums of blocks.
const AdamBlock = blockSize

// An AdamRange is numbers [From, To) of a parameter of a list. From is a multiple of
// AdamBlock, and so is To unless the parameter ends there.
type AdamRange struct{ Param, From, To int }

// An adamBlock is what one task updates: a block of a parameter, and where the block's
// first moments lie. The second are in the tensor after theirs.
type adamBlock struct{ param, moments block }

// NewAdam returns an optimiser of parameters whose moments are zero.
func NewAdam(params []*Variable, s AdamSettings) *Adam {
	var whole []AdamRange
	for i, p := range params {
		whole = append(whole, AdamRange{i, 0, p.Value().Len()})
	}
	a := NewAdamOf(params, whole, s)
	for i, m := range a.moments {
		a.moments[i] = m.Reshape(params[i/2].Value().Shape()...)
	}
	return a
}

// NewAdamOf returns an optimiser of ranges of parameters, which has the moments of
// these alone. Parameters that are on a device are updated there.
func NewAdamOf(params []*Variable, ranges []AdamRange, s AdamSettings) *Adam {
	a := &Adam{settings: s}
	defer device.Abandon(a.Close)
	for _, p := range params {
		a.weights = append(a.weights, p.Value())
	}
	for i, r := range ranges {
		n := a.weights[r.Param].Len()
		if r.From%AdamBlock != 0 || r.From > r.To || r.To > n || r.To%AdamBlock != 0 && r.To != n {
			panic(fmt.Sprintf("autograd: range %v of a parameter of %d numbers, want whole blocks of %d", r, n, AdamBlock))
		}
		for range 2 {
			m := tensor.New(r.To - r.From)
			m.Move(a.weights[r.Param].Device())
			a.moments = append(a.moments, m)
		}
		for from := r.From; from < r.To; from += AdamBlock {
			to := min(from+AdamBlock, r.To)
			a.blocks = append(a.blocks, adamBlock{block{r.Param, from, to}, block{2 * i, from - r.From, to - r.From}})
		}
	}
	a.sums = make([]float64, len(a.blocks))
	a.square, a.step = a.squareBlock, a.stepBlock
	a.device = newDeviceAdam(a)
	return a
}

// Close gives a device back all memory of the optimiser, which does nothing any more. On
// the host it does nothing.
func (a *Adam) Close() {
	tensor.Free(a.moments...)
	if a.device != nil {
		a.device.close()
	}
}

// Moments returns m and v of every range in turn; of whole parameters, in their shapes.
func (a *Adam) Moments() []*tensor.Tensor { return a.moments }

// Squares returns the sum of the squared gradients of each block, range after range.
// It is valid until the next call. A parameter that no gradient has reached has nil.
func (a *Adam) Squares(grads []*tensor.Tensor) []float64 {
	if a.device != nil {
		a.device.squares(a.sums, a.blocks, grads)
		return a.sums
	}
	a.grads = grads
	a.settings.Workers.Run(len(a.blocks), a.square)
	return a.sums
}

// Norm returns the L2 norm of all gradients together, summed in float64.
func (a *Adam) Norm(grads []*tensor.Tensor) float64 { return AdamNorm(a.Squares(grads)) }

// AdamNorm returns the norm of gradients, the sums of whose squares are given for each
// block of each parameter.
func AdamNorm(squares []float64) float64 {
	total := 0.0
	for _, s := range squares {
		total += s
	}
	return math.Sqrt(total)
}

// NotFinite returns the first parameter whose gradient, as of the last Norm,
// holds NaN or infinity, −1 if none does.
func (a *Adam) NotFinite() int {
	for i, s := range a.sums {
		if math.IsNaN(s) || math.IsInf(s, 0) {
			return a.blocks[i].param.index
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
	if a.device != nil {
		a.device.step(a.blocks, grads, a.numbers)
		return
	}
	a.settings.Workers.Run(len(a.blocks), a.step)
}

func (a *Adam) squareBlock(_, i int) {
	b := a.blocks[i].param
	a.sums[i] = 0
	if a.grads[b.index] != nil {
		a.sums[i] = kernel.SumSquares(b.of(a.grads))
	}
}

func (a *Adam) stepBlock(_, i int) {
	b, m := a.blocks[i].param, a.blocks[i].moments
	if a.grads[b.index] == nil {
		return
	}
	numbers := a.numbers
	if a.settings.Undecayed != nil && a.settings.Undecayed[b.index] {
		numbers.Decay = 0
	}
	v := m
	v.index++
	kernel.AdamStep(b.of(a.weights), b.of(a.grads), m.of(a.moments), v.of(a.moments), numbers)
}
