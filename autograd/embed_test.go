package autograd

import (
	"fmt"
	"math"
	"testing"

	"github.com/mega-go/mega/internal/naive"
	"github.com/mega-go/mega/tensor"
)

// TestEmbedding: rows add up where a token comes again, the padding row takes no
// gradient, and one that no token names a gradient of zero.
func TestEmbedding(t *testing.T) {
	tokens := []int32{4, 1, 2, 4, 1, 0}
	lookup := func(x *naive.Matrix) *naive.Matrix {
		return gather(x, len(tokens), func(i int) int { return int(tokens[i]) })
	}
	for _, scale := range []float32{1, 2.5} {
		for _, d := range []int{1, 16, 35} {
			name := fmt.Sprint(scale, " ", d)
			checkGrad(t, name, operation{
				fast: func(t *Tape, x []*Variable) *Variable {
					return t.Embedding(tokens, []int{2, 3}, x[0], scale, -1)
				},
				slow: func(x []*naive.Matrix) *naive.Matrix { return naive.Scale(lookup(x[0]), float64(scale)) },
			}, shape{6, d})
			var padding *naive.Matrix
			checkGrad(t, name+" padding", operation{
				fast: func(t *Tape, x []*Variable) *Variable {
					return t.Embedding(tokens, []int{2, 3}, x[0], scale, 1)
				},
				slow: func(x []*naive.Matrix) *naive.Matrix {
					if padding == nil { // a constant
						padding = naive.New(1, d, append([]float64(nil), x[0].Row(1)...))
					}
					table := naive.ConcatRows(naive.Rows(x[0], 0, 1), padding, naive.Rows(x[0], 2, 6))
					return naive.Scale(lookup(table), float64(scale))
				},
			}, shape{6, d})
		}
	}
}

func TestEmbeddingOutside(t *testing.T) {
	for _, token := range []int32{-1, 3} {
		table := NewParameter(tensor.New(3, 2))
		panics(t, fmt.Sprintf("token %d of 3", token), func() { NewTape().Embedding([]int32{token}, []int{1}, table, 1, -1) })
	}
}

func TestRealEmbedding(t *testing.T) {
	for _, d := range []int{1, 7, 33} {
		numbers := []float32{0.5, -2, 0, 1e-5, 3, 1}
		column := naive.FromFloat32(6, 1, numbers)
		checkGrad(t, fmt.Sprint(d), operation{
			fast: func(t *Tape, x []*Variable) *Variable { return t.RealEmbedding(numbers, []int{2, 3}, x[0], x[1]) },
			slow: func(x []*naive.Matrix) *naive.Matrix { return naive.RealEmbedding(x[0], x[1], column.Data) },
		}, shape{d}, shape{d})
		pairs := naive.FromFloat32(3, 2, numbers)
		checkGrad(t, fmt.Sprint(d, " of 2 channels"), operation{
			fast: func(t *Tape, x []*Variable) *Variable { return t.RealEmbedding(numbers, []int{3}, x[0], x[1]) },
			slow: func(x []*naive.Matrix) *naive.Matrix { return naive.RealEmbedding(x[0], x[1], pairs.Data) },
		}, shape{2, d}, shape{d})
	}
}

// TestPatches names every pixel by where it is and wants each patch to hold its own.
func TestPatches(t *testing.T) {
	const batch, channels, side, patch = 2, 3, 6, 2
	pixels := make([]float32, batch*channels*side*side)
	for i := range pixels {
		pixels[i] = float32(i)
	}
	x := NewTape().Patches(pixels, batch, channels, side, patch).Value()
	for b := range batch {
		for c := range channels {
			for row := range side {
				for col := range side {
					at := b*9 + row/patch*3 + col/patch
					want := float32(((b*channels+c)*side+row)*side + col)
					if got := x.Row(at)[(c*patch+row%patch)*patch+col%patch]; got != want {
						t.Fatalf("patch %d has %v, want %v", at, got, want)
					}
				}
			}
		}
	}
}

func TestMeanPool(t *testing.T) {
	for _, s := range []shape{{1, 1, 1}, {3, 4, 5}, {2, 9, 33}} {
		lengths, floats := make([]int, s[0]), make([]float32, s[0])
		for i := range lengths {
			lengths[i] = max(1, s[1]-i)
			floats[i] = float32(lengths[i])
		}
		checkGrad(t, fmt.Sprint(s), operation{
			fast:  func(t *Tape, x []*Variable) *Variable { return t.MeanPool(x[0], floats) },
			slow:  func(x []*naive.Matrix) *naive.Matrix { return naive.MeanPool(x[0], lengths) },
			views: []int{0},
		}, s)
	}
}

func TestRows(t *testing.T) {
	for name, rows := range map[string][]int32{"some": {5, 0, 3}, "all": {1, 0, 3, 2, 5, 4}, "one": {2}} {
		checkGrad(t, name, operation{
			fast: func(t *Tape, x []*Variable) *Variable { return t.Rows(x[0], rows) },
			slow: func(x []*naive.Matrix) *naive.Matrix {
				return gather(x[0], len(rows), func(i int) int { return int(rows[i]) })
			},
			views: []int{0},
		}, shape{2, 3, 5})
	}
}

// TestSumsOfManyRows sums over more rows than a block of work holds.
func TestSumsOfManyRows(t *testing.T) {
	const rows, d = 3001, 11
	numbers := make([]float32, rows)
	for i := range numbers {
		numbers[i] = float32(math.Sin(float64(i)))
	}
	column := naive.FromFloat32(rows, 1, numbers)
	checkGrad(t, "numbers", operation{
		fast:   func(t *Tape, x []*Variable) *Variable { return t.RealEmbedding(numbers, []int{rows}, x[0], x[1]) },
		slow:   func(x []*naive.Matrix) *naive.Matrix { return naive.RealEmbedding(x[0], x[1], column.Data) },
		device: notOnDevice,
	}, shape{d}, shape{d})
}
