package train

import (
	"slices"

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
	sum    *exchange        // of gradients over processes; nil for one
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

// begin prepares for the gradients of an update, and overlap lets them be summed during
// the next backward pass, which is the update's last in this process.
func (a *Adam) begin(update int) {
	if a.sum != nil {
		a.sum.begin(update)
	}
}

func (a *Adam) overlap() {
	if a.sum != nil {
		a.sum.overlap()
	}
}

// Gather takes up the gradients of all parameters, summed over all processes.
// They are read until Step, not changed.
func (a *Adam) Gather() error {
	if a.sum != nil {
		return a.sum.finish(a.grads)
	}
	for i, p := range a.params {
		a.grads[i] = p.Grad()
	}
	return nil
}

// gathering is what the time of Gather is spent on.
func (a *Adam) gathering() string {
	if a.sum != nil {
		return "communication"
	}
	return "optimiser"
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

// impossible names the first second moment, a mean of squares, that holds a number
// below zero, "" if none does.
func (a *Adam) impossible() string {
	for i, b := range a.buffers() {
		if i%2 == 1 && slices.ContainsFunc(b.Host(), func(v float32) bool { return v < 0 }) {
			return b.Name
		}
	}
	return ""
}
