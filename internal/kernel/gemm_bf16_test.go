package kernel

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/mega-go/mega/internal/parallel"
)

// eachBF16 runs f with the twin and, where there are, with the instructions on vectors and
// on tiles.
func eachBF16(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	defer Use(Current())
	defer func(tiles bool) { tilesBF16 = tiles }(tilesBF16)
	implementations := []Implementation{Generic}
	if hasBF16 {
		implementations = append(implementations, bf16Implementation)
	}
	for _, i := range implementations {
		if err := Use(i); err != nil {
			t.Fatal(err)
		}
		tilesBF16 = false
		t.Run(i.String(), f)
		if hasAMX && i == bf16Implementation {
			tilesBF16 = true
			t.Run("tiles", f)
		}
	}
}

// bf16Ways are the functions under test.
var bf16Ways = []func(g *gemmCase){
	func(g *gemmCase) { GemmBF16(nil, g.m, g.n, g.k, g.a, g.madeB(), g.c.data, g.c.ld, g.e) },
	func(g *gemmCase) {
		GemmPacked(nil, g.m, g.n, g.k, g.a, packedBF16(g.k, g.n, g.b), g.c.data, g.c.ld, g.e)
	},
	func(g *gemmCase) {
		GemmPackedSerial(g.m, g.n, g.k, g.a, packedBF16(g.k, g.n, g.b), g.c.data, g.c.ld, g.e)
	},
}

func packedBF16(k, n int, b Matrix) *Packed {
	p := new(Packed)
	p.PackBF16(nil, k, n, b)
	return p
}

// runBF16 computes g by one of bf16Ways and compares it with sums of the
// rounded operands in float64, within the bound for a sum in float32: products
// of bfloat16 numbers are exact. BFMMLA's sums keep it too: each rounding may be a
// whole unit off, but of k terms there are k/2, since it adds two products first.
func (g *gemmCase) runBF16(t *testing.T, r *rand.Rand) {
	t.Helper()
	bf16Ways[r.IntN(len(bf16Ways))](g)
	g.a.Data, g.b.Data = roundedToBF16(g.a.Data), roundedToBF16(g.b.Data)
	g.check(t, r)
}

// roundedToBF16 returns the bfloat16 numbers nearest to x.
func roundedToBF16(x []float32) []float32 {
	rounded := make([]float32, len(x))
	for i, v := range x {
		rounded[i] = math.Float32frombits(uint32(bf16(math.Float32bits(v))) << 16)
	}
	return rounded
}

func TestGemmBF16Small(t *testing.T) {
	eachBF16(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(21, 22))
		for range 500 {
			newGemmCase(r, r.IntN(41), r.IntN(41), r.IntN(41), randomKind(r)).runBF16(t, r)
		}
	})
}

// Every number of rows and columns up to a tile's, and of pairs, whole and not,
// up to two turns of the kernels' loops.
func TestGemmBF16Tiles(t *testing.T) {
	eachBF16(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(23, 24))
		tile := tilings[implementationOf(1)]
		for m := 1; m <= tile.mr+1; m++ {
			for n := 1; n <= tile.nr+1; n++ {
				newGemmCase(r, m, n, 1+(m+n)%(2*tileTerms+2), randomKind(r)).runBF16(t, r)
			}
		}
	})
}

func TestGemmBF16Edges(t *testing.T) {
	parallel.SetWorkers(3)
	defer parallel.SetWorkers(0)
	eachBF16(t, func(t *testing.T) {
		skipSlow(t)
		r := rand.New(rand.NewPCG(25, 26))
		for _, s := range gemmEdges {
			newGemmCase(r, s[0], s[1], 2*s[2]-1, randomKind(r)).runBF16(t, r)
		}
		newGemmCase(r, 5, 37, 2*partSlice+3, gemmKind{transposeB: true}).runBF16(t, r)
	})
}

// Attention multiplies by the leading rows or columns of what it packed once,
// and packs again what it has packed in float32.
func TestPackedBF16(t *testing.T) {
	eachBF16(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(30, 31))
		packed := packB(3, 4, gemmOperand(r, 3, 4, false, 0))
		for _, transposed := range []bool{false, true} {
			whole := gemmOperand(r, 91, 70, transposed, 2)
			packed.PackBF16(nil, 91, 70, whole)
			if packed.Rows() != 91 || packed.Columns() != 70 {
				t.Errorf("packed 91 × 70 says %d × %d", packed.Rows(), packed.Columns())
			}
			for range 30 {
				g := newGemmCase(r, 1+r.IntN(20), r.IntN(71), r.IntN(92), gemmKind{bias: true, transposeA: transposed})
				g.b = whole
				GemmPackedSerial(g.m, g.n, g.k, g.a, packed, g.c.data, g.c.ld, g.e)
				g.a.Data, g.b.Data = roundedToBF16(g.a.Data), roundedToBF16(g.b.Data)
				g.check(t, r)
			}
		}
		if panicOf(func() {
			GemmPacked(nil, 1, 1, 92, Matrix{Data: make([]float32, 92), Stride: 92}, packed, make([]float32, 1), 1, Epilogue{})
		}) == nil {
			t.Error("no panic for more rows than were packed")
		}
	})
}

