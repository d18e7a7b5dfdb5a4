package kernels

import (
	"math"
	"testing"

	"github.com/mega-go/mega/internal/kernel"
)

// sumSquares adds Σ x² of n numbers to dst, one float64. parts is memory of SquareParts(n)
// float64s.
func sumSquares(d Device, dst, x, parts Address, n int) error {
	if err := SquareSums(d, parts, x, n); err != nil || n == 0 {
		return err
	}
	return elements(d, "sum_parts_double", 1, dst, parts, int32(SquareParts(n)), int64(1))
}

func TestSumSquares(t *testing.T) {
	b := newBench(t)
	for _, n := range []int{0, 1, 255, 257, SquareBlock - 1, SquareBlock, SquareBlock + 1, 2*SquareBlock + 300} {
		x := b.normal(n)
		total, parts := up(b, []float64{0.5}), b.Alloc(8*max(1, SquareParts(n)))
		b.must(sumSquares(b, total, up(b, x), parts, n))
		want := 0.5 + kernel.SumSquares(x)
		if got := down[float64](b, total, 1)[0]; math.Abs(got-want) > 1e-14*want*math.Sqrt(float64(n+1)) {
			t.Errorf("%d squares: %v, want %v", n, got, want)
		}
	}
	for _, special := range []float64{math.NaN(), math.Inf(-1), 1e30} {
		x := b.normal(300)
		x[299] = float32(special)
		total := up(b, []float64{0})
		b.must(sumSquares(b, total, up(b, x), b.Alloc(8), len(x)))
		want := kernel.SumSquares(x)
		if got := down[float64](b, total, 1)[0]; got != want && !math.IsNaN(want) && math.Abs(got-want) > 1e-12*want || math.IsNaN(got) != math.IsNaN(want) {
			t.Errorf("squares with %v: %v, want %v", special, got, want)
		}
	}
}

// TestAdam compares to the last bit: pieces of all sizes, one that does not decay, and one
// without a gradient, which stays as it is.
func TestAdam(t *testing.T) {
	b := newBench(t)
	p := AdamParams{StepSize: 1e-2, Beta1: 0.9, Beta2: 0.98, Eps: 1e-8, Decay: 1e-3, GradScale: 0.3}
	sizes := []int{1, 257, 40, SquareBlock, 2*threads*adamShares + 1}
	var pieces []AdamPiece
	var want [][3][]float32 // weights and moments
	var grads [][]float32
	for i, n := range sizes {
		w, g, m, v := b.normal(n), b.normal(n), b.normal(n), b.normal(n)
		for j := range v {
			v[j] *= v[j]
		}
		piece := AdamPiece{up(b, w), up(b, g), up(b, m), up(b, v), int32(n), flag(i != 1)}
		own := kernel.AdamParams(p)
		switch i {
		case 1:
			own.Decay = 0
		case 2:
			piece.Grad, g = 0, nil
		}
		if g != nil {
			kernel.AdamStep(w, g, m, v, own)
		}
		pieces, want, grads = append(pieces, piece), append(want, [3][]float32{w, m, v}), append(grads, g)
	}
	numbers := p.Numbers()
	table, sums := up(b, pieces), b.Alloc(8*len(pieces))
	b.must(AdamSquares(b, sums, table, len(pieces)))
	b.must(Adam(b, table, len(pieces), up(b, numbers[:])))
	for i, piece := range pieces {
		b.compare("w", piece.Weights, want[i][0], 0)
		b.compare("m", piece.Mean, want[i][1], 0)
		b.compare("v", piece.Square, want[i][2], 0)
		squares := kernel.SumSquares(grads[i])
		if got := down[float64](b, sums, len(pieces))[i]; math.Abs(got-squares) > 1e-14*squares*math.Sqrt(float64(sizes[i])) {
			t.Errorf("piece %d has %v squares, want %v", i, got, squares)
		}
	}
	b.must(AdamSquares(b, 0, 0, 0))
	b.must(Adam(b, 0, 0, 0))
}
