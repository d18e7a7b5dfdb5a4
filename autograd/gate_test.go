package autograd

import (
	"fmt"
	"testing"

	"github.com/mega-go/mega/internal/naive"
)

func TestSiLUMul(t *testing.T) {
	for _, s := range []shape{{1, 1}, {3, 5, 7}, {19, 33}} {
		checkGrad(t, fmt.Sprint(s), operation{
			fast:  func(t *Tape, x []*Variable) *Variable { return t.SiLUMul(x[0], x[1]) },
			slow:  func(x []*naive.Matrix) *naive.Matrix { return naive.Mul(naive.SiLU(x[0]), x[1]) },
			views: []int{0, 1},
		}, s, s)
	}
	checkGrad(t, "itself", operation{
		fast:  func(t *Tape, x []*Variable) *Variable { return t.SiLUMul(x[0], x[0]) },
		slow:  func(x []*naive.Matrix) *naive.Matrix { return naive.Mul(naive.SiLU(x[0]), x[0]) },
		views: []int{0},
	}, shape{3, 9})
}

func TestGatedResidual(t *testing.T) {
	slow := func(x, u, h *naive.Matrix) *naive.Matrix {
		return naive.Add(x, naive.Mul(naive.Sigmoid(u), naive.Sub(h, x)))
	}
	for _, s := range []shape{{1, 1}, {3, 5, 7}, {19, 33}} {
		checkGrad(t, fmt.Sprint(s), operation{
			fast:  func(t *Tape, x []*Variable) *Variable { return t.GatedResidual(x[0], x[1], x[2], Ending{}) },
			slow:  func(x []*naive.Matrix) *naive.Matrix { return slow(x[0], x[1], x[2]) },
			views: []int{0, 1, 2},
		}, s, s, s)
	}
	checkGrad(t, "itself", operation{
		fast: func(t *Tape, x []*Variable) *Variable { return t.GatedResidual(x[0], x[0], x[0], Ending{}) },
		slow: func(x []*naive.Matrix) *naive.Matrix { return slow(x[0], x[0], x[0]) },
	}, shape{3, 9})
}

// TestQueryKey takes both results side by side, or one of them alone.
func TestQueryKey(t *testing.T) {
	part := func(x []*naive.Matrix, i int) *naive.Matrix {
		return naive.Add(naive.Mul(naive.SiLU(x[0]), naive.Rows(x[1], i, i+1)), naive.Rows(x[2], i, i+1))
	}
	for _, s := range []shape{{1, 1}, {3, 5, 7}, {19, 33}} {
		z := s[len(s)-1]
		checkGrad(t, fmt.Sprint(s), operation{
			fast: func(t *Tape, x []*Variable) *Variable {
				q, k := t.QueryKey(x[0], x[1], x[2])
				return t.Concat(q, k)
			},
			slow:  func(x []*naive.Matrix) *naive.Matrix { return naive.ConcatCols(part(x, 0), part(x, 1)) },
			views: []int{0},
		}, s, shape{2, z}, shape{2, z})
		checkGrad(t, fmt.Sprint(s, " key"), operation{
			fast: func(t *Tape, x []*Variable) *Variable {
				_, k := t.QueryKey(x[0], x[1], x[2])
				return k
			},
			slow:  func(x []*naive.Matrix) *naive.Matrix { return part(x, 1) },
			views: []int{0},
		}, s, shape{2, z}, shape{2, z})
	}
}