func TestGemmBF16SameForAnyWorkers(t *testing.T) {
	eachBF16(t, func(t *testing.T) {
		skipSlow(t)
		for i, s := range gemmEdges {
			if (Current() == Generic || testing.Short()) && i%3 != 0 {
				continue // the twin is slow, and so is an emulated processor
			}
			kind := gemmKind{transposeA: i%2 == 0, transposeB: i%3 == 0, bias: true, activation: true, accumulate: i%4 == 0}
			var want []float32
			withWorkers(t, func(t *testing.T) {
				g := newGemmCase(rand.New(rand.NewPCG(27, uint64(i))), s[0], s[1], 2*s[2]-1, kind)
				GemmBF16(nil, g.m, g.n, g.k, g.a, g.b, g.c.data, g.c.ld, g.e)
				if want == nil {
					want = g.c.whole
				}
				if !slices.Equal(g.c.whole, want) {
					t.Errorf("%v differs from that of one worker", g)
				}
			})
		}
	})
}

// The kernels round as the twin does, bit for bit: halves to even, what is too
// large to infinity, NaN to NaN, and the sign of zero stays. A product with the
// unit matrix shows what was rounded of either operand.
func TestGemmBF16Rounds(t *testing.T) {
	halves := []uint32{
		0x3f808000, 0x3f818000, 0x3f807fff, 0x3f808001, 0xbf808000, 0xbf818000, 0x3fffffff, // about 1 and 2
		0x7f7fffff, 0xff7f8000, 0x7f7f7fff, 0x7f800000, 0xff800000, 0x7f800001, 0x7fc00000, // the largest, infinities, NaNs
		0, 0x80000000, 0x00800000, 0x00ffffff, // zeros and the least normal numbers
	}
	eachBF16(t, func(t *testing.T) {
		for _, bits := range halves {
			x := []float32{math.Float32frombits(bits)}
			want := roundedToBF16(x)[0]
			one := Matrix{Data: []float32{1}, Stride: 1}
			for _, transposed := range []bool{false, true} {
				m := Matrix{Data: x, Stride: 1, Transposed: transposed}
				for _, operands := range [][2]Matrix{{m, one}, {one, m}} {
					c := []float32{7}
					GemmBF16(nil, 1, 1, 1, operands[0], operands[1], c, 1, Epilogue{})
					// A sum of +0 and −0 is +0.
					if c[0] != want && !(math.IsNaN(float64(c[0])) && math.IsNaN(float64(want))) {
						t.Errorf("%08x became %08x, want %08x", bits, math.Float32bits(c[0]), math.Float32bits(want))
					}
				}
			}
		}
	})
}

func TestGemmBF16DoesNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector empties pools")
	}
	r := rand.New(rand.NewPCG(28, 29))
	for i, s := range [][3]int{{100, 200, 90}, {32, 64, 64}, {30, 60, 2200}, {1, 300, 300}} {
		g := newGemmCase(r, s[0], s[1], s[2], gemmKind{bias: true, activation: true, transposeA: i%2 == 0, transposeB: i < 3})
		var packed Packed
		for name, f := range map[string]func(){
			"GemmBF16": func() { GemmBF16(nil, g.m, g.n, g.k, g.a, g.b, g.c.data, g.c.ld, g.e) },
			"PackBF16": func() { packed.PackBF16(nil, g.k, g.n, g.b) },
		} {
			if a := testing.AllocsPerRun(20, f); a > 0 {
				t.Errorf("%s of %v: %v allocations a call", name, s, a)
			}
		}
	}
}

func TestGemmBF16PanicsOnShortOperands(t *testing.T) {
	x := make([]float32, 12)
	whole := Matrix{Data: x, Stride: 4}
	for name, f := range map[string]func(){
		"A": func() { GemmBF16(nil, 4, 3, 4, whole, whole, x, 3, Epilogue{}) },
		"B": func() { GemmBF16(nil, 3, 4, 4, whole, whole, x, 4, Epilogue{}) },
		"C": func() { GemmBF16(nil, 3, 4, 3, whole, whole, x[:11], 4, Epilogue{}) },
	} {
		if panicOf(f) == nil {
			t.Errorf("no panic for a short %s", name)
		}
	}
}

func TestCheckBF16(t *testing.T) {
	eachGemmImplementation(t, func(t *testing.T) {
		err := CheckBF16()
		switch {
		case !hasBF16:
			if err == nil || !strings.Contains(err.Error(), bf16Processors) {
				t.Errorf("without the instructions: %v", err)
			}
		case Current().vectors() == bf16Implementation:
			if err != nil {
				t.Error(err)
			}
		case err == nil || !strings.Contains(err.Error(), "MEGA_KERNEL says "+Current().String()):
			t.Errorf("under %v: %v", Current(), err)
		}
	})
}

// TestBF16 rounds around every number, ties included.
func TestBF16(t *testing.T) {
	for i := range 1 << 16 {
		h := uint16(i)
		bits := uint32(h) << 16
		if h&0x7fff > 0x7f80 {
			if got := bf16(bits); got&0x7fff <= 0x7f80 {
				t.Fatalf("NaN %04x becomes %04x", h, got)
			}
			continue
		}
		if h&0x7fff == 0x7f80 {
			continue // beyond infinity lies NaN
		}
		if got := [3]uint16{bf16(bits | 0x7fff), bf16(bits | 0x8000), bf16(bits | 0x8001)}; got != [3]uint16{h, h + h&1, h + 1} {
			t.Fatalf("around %04x: %04x", h, got)
		}
	}
	if infinity, nan := bf16(0x7f800000), bf16(0x7f800001); infinity != 0x7f80 || nan&0x7fff <= 0x7f80 {
		t.Errorf("infinity and the least NaN become %04x and %04x", infinity, nan)
	}
}
