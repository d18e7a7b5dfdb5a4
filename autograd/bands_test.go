package autograd

import (
	"testing"

	"github.com/mega-go/mega/internal/naive"
)

// TestMerge interleaves the rows of parts.
func TestMerge(t *testing.T) {
	rows := [][]int32{{4, 1}, {0}, {2, 5, 3}}
	order := []int{2, 1, 3, 5, 0, 4} // of the parts' rows, one below the other
	for _, scale := range []float32{1, 3} {
		op := operation{
			fast:  func(t *Tape, x []*Variable) *Variable { return t.Merge(x, rows, scale, []int{2, 3}) },
			views: []int{0, 1, 2},
			slow: func(x []*naive.Matrix) *naive.Matrix {
				all := naive.ConcatRows(x...)
				return naive.Scale(gather(all, 6, func(i int) int { return order[i] }), float64(scale))
			},
		}
		checkGrad(t, "one column", op, shape{2, 1}, shape{1, 1}, shape{3, 1})
		checkGrad(t, "odd", op, shape{2, 19}, shape{1, 19}, shape{3, 19})
	}
}

// TestLogSoftmax and TestJoinBands hold values; these operations have no gradient.
func TestLogSoftmax(t *testing.T) {
	for _, cols := range []int{1, 2, 37} {
		x := kept(func(t *Tape, x *Variable) *Variable { return t.Dropout(x, 0.4) }, shape{5, cols})
		forEachKernel(t, func(t *testing.T) {
			y := NewTape().LogSoftmax(NewConstant(toTensor(x.Data).Reshape(5, cols)))
			within(t, "value", numbersOf(y.Value()), naive.LogSoftmax(x).Data, 1, 1e-6)
		})
	}
}

func TestJoinBands(t *testing.T) {
	const words = 3
	widths := []int{words + 2, 4, 1}
	var fast []*Variable
	var slow []*naive.Matrix
	for i, w := range widths {
		x := naive.FromFunc(2, w, func(r, c int) float64 { return float64(r-c) / float64(i+3) })
		slow = append(slow, x)
		fast = append(fast, NewConstant(toTensor(x.Data).Reshape(2, w)))
	}
	want := naive.ConcatCols(naive.Cols(slow[0], 0, words),
		naive.Add(slow[1], naive.Cols(slow[0], words, words+1)), naive.Add(slow[2], naive.Cols(slow[0], words+1, words+2)))
	y := NewTape().JoinBands(fast, words)
	within(t, "value", numbersOf(y.Value()), want.Data, 1, 0)
	if y.Rows() != 2 || y.Cols() != words+4+1 {
		t.Errorf("shape %v", y.Shape())
	}
}
