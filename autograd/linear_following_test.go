package autograd

import (
	"fmt"
	"testing"

	"github.com/mega-go/mega/internal/naive"
)

// TestLinearFollowing holds activations and dropout, sums and update gates behind a product.
func TestLinearFollowing(t *testing.T) {
	for _, s := range []shape{{2, 3}, {3, 5, 17}, {90, 111}} {
		n := s[len(s)-1]
		x := append(s[:len(s)-1:len(s)-1], 7)
		for _, end := range []Ending{{}, {Activation: SiLU}, {Drop: 0.3}, {Activation: Tanh, Drop: 0.3}} {
			mask := kept(func(t *Tape, x *Variable) *Variable { return t.Dropout(x, end.Drop) }, s)
			finish := func(h *naive.Matrix) *naive.Matrix {
				if end.Activation != Identity {
					h = activations[end.Activation](h)
				}
				return naive.Mul(h, mask)
			}
			gate := func(residual, u, h *naive.Matrix) *naive.Matrix {
				return naive.Add(residual, naive.Mul(naive.Sigmoid(u), naive.Sub(finish(h), residual)))
			}
			checkGrad(t, fmt.Sprint(s, end, " finish"), operation{
				fast:  func(t *Tape, x []*Variable) *Variable { return t.LinearFinish(x[0], x[1], x[2], end) },
				slow:  func(x []*naive.Matrix) *naive.Matrix { return finish(naive.Linear(x[0], x[1], x[2])) },
				views: []int{0}, spread: 0.5, device: deviceOf(s), trained: end.Drop > 0,
			}, x, shape{n, 7}, shape{n})
			checkGrad(t, fmt.Sprint(s, end, " sum"), operation{
				fast: func(t *Tape, x []*Variable) *Variable { return t.LinearResidual(x[0], x[1], x[2], x[3], end) },
				slow: func(x []*naive.Matrix) *naive.Matrix {
					return naive.Add(x[0], finish(naive.Linear(x[1], x[2], x[3])))
				},
				views: []int{0, 1}, spread: 0.5, device: deviceOf(s), trained: end.Drop > 0,
			}, s, x, shape{n, 7}, shape{n})
			checkGrad(t, fmt.Sprint(s, end), operation{
				fast: func(t *Tape, x []*Variable) *Variable { return t.LinearGate(x[0], x[1], x[2], x[3], x[4], x[5], end) },
				slow: func(x []*naive.Matrix) *naive.Matrix {
					return gate(x[0], x[1], naive.Add(x[2], naive.Linear(x[3], x[4], x[5])))
				},
				views: []int{0, 1, 2, 3}, spread: 0.5, device: deviceOf(s), trained: end.Drop > 0,
			}, s, s, s, x, shape{n, 7}, shape{n})
			checkGrad(t, fmt.Sprint(s, end, " alone"), operation{
				fast:  func(t *Tape, x []*Variable) *Variable { return t.LinearGate(x[0], x[0], nil, x[1], x[2], nil, end) },
				slow:  func(x []*naive.Matrix) *naive.Matrix { return gate(x[0], x[0], naive.Linear(x[1], x[2], nil)) },
				views: []int{0, 1}, spread: 0.5, device: deviceOf(s), trained: end.Drop > 0,
			}, s, x, shape{n, 7})
		}
	}
}
