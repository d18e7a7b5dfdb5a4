package autograd

import (
	"fmt"
	"testing"

	"github.com/mega-go/mega/internal/naive"
)

// TestEndings holds activations and dropout, by themselves and in one operation with a sum or
// a gate.
func TestEndings(t *testing.T) {
	const p = 0.3
	for _, act := range []Activation{Identity, SiLU, Tanh} {
		for _, drop := range []float64{0, p} {
			end := Ending{act, drop}
			if end == (Ending{}) {
				continue
			}
			for _, s := range []shape{{1, 1, 1}, {3, 5, 17}} {
				mask := kept(func(t *Tape, x *Variable) *Variable { return t.Dropout(x, drop) }, s)
				f := func(x *naive.Matrix) *naive.Matrix {
					if g := activations[act]; act != Identity {
						x = g(x)
					}
					return naive.Mul(x, mask)
				}
				name := fmt.Sprint(act, " ", drop, " ", s)
				checkGrad(t, name, operation{
					fast:    func(t *Tape, x []*Variable) *Variable { return t.Finish(x[0], end) },
					slow:    func(x []*naive.Matrix) *naive.Matrix { return f(x[0]) },
					views:   []int{0},
					trained: drop > 0,
				}, s)
				checkGrad(t, name+" sum", operation{
					fast:    func(t *Tape, x []*Variable) *Variable { return t.AddFinished(x[0], x[1], end) },
					slow:    func(x []*naive.Matrix) *naive.Matrix { return naive.Add(x[0], f(x[1])) },
					views:   []int{0, 1},
					trained: drop > 0,
				}, s, s)
				checkGrad(t, name+" gate", operation{
					fast: func(t *Tape, x []*Variable) *Variable { return t.GatedResidual(x[0], x[1], x[2], end) },
					slow: func(x []*naive.Matrix) *naive.Matrix {
						return naive.Add(x[0], naive.Mul(naive.Sigmoid(x[1]), naive.Sub(f(x[2]), x[0])))
					},
					views:   []int{0, 1, 2},
					trained: drop > 0,
				}, s, s, s)
			}
		}
	}
	checkGrad(t, "sum with itself", operation{
		fast: func(t *Tape, x []*Variable) *Variable { return t.AddFinished(x[0], x[0], Ending{Activation: SiLU}) },
		slow: func(x []*naive.Matrix) *naive.Matrix { return naive.Add(x[0], naive.SiLU(x[0])) },
	}, shape{3, 9})
}

// TestFinishForProducts holds that what is finished in place is so unless the tape records.
func TestFinishForProducts(t *testing.T) {
	x := parameter(1, 3, 5)
	end := Ending{Activation: Tanh}
	for _, tape := range []*Tape{NewTape(), NewTrainingTape()} {
		made := tape.Activate(SiLU, x)
		want := numbersOf(NewTape().Finish(NewTape().Activate(SiLU, x), end).Value())
		got := tape.FinishForProducts(made, end)
		if (got == made) == tape.Recording() {
			t.Errorf("in place is %v on a tape that records: %v", got == made, tape.Recording())
		}
		within(t, "in place", numbersOf(got.Value()), float64s(want), 1, 0)
	}
}
