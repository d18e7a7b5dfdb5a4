package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// TestSoftmax checks all functions of a row against float64, in place and not,
// with scores of small and of great range.
func TestSoftmax(t *testing.T) {
	eachVec(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(7, 8))
		for i, n := range append(lengths()[1:], 10000) {
			checkSoftmax(t, r, n, i%9, []float64{1, 30}[i%2], i%3 == 0)
		}
	})
}

func checkSoftmax(t *testing.T, r *rand.Rand, n, offset int, spread float64, inPlace bool) {
	t.Helper()
	x := newBlock(1, n, n, offset, func() float32 { return float32(r.NormFloat64() * spread) })
	p := newBlock(1, n, n, (offset+3)%8, func() float32 { return guard })
	original := append([]float32(nil), x.data...)
	if inPlace {
		p = x
	}
	m, total := float64(Max(x.data)), 0.0
	for _, v := range original {
		total += math.Exp(float64(v) - m)
	}
	logSum := m + math.Log(total)
	where := fmt.Sprintf("of %d, offset %d", n, offset)
	logTerm := value{logSum, math.Abs(m) + math.Abs(logSum) + 1}
	logTerm.check(t, "LogSumExp "+where, float64(LogSumExp(x.data)), 4)
	logTerm.check(t, "LogSoftmaxRow's result "+where, float64(LogSoftmaxRow(p.data, x.data)), 4)
	for i, v := range original {
		value{float64(v) - logSum, math.Abs(float64(v)) + logTerm.size}.check(t, "LogSoftmaxRow "+where, float64(p.data[i]), 5)
	}
	if !p.intact() || !x.intact() {
		t.Errorf("LogSoftmaxRow %s wrote outside", where)
	}
	if t.Failed() {
		t.FailNow()
	}
}

func TestExpSubRow(t *testing.T) {
	eachVec(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(9, 10))
		for i, n := range lengths() {
			x := newBlock(1, n, n, i%9, func() float32 { return float32(r.NormFloat64()) })
			dst := newBlock(1, n, n, i%7, func() float32 { return guard })
			got := ExpSubRow(dst.data, x.data, 0.5)
			var sum value
			for j, v := range x.data {
				want := math.Exp(float64(v - 0.5))
				sum = sum.plus(want)
				value{want, want}.check(t, fmt.Sprintf("%d of %d", j, n), float64(dst.data[j]), 2)
			}
			sum.check(t, fmt.Sprint("sum of ", n), float64(got), 6)
			if !dst.intact() {
				t.Fatalf("ExpSubRow of %d wrote outside", n)
			}
		}
	})
}

func TestSoftmaxOfSpecials(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	eachVec(t, func(t *testing.T) {
		x, p := make([]float32, 21), make([]float32, 21)
		for _, v := range []float32{nan, inf} {
			Fill(x, -inf)
			x[7], x[20] = 1, v
			if l := LogSoftmaxRow(p, x); l == l && !math.IsInf(float64(l), 1) || p[7] == p[7] && v != inf || p[20] == p[20] && v != inf {
				t.Errorf("a row with %g: %v, %v", v, l, p)
			}
		}
		Fill(x, -inf)
		x[20] = 3
		if l := LogSoftmaxRow(p, x); l != 3 || p[20] != 0 || Max(p[:20]) != -inf {
			t.Errorf("a row with one finite element: %v, %v", l, p)
		}
		x[20] = -inf
		if l := LogSoftmaxRow(p, x); l != -inf || Max(p) != -inf {
			t.Errorf("LogSoftmaxRow of -Inf: %v, %v", l, p)
		}
		if l := LogSoftmaxRow(nil, nil); l != -inf {
			t.Errorf("no elements: %v", l)
		}
	})
}

func BenchmarkSoftmax(b *testing.B) {
	const n = 1024
	x, z := make([]float32, n), make([]float32, n)
	for i := range x {
		x[i] = float32(i%77)/10 - 3
	}
	benchVec(b, "LogSoftmaxRow", n, func() { LogSoftmaxRow(z, x) })
	benchVec(b, "ExpSubRow", n, func() { ExpSubRow(z, x, 4) })
	benchVec(b, "LogSumExp", n, func() { LogSumExp(x) })
}
