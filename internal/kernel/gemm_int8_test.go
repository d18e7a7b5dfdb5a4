package kernel

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mega-go/mega/internal/parallel"
)

// quantized returns b with each column as PackInt8 rounds it.
func quantized(k, n int, b Matrix) Matrix {
	b.Data = slices.Clone(b.Data)
	q := make([]int8, k)
	for j := range n {
		scale := b.quantizeColumn(q, j)
		for i, v := range q {
			at := i*b.Stride + j
			if b.Transposed {
				at = j*b.Stride + i
			}
			b.Data[at] = float32(v) * scale
		}
	}
	return b
}

// runInt8 computes g with a B of bytes and compares it with sums of the rounded
// numbers in float64 and, bit for bit, with the product of them in float32.
func (g *gemmCase) runInt8(t *testing.T, r *rand.Rand) {
	t.Helper()
	var packed Packed
	packed.PackInt8(nil, g.k, g.n, g.b)
	g.b = quantized(g.k, g.n, g.b)
	multiply := func(p *Packed) []float32 {
		if g.m%2 == 0 {
			GemmPackedSerial(g.m, g.n, g.k, g.a, p, g.c.data, g.c.ld, g.e)
		} else {
			GemmPacked(nil, g.m, g.n, g.k, g.a, p, g.c.data, g.c.ld, g.e)
		}
		return slices.Clone(g.c.data)
	}
	if int8Implementation() == Current() {
		want := multiply(packB(g.k, g.n, g.b))
		copy(g.c.data, g.original)
		if got := multiply(&packed); !slices.Equal(got, want) {
			t.Errorf("%v differs from the product in float32", g)
		}
	} else {
		multiply(&packed)
	}
	g.check(t, r)
}

// Every number of rows and columns up to a tile's, and terms up to two turns of the
// kernels' loops.
func TestGemmInt8Tiles(t *testing.T) {
	eachGemmImplementation(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(41, 42))
		tile := tilings[Current()]
		for m := 1; m <= tile.mr+1; m++ {
			for n := 1; n <= tile.nr+1; n++ {
				newGemmCase(r, m, n, (m+n)%10, randomKind(r)).runInt8(t, r)
			}
		}
	})
}

func TestGemmInt8Edges(t *testing.T) {
	parallel.SetWorkers(3)
	defer parallel.SetWorkers(0)
	eachGemmImplementation(t, func(t *testing.T) {
		skipSlow(t)
		r := rand.New(rand.NewPCG(43, 44))
		for _, s := range gemmEdges {
			newGemmCase(r, s[0], s[1], s[2], randomKind(r)).runInt8(t, r)
		}
	})
}

// The leading rows and columns of what was packed serve too.
func TestGemmInt8OfAPart(t *testing.T) {
	eachGemmImplementation(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(45, 46))
		whole := gemmOperand(r, 91, 70, true, 2)
		var packed Packed
		packed.PackInt8(nil, 91, 70, whole)
		if packed.Rows() != 91 || packed.Columns() != 70 {
			t.Errorf("packed 91 × 70 says %d × %d", packed.Rows(), packed.Columns())
		}
		for range 10 {
			g := newGemmCase(r, 1+r.IntN(20), r.IntN(71), r.IntN(92), gemmKind{bias: true})
			g.b = quantized(91, 70, whole)
			GemmPacked(nil, g.m, g.n, g.k, g.a, &packed, g.c.data, g.c.ld, g.e)
			g.check(t, r)
		}
	})
}

func TestQuantizeInt8(t *testing.T) {
	r := rand.New(rand.NewPCG(47, 48))
	for i := range 300 {
		x := uniform(r, 1+r.IntN(50))
		for j := range x {
			x[j] *= float32(math.Exp(0.6*float64(i) - 100))
		}
		if i%7 == 0 {
			clear(x)
		}
		q := make([]int8, len(x))
		scale := QuantizeInt8(q, x, 1)
		most := float64(slices.Max(append(slices.Clone(x), -slices.Min(x))))
		switch {
		case most < int8Least && scale != 0:
			t.Errorf("numbers up to %g have the scale %g, want 0", most, scale)
		case most >= int8Least && (float64(scale) < most/128 || float64(scale) > most/126.99):
			t.Errorf("numbers up to %g have the scale %g", most, scale)
		}
		back := make([]float32, len(x))
		for j, v := range q {
			back[j] = float32(v) * scale
			if float64(back[j]) != float64(v)*float64(scale) {
				t.Errorf("%d times %g is not exact", v, scale)
			}
			if d := math.Abs(float64(back[j]) - float64(x[j])); scale != 0 && d > 0.5*float64(scale)*(1+0x1p-20) {
				t.Errorf("%g becomes %g with the scale %g", x[j], back[j], scale)
			}
		}
		again := make([]int8, len(x))
		if s := QuantizeInt8(again, back, 1); s != scale || !slices.Equal(again, q) {
			t.Errorf("what was quantised with %g is quantised again with %g, to %v from %v", scale, s, again, q)
		}
	}
	q := []int8{0, 0, 0}
	if s := QuantizeInt8(q, []float32{254, 9, -508, 9, 3}, 2); s != 4 || !slices.Equal(q, []int8{64, -127, 1}) {
		t.Errorf("every second number becomes %v times %g", q, s)
	}
	for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		if s := QuantizeInt8(q, []float32{1, float32(bad), 2}, 1); s == s || q[0] == 0 {
			t.Errorf("%g among the numbers becomes %v times %g, want NaN", bad, q, s)
		}
	}
}

func TestGemmInt8DoesNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector empties pools")
	}
	r := rand.New(rand.NewPCG(49, 50))
	for _, m := range []int{1, 5, 40} {
		g := newGemmCase(r, m, 300, 300, gemmKind{bias: true, activation: true, transposeB: true})
		var packed Packed
		packed.PackInt8(nil, g.k, g.n, g.b)
		f := func() { GemmPacked(nil, g.m, g.n, g.k, g.a, &packed, g.c.data, g.c.ld, g.e) }
		if a := testing.AllocsPerRun(20, f); a > 0 {
			t.Errorf("%d rows: %v allocations a call", m, a)
		}
	}
}
