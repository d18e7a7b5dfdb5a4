package train

import (
	"slices"

	"github.com/mega-go/mega/autograd"
	"github.com/mega-go/mega/internal/cuda/device"
	"github.com/mega-go/mega/nn"
	"github.com/mega-go/mega/tensor"
)

// AdamConfig shapes an [Adam].
type AdamConfig = autograd.AdamSettings

// Adam is the reference's AdamW on gradients that several processes sum up: an
// update is Gather, Norm and then Step. [autograd.Adam] has its formulas.
type Adam struct {
	params []*nn.Parameter
	steps  int
	grads  []*tensor.Tensor // as of Gather; nil for a parameter that none reached
	sum    *exchange        // of gradients over processes; nil for one
	whole  *autograd.Adam   // nil if it is shared
	shared *sharding        // nil if it is whole
}

// NewAdam returns an optimiser of params with no steps behind it.
func NewAdam(params *nn.Params, c AdamConfig) *Adam { return newAdam(params, c, nil) }

// newAdam returns an optimiser of params whose gradients sum adds up over processes.
func newAdam(params *nn.Params, c AdamConfig, sum *exchange) *Adam {
	a := &Adam{params: params.All(), grads: make([]*tensor.Tensor, len(params.All())), sum: sum}
	defer device.Abandon(a.close)
	var variables []*autograd.Variable
	for _, p := range a.params {
		variables = append(variables, p.Variable)
	}
	if sum != nil && sum.sharded {
		a.shared = newSharding(sum, variables, c)
	} else {
		a.whole = autograd.NewAdam(variables, c)
	}
	return a
}

// close gives a device back all memory of the optimiser and of the sums over processes.
func (a *Adam) close() {
	if a.whole != nil {
		a.whole.Close()
	}
	if a.shared != nil {
		a.shared.close()
	}
	if a.sum != nil {
		tensor.Free(a.sum.there...)
	}
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
	switch {
	case a.shared != nil:
		return a.shared.gather(a.grads)
	case a.sum != nil:
		return a.sum.finish(a.grads)
	}
	for i, p := range a.params {
		a.grads[i] = p.Grad()
	}
	return nil
}

// serve is called by all processes once process 0 needs no more whole moments: until
// then, the others give and take their shares of them.
func (a *Adam) serve() error {
	if a.shared != nil {
		return a.shared.serve()
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
func (a *Adam) Norm() float64 {
	if a.shared != nil {
		return autograd.AdamNorm(a.shared.squares)
	}
	return a.whole.Norm(a.grads)
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
	var i int
	if a.shared != nil {
		i = a.shared.notFinite()
	} else {
		i = a.whole.NotFinite()
	}
	if i >= 0 {
		return a.params[i].Name
	}
	return ""
}

// broken names the first of the weights, moments and buffers of a model that
// holds NaN or infinity, "" if none does. Of shared moments it knows this process's.
func (a *Adam) broken(buffers []*nn.Buffer) string {
	for _, p := range a.params {
		if !p.Value().AllFinite() {
			return p.Name
		}
	}
	for _, b := range append(a.kept(), buffers...) {
		if !b.AllFinite() {
			return b.Name
		}
	}
	return ""
}

// Step updates every parameter that a gradient has reached, by its gradient
// times scale, at learning rate lr. Of a shared optimiser, weights that other processes
// update are there after sharding.arrive.
func (a *Adam) Step(lr, scale float64) {
	a.steps++
	if a.shared != nil {
		a.shared.step(a.grads, a.steps, lr, scale)
		return
	}
	a.whole.Step(a.grads, a.steps, lr, scale)
}

// momentNames are torch's names of m and v.
var momentNames = [...]string{".exp_avg", ".exp_avg_sq"}

// buffers lists m and v of every parameter under the names that torch gives them. Those
// that are shared lie in one memory, one at a time: see sharding.give and take.
func (a *Adam) buffers() []*nn.Buffer {
	if a.shared != nil {
		return a.shared.tensors
	}
	return a.kept()
}

// kept lists the moments that this process keeps, m and v in turn.
func (a *Adam) kept() (out []*nn.Buffer) {
	if a.shared != nil {
		return a.shared.kept()
	}
	for i, m := range a.whole.Moments() {
		out = append(out, &nn.Buffer{Name: a.params[i/2].Name + momentNames[i%2], Tensor: m})
	}
	return out
}

// impossible names the first second moment, a mean of squares, that holds a number
// below zero, "" if none does. Of shared moments it knows this process's.
func (a *Adam) impossible() string {
	for i, b := range a.kept() {
		if i%2 == 1 && negative(b) {
			return b.Name
		}
	}
	return ""
}

// negative reports whether a tensor has a number below zero.
func negative(b *nn.Buffer) bool {
	return slices.ContainsFunc(b.Host(), func(v float32) bool { return v < 0 })
}
