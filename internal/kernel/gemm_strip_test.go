package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// A row of C is the same, bit for bit, whatever rows are beside it and however A lies in
// memory, so that every kernel is compared with that of a single row, and that with float64.
func TestStrips(t *testing.T) {
	eachGemmImplementation(t, func(t *testing.T) {
		skipSlow(t)
		r := rand.New(rand.NewPCG(21, 22))
		impl := Current().vectors()
		for m := 1; m <= tilings[impl].mr; m++ {
			for _, k := range []int{1, 3, 4, 5, 8, 14, 33} {
				for _, n := range []int{1, 15, 16, 17, 31, 32, 33, 69, 130} {
					checkStrip(t, r, impl, m, n, k)
				}
			}
		}
	})
}

// checkStrip computes a strip of m rows with A by rows and by columns, and row by row.
func checkStrip(t *testing.T, r *rand.Rand, impl Implementation, m, n, k int) {
	const spare = 3 // numbers between rows, which are not to be touched
	tile := tilings[impl]
	panels := ceilDiv(n, tile.nr)
	rows, columns := nans(m*(k+spare)), nans(k*(m+spare))
	for i := range m {
		for p := range k {
			v := float32(r.NormFloat64())
			rows[i*(k+spare)+p], columns[p*(m+spare)+i] = v, v
		}
	}
	b := gemmOperand(r, panels*k, tile.nr, false, 0).Data
	bias, c := nans(n), nans(m*(n+spare))
	for j := range n {
		bias[j] = float32(r.NormFloat64())
		for i := range m {
			c[i*(n+spare)+j] = float32(r.NormFloat64())
		}
	}
	s := strip{m: m, n: n, k: k, b: b, bs: k * tile.nr, ldc: n + spare}
	if r.IntN(2) == 0 {
		s.bias = bias
	}
	s.add = r.IntN(2) == 0
	run := func(s strip) []float32 {
		s.c = slices.Clone(c)
		s.run(impl)
		return s.c
	}
	byRows, byColumns := s, s
	byRows.a, byRows.as, byRows.ks = rows, k+spare, 1
	byColumns.a, byColumns.as, byColumns.ks = columns, 1, m+spare
	want := slices.Clone(c)
	for i := range m {
		one := byRows
		one.m, one.a, one.c = 1, rows[i*(k+spare):], want[i*(n+spare):]
		one.run(impl)
	}
	name := fmt.Sprintf("%d × %d by %d, bias %v, add %v", m, n, k, s.bias != nil, s.add)
	sameBits(t, name+", A by rows", run(byRows), want)
	sameBits(t, name+", A by columns", run(byColumns), want)
	for i := range m {
		for j := range n {
			sum := 0.0
			for p := range k {
				sum += float64(rows[i*(k+spare)+p]) * float64(b[j/tile.nr*s.bs+p*tile.nr+j%tile.nr])
			}
			if s.bias != nil {
				sum += float64(bias[j])
			}
			if s.add {
				sum += float64(c[i*(n+spare)+j])
			}
			if got := float64(want[i*(n+spare)+j]); math.Abs(got-sum) > 1e-5*float64(k+2) {
				t.Fatalf("%s: C[%d,%d] is %v, want %v", name, i, j, got, sum)
			}
		}
	}
}

// nans returns n NaNs.
func nans(n int) []float32 { return slices.Repeat([]float32{float32(math.NaN())}, n) }

// sameBits fails unless got and want are equal bit for bit.
func sameBits(t *testing.T, name string, got, want []float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d numbers, want %d", name, len(got), len(want))
	}
	for i := range want {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
			t.Fatalf("%s: number %d is %v, want %v", name, i, got[i], want[i])
		}
	}
}
