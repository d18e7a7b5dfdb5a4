package naive

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// randomEMA returns an EMA of d channels and n averages with kernels for k rows.
func randomEMA(r *rand.Rand, k, d, n int) EMA {
	return EMA{
		Delta: random(r, k, n), Alpha: random(r, k, n), Beta: random(r, k, n), Gamma: random(r, k, n),
		Omega: random(r, 1, d),
	}
}

// reversed returns x's rows in the opposite order.
func reversed(x *Matrix) *Matrix {
	return Gather(x, x.Rows, x.Cols, func(i, j int) int { return (x.Rows-1-i)*x.Cols + j })
}

// TestEMAIsItsRecurrence holds the convolution against Step.
func TestEMAIsItsRecurrence(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	e, x := randomEMA(r, 3, 3, 4), random(r, 20, 3)
	want := e.Forward(x, nil)
	var state *Matrix
	for i := range x.Rows {
		var y *Matrix
		y, state = e.Step(Rows(x, i, i+1), state)
		within(t, "step", y.Data, want.Row(i), 1e-13)
	}
}

// TestEMABidirectional holds both directions against two causal ones, lag 0 in
// both, or in the forward one only when Shifted.
func TestEMABidirectional(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	const d, l = 3, 11
	x, k1, k2 := random(r, l, d), random(r, l, d), random(r, l, d)
	causal := func(x, k *Matrix) *Matrix { return EMA{}.Convolution(x, k) }
	kernel := ConcatCols(k1, k2)
	both := EMA{}.Convolution(x, kernel)
	within(t, "both directions", both.Data, Add(causal(x, k1), reversed(causal(reversed(x), k2))).Data, 1e-14)

	later := Gather(k2, l, d, func(i, j int) int { return (i-1)*d + j }) // a first tap of 0
	shifted := EMA{Shifted: true}.Convolution(x, kernel)
	within(t, "shifted", shifted.Data, Add(causal(x, k1), reversed(causal(reversed(x), later))).Data, 1e-14)
}

func TestEMATruncation(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	e := randomEMA(r, 2, 2, 3)
	full := e.Kernel(9)
	for _, truncation := range []int{-1, 0, 4, 9, 100} {
		e.Truncation = truncation
		kernel := e.Kernel(9)
		taps := 9
		if truncation == 4 {
			taps = 4
		}
		if kernel.Rows != taps {
			t.Fatalf("truncation %d leaves %d taps, want %d", truncation, kernel.Rows, taps)
		}
		within(t, "kernel", kernel.Data, Rows(full, 0, taps).Data, 0)
	}
}

// TestEMAPadding: the moving average does not see what is under a mask, and the
// residual does.
func TestEMAPadding(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	e, x := randomEMA(r, 4, 2, 3), random(r, 6, 2)
	mask := []bool{false, true, false, false, true, true}
	y := e.Forward(x, mask)
	changed := FromFunc(6, 2, func(i, j int) float64 {
		if mask[i] {
			return 9
		}
		return x.At(i, j)
	})
	y2 := e.Forward(changed, mask)
	for i, pad := range mask {
		if same := slices.Equal(y.Row(i), y2.Row(i)); same == pad {
			t.Errorf("row %d: padding %v, but unchanged is %v", i, pad, same)
		}
	}
}

func TestEMAGradient(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	for _, truncation := range []int{0, 3} {
		for _, shifted := range []bool{false, true} {
			e, x := randomEMA(r, 4, 2, 3), random(r, 5, 2)
			e.Truncation, e.Shifted = truncation, shifted
			mask := []bool{false, false, true, false, false}
			checkGradient(t, "EMA", func() *Matrix { return e.Forward(x, mask) }, x, e.Delta, e.Alpha, e.Beta, e.Gamma, e.Omega)
		}
	}
	e, x, state := randomEMA(r, 2, 2, 3), random(r, 1, 2), random(r, 2, 3)
	checkGradient(t, "Step", func() *Matrix {
		y, next := e.Step(x, state)
		return ConcatCols(y, Rows(next, 0, 1))
	}, x, state, e.Delta, e.Alpha, e.Beta, e.Gamma, e.Omega)
}
