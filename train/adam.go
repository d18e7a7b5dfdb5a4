package train

import (
	"fmt"
	"math"

	"github.com/mega-go/mega/internal/kernel"
	"github.com/mega-go/mega/internal/parallel"
	"github.com/mega-go/mega/nn"
	"github.com/mega-go/mega/tensor"
)

// AdamConfig shapes an [Adam].
type AdamConfig struct {
	Betas            [2]float64
	Eps, WeightDecay float64
}

// Adam is the reference's AdamW (optim/adam.py:141), which adds eps before the
// bias correction and decays every parameter, norms and biases included:
//
//	m = β1·m + (1−β1)·g,  v = β2·v + (1−β2)·g²
//	w −= lr·decay·w
//	w −= lr·√(1−β2ᵗ)/(1−β1ᵗ) · m/(√v + eps)
//
// An update is Gather, Norm and then Step. Results do not depend on the number
// of workers.
type Adam struct {
	config  AdamConfig
	params  []*nn.Parameter
	moments []*tensor.Tensor // m and v of every parameter, in turn
	steps   int

	blocks  []block
	sums    []float64         // of a block's squared gradients
	grads   [][]float32       // as of Gather; nil for a parameter that none reached
	shared  []float32         // the sum over processes
	numbers kernel.AdamParams // of the step in progress
	square  func(worker, i int)
	step    func(worker, i int)
}

// A block is the range [from, to) of a parameter: what one task works on, and
// the unit of summation.
type block struct{ param, from, to int }

const blockSize = 1 << 13

// NewAdam returns an optimiser of params with no steps behind it.
func NewAdam(params *nn.Params, c AdamConfig) *Adam {
	a := &Adam{config: c, params: params.All()}
	for i, p := range a.params {
		a.moments = append(a.moments, tensor.New(p.Shape()...), tensor.New(p.Shape()...))
		n := tensor.Size(p.Shape())
		for from := 0; from < n; from += blockSize {
			a.blocks = append(a.blocks, block{i, from, min(from+blockSize, n)})
		}
	}
	a.sums = make([]float64, len(a.blocks))
	a.grads = make([][]float32, len(a.params))
	a.square, a.step = a.squareBlock, a.stepBlock
	return a
}

// Steps returns the number of steps taken, on which the bias correction depends.
func (a *Adam) Steps() int { return a.steps }

// Gather takes up the gradients of all parameters, summed over all processes.
// They are read until Step, not changed.
func (a *Adam) Gather(c Communicator) error {
	for i, p := range a.params {
		a.grads[i] = nil
		if g := p.Grad(); g != nil {
			a.grads[i] = g.Data()
		}
	}
	if c.Size() == 1 {
		return nil
	}
	a.pack()
	if err := c.AllReduceSum(a.shared); err != nil {
		return fmt.Errorf("sum of gradients over processes: %w", err)
	}
	a.unpack()
	return nil
}

// pack lays out all gradients one after another, followed by a 1 for each that
// this process has.
func (a *Adam) pack() {
	a.shared = a.shared[:0]
	for i, p := range a.params {
		if a.grads[i] == nil {
			a.shared = append(a.shared, make([]float32, tensor.Size(p.Shape()))...)
			continue
		}
		a.shared = append(a.shared, a.grads[i]...)
	}
	for _, g := range a.grads {
		has := float32(0)
		if g != nil {
			has = 1
		}
		a.shared = append(a.shared, has)
	}
}

func (a *Adam) unpack() {
	owners := a.shared[len(a.shared)-len(a.params):]
	at := 0
	for i, p := range a.params {
		n := tensor.Size(p.Shape())
		a.grads[i] = nil
		if owners[i] > 0 {
			a.grads[i] = a.shared[at : at+n]
		}
		at += n
	}
}

// Norm returns the L2 norm of all gradients together, summed in float64.
func (a *Adam) Norm() float64 {
	parallel.Run(len(a.blocks), a.square)
	total := 0.0
	for _, s := range a.sums {
		total += s
	}
	return math.Sqrt(total)
}

// ClipScale returns what gradients of the given norm are multiplied by so that
// it does not exceed limit; a limit of 0 clips nothing (reference utils.py:311).
func ClipScale(norm, limit float64) float64 {
	if limit <= 0 {
		return 1
	}
	return min(1, limit/(norm+1e-6))
}

// notFinite names the first parameter whose gradient, as of the last Norm,
// holds NaN or infinity.
func (a *Adam) notFinite() string {
	for i, s := range a.sums {
		if !finite(s) {
			return a.params[a.blocks[i].param].Name
		}
	}
	return ""
}

// broken names the first of the weights, moments and buffers of a model that
// holds NaN or infinity, "" if none does.
func (a *Adam) broken(buffers []*nn.Buffer) string {
	for _, p := range a.params {
		if !finite(kernel.SumSquares(p.Value().Data())) {
			return p.Name
		}
	}
	for _, b := range append(a.buffers(), buffers...) {
		if !finite(kernel.SumSquares(b.Data())) {
			return b.Name
		}
	}
	return ""
}

// Step updates every parameter that a gradient has reached, by its gradient
// times scale, at learning rate lr.
func (a *Adam) Step(lr, scale float64) {
	a.steps++
	c := a.config
	a.numbers = kernel.AdamParams{
		StepSize:  kernel.AdamStepSize(lr, c.Betas[0], c.Betas[1], a.steps),
		Beta1:     c.Betas[0],
		Beta2:     c.Betas[1],
		Eps:       c.Eps,
		Decay:     lr * c.WeightDecay,
		GradScale: scale,
	}
	parallel.Run(len(a.blocks), a.step)
}

func (a *Adam) squareBlock(_, i int) {
	b := a.blocks[i]
	a.sums[i] = 0
	if g := a.grads[b.param]; g != nil {
		a.sums[i] = kernel.SumSquares(g[b.from:b.to])
	}
}

func (a *Adam) stepBlock(_, i int) {
	b := a.blocks[i]
	g := a.grads[b.param]
	if g == nil {
		return
	}
	w := a.params[b.param].Value().Data()
	m, v := a.moments[2*b.param].Data(), a.moments[2*b.param+1].Data()
	kernel.AdamStep(w[b.from:b.to], g[b.from:b.to], m[b.from:b.to], v[b.from:b.to], a.numbers)
}

// buffers lists m and v of every parameter under the names that torch gives
// them.
func (a *Adam) buffers() []*nn.Buffer {
	var out []*nn.Buffer
	for i, m := range a.moments {
		suffix := [...]string{".exp_avg", ".exp_avg_sq"}[i%2]
		out = append(out, &nn.Buffer{Name: a.params[i/2].Name + suffix, Tensor: m})
	}
	return out
}
