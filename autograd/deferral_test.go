package autograd

import (
	"fmt"
	"testing"

	"github.com/mega-go/mega/internal/naive"
	"github.com/mega-go/mega/tensor"
)

// deferredShapes are those of what a product multiplies: two that it computes whole, and one of
// which tasks compute what they need.
var deferredShapes = []shape{{1, 2}, {3, 5, 17}, {1031, 521}}

// deviceOf returns an operation's device for checks of a shape: large ones take long there.
func deviceOf(s shape) int {
	if tensor.Size(s) > 1000 {
		return notOnDevice
	}
	return 1
}

// TestProductsOfGates holds products, forward and backward, with gates that they compute
// themselves.
func TestProductsOfGates(t *testing.T) {
	gated := func(r, a *naive.Matrix) *naive.Matrix { return naive.Mul(naive.SiLU(r), a) }
	for _, s := range deferredShapes {
		k, dev := s[len(s)-1], deviceOf(s)
		checkGrad(t, fmt.Sprint(s), operation{
			fast: func(t *Tape, x []*Variable) *Variable { return t.Linear(t.SiLUMul(x[0], x[1]), x[2], x[3], Tanh) },
			slow: func(x []*naive.Matrix) *naive.Matrix {
				return activations[Tanh](naive.Linear(gated(x[0], x[1]), x[2], x[3]))
			},
			views: []int{0, 1}, spread: 0.3, device: dev,
		}, s, s, shape{3, k}, shape{3})
		if k > 100 { // more would take long
			continue
		}
		checkGrad(t, fmt.Sprint(s, " of itself"), operation{
			fast:  func(t *Tape, x []*Variable) *Variable { return t.Linear(t.SiLUMul(x[0], x[0]), x[1], nil, Identity) },
			slow:  func(x []*naive.Matrix) *naive.Matrix { return naive.Linear(gated(x[0], x[0]), x[1], nil) },
			views: []int{0}, spread: 0.3, device: dev,
		}, s, shape{3, k})
		checkGrad(t, fmt.Sprint(s, " and others"), operation{
			fast: func(t *Tape, x []*Variable) *Variable {
				y := t.SiLUMul(x[0], x[1])
				z := t.Linear(t.Add(y, x[0]), x[2], nil, Identity)
				return t.LinearAdd(z, y, x[2], nil, Identity)
			},
			slow: func(x []*naive.Matrix) *naive.Matrix {
				y := gated(x[0], x[1])
				return naive.Linear(naive.Add(naive.Add(y, x[0]), y), x[2], nil)
			},
			views: []int{0, 1}, spread: 0.3, device: dev,
		}, s, s, shape{2, k})
	}
}

// TestProductsOfEndings holds products with activations and dropout that they compute themselves.
func TestProductsOfEndings(t *testing.T) {
	for _, s := range deferredShapes {
		for _, end := range []Ending{{Activation: SiLU}, {Drop: 0.3}, {Activation: Tanh, Drop: 0.3}} {
			if s[0] > 1000 && end != (Ending{Activation: Tanh, Drop: 0.3}) {
				continue
			}
			mask := kept(func(t *Tape, x *Variable) *Variable { return t.Dropout(x, end.Drop) }, s)
			checkGrad(t, fmt.Sprint(s, end), operation{
				fast: func(t *Tape, x []*Variable) *Variable {
					return t.Linear(t.FinishForProducts(t.Add(x[0], x[1]), end), x[2], nil, Identity)
				},
				slow: func(x []*naive.Matrix) *naive.Matrix {
					y := naive.Add(x[0], x[1])
					if end.Activation != Identity {
						y = activations[end.Activation](y)
					}
					return naive.Linear(naive.Mul(y, mask), x[2], nil)
				},
				views: []int{0}, spread: 0.3, device: deviceOf(s), trained: end.Drop > 0,
			}, s, s, shape{3, s[len(s)-1]})
		}
	}
}

// TestDeferredOutlivesScope holds that a scope may return what is deferred, though its operands
// end with it.
func TestDeferredOutlivesScope(t *testing.T) {
	a, b := parameter(1, 3, 5), parameter(2, 3, 5)
	want := numbersOf(NewTape().SiLUMul(NewTape().Add(a, b), b).Value())
	for _, tape := range []*Tape{NewTape(), NewTrainingTape()} {
		y := tape.Scope(func() *Variable { return tape.SiLUMul(tape.Add(a, b), b) })
		tape.Add(a, a) // takes memory that the scope gave back
		within(t, "gate", numbersOf(y.Value()), float64s(want), 1, 0)
	}
}
