package autograd

import (
	"fmt"
	"testing"

	"github.com/mega-go/mega/internal/naive"
)

// activations are all elementwise functions with their specifications.
var activations = map[Activation]func(*naive.Matrix) *naive.Matrix{
	Identity: func(x *naive.Matrix) *naive.Matrix { return x },
	Sigmoid:  naive.Sigmoid,
	SiLU:     naive.SiLU,
	GELU:     naive.GELU,
	GELUTanh: naive.GELUTanh,
	ReLU:     naive.ReLU,
	ReLU2:    naive.ReLU2,
	Tanh: func(x *naive.Matrix) *naive.Matrix {
		return naive.Offset(naive.Scale(naive.Sigmoid(naive.Scale(x, 2)), 2), -1)
	},
	Laplace: naive.Laplace,
}

func TestLinear(t *testing.T) {
	for act, f := range activations {
		biased := operation{
			fast:  func(t *Tape, x []*Variable) *Variable { return t.Linear(x[0], x[1], x[2], act) },
			slow:  func(x []*naive.Matrix) *naive.Matrix { return f(naive.Linear(x[0], x[1], x[2])) },
			views: []int{0}, spread: 0.5, device: 4,
		}
		plain := operation{
			fast:  func(t *Tape, x []*Variable) *Variable { return t.Linear(x[0], x[1], nil, act) },
			slow:  func(x []*naive.Matrix) *naive.Matrix { return f(naive.Linear(x[0], x[1], nil)) },
			views: []int{0, 1}, spread: 0.5, device: 4,
		}
		for _, n := range [][3]int{{1, 1, 1}, {3, 17, 5}, {21, 8, 33}} {
			name := fmt.Sprintf("%v %v", act, n)
			checkGrad(t, name, plain, shape{n[0], n[1]}, shape{n[2], n[1]})
			checkGrad(t, name+" bias", biased, shape{2, n[0], n[1]}, shape{n[2], n[1]}, shape{n[2]})
		}
	}
}

func TestLinearAdd(t *testing.T) {
	for act, f := range activations {
		op := operation{
			fast: func(t *Tape, x []*Variable) *Variable { return t.LinearAdd(x[0], x[1], x[2], x[3], act) },
			slow: func(x []*naive.Matrix) *naive.Matrix {
				return f(naive.Add(x[0], naive.Linear(x[1], x[2], x[3])))
			},
			views: []int{0, 1}, spread: 0.5, device: 4,
		}
		checkGrad(t, act.String()+" one", op, shape{1, 1}, shape{1, 1}, shape{1, 1}, shape{1})
		checkGrad(t, act.String(), op, shape{2, 9, 19}, shape{2, 9, 5}, shape{19, 5}, shape{19})
	}
	checkGrad(t, "itself", operation{
		fast: func(t *Tape, x []*Variable) *Variable { return t.LinearAdd(x[0], x[0], x[1], nil, SiLU) },
		slow: func(x []*naive.Matrix) *naive.Matrix {
			return naive.SiLU(naive.Add(x[0], naive.Linear(x[0], x[1], nil)))
		},
		views: []int{0},
	}, shape{5, 7}, shape{7, 7})
}

func TestMatMul(t *testing.T) {
	op := operation{
		fast:  func(t *Tape, x []*Variable) *Variable { return t.MatMul(x[0], x[1]) },
		slow:  func(x []*naive.Matrix) *naive.Matrix { return naive.MatMul(x[0], x[1]) },
		views: []int{0, 1},
	}
	checkGrad(t, "one", op, shape{1, 1}, shape{1, 1})
	checkGrad(t, "odd", op, shape{2, 3, 17}, shape{17, 5})
	checkGrad(t, "wide", op, shape{19, 33}, shape{33, 65})
}

// TestLinearOfItself uses one variable as input and as weight.
func TestLinearOfItself(t *testing.T) {
	checkGrad(t, "x xᵀ", operation{
		fast: func(t *Tape, x []*Variable) *Variable { return t.Linear(x[0], x[0], nil, SiLU) },
		slow: func(x []*naive.Matrix) *naive.Matrix { return naive.SiLU(naive.Linear(x[0], x[0], nil)) },
	}, shape{7, 5})
}
