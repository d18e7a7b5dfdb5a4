package train

import (
	"fmt"

	"github.com/mega-go/mega/autograd"
	"github.com/mega-go/mega/nn"
	"github.com/mega-go/mega/tensor"
)

// AdamConfig shapes an [Adam].
type AdamConfig = autograd.AdamSettings

// Adam is the reference's AdamW on gradients that several processes sum up: an
// update is Gather, Norm and then Step. [autograd.Adam] has its formulas.
type Adam struct {
	*autograd.Adam
	params []*nn.Parameter
	steps  int
	grads  []*tensor.Tensor // as of Gather; nil for a parameter that none reached
	shared []float32        // the sum over processes
}

// NewAdam returns an optimiser of params with no steps behind it.
func NewAdam(params *nn.Params, c AdamConfig) *Adam {
	a := &Adam{params: params.All(), grads: make([]*tensor.Tensor, len(params.All()))}
	var variables []*autograd.Variable
	for _, p := range a.params {
		variables = append(variables, p.Variable)
	}
	a.Adam = autograd.NewAdam(variables, c)
	return a
}

// Gather takes up the gradients of all parameters, summed over all processes.
// They are read until Step, not changed.
func (a *Adam) Gather(c Communicator) error {
	for i, p := range a.params {
		a.grads[i] = p.Grad()
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
		a.shared = append(a.shared, a.grads[i].Host()...)
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
			a.grads[i] = tensor.FromSlice(a.shared[at:at+n], p.Shape()...)
		}
		at += n
	}
}

// Norm returns the L2 norm of all gradients together, summed in float64.
func (a *Adam) Norm() float64 { return a.Adam.Norm(a.grads) }

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
	if i := a.NotFinite(); i >= 0 {
		return a.params[i].Name
	}
	return ""
}

// broken names the first of the weights, moments and buffers of a model that
// holds NaN or infinity, "" if none does.
func (a *Adam) broken(buffers []*nn.Buffer) string {
	for _, p := range a.params {
		if !p.Value().AllFinite() {
			return p.Name
		}
	}
	for _, b := range append(a.buffers(), buffers...) {
		if !b.AllFinite() {
			return b.Name
		}
	}
	return ""
}

// Step updates every parameter that a gradient has reached, by its gradient
// times scale, at learning rate lr.
func (a *Adam) Step(lr, scale float64) {
	a.steps++
	a.Adam.Step(a.grads, a.steps, lr, scale)
}

// buffers lists m and v of every parameter under the names that torch gives
// them.
func (a *Adam) buffers() []*nn.Buffer {
	var out []*nn.Buffer
	for i, m := range a.Moments() {
		suffix := [...]string{".exp_avg", ".exp_avg_sq"}[i%2]
		out = append(out, &nn.Buffer{Name: a.params[i/2].Name + suffix, Tensor: m})
	}
	return out
}
