package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mega-go/mega/internal/parallel"
)

// smallSizes makes AMX compute products of any size in tiles, and tasks make an A of any size,
// until the test ends.
func smallSizes(t *testing.T) {
	tiles, made := tileLeast, madeLeast
	t.Cleanup(func() { tileLeast, madeLeast = tiles, made })
	tileLeast.terms, tileLeast.columns = 1, 1
	madeLeast = 1
}

// eachGemmImplementation runs f under every implementation that this machine
// can run.
func eachGemmImplementation(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	before := Current()
	defer Use(before)
	smallSizes(t)
	for _, i := range Available() {
		if err := Use(i); err != nil {
			t.Fatal(err)
		}
		t.Run(i.String(), f)
	}
}

// packB packs the k × n operand b.
func packB(k, n int, b Matrix) *Packed {
	p := new(Packed)
	p.Pack(nil, k, n, b)
	return p
}

// gemmWays are the functions under test.
var gemmWays = []struct {
	name string
	run  func(g *gemmCase)
}{
	{"Gemm", func(g *gemmCase) { Gemm(nil, g.m, g.n, g.k, g.a, g.madeB(), g.c.data, g.c.ld, g.e) }},
	{"GemmPacked", func(g *gemmCase) {
		GemmPacked(nil, g.m, g.n, g.k, g.a, packB(g.k, g.n, g.b), g.c.data, g.c.ld, g.e)
	}},
	{"GemmPackedSerial", func(g *gemmCase) {
		GemmPackedSerial(g.m, g.n, g.k, g.a, packB(g.k, g.n, g.b), g.c.data, g.c.ld, g.e)
	}},
	{"GemmPackedSerial of PackOnce", func(g *gemmCase) {
		var p Packed
		p.PackOnce(nil, g.k, g.n, g.b)
		GemmPackedSerial(g.m, g.n, g.k, g.a, &p, g.c.data, g.c.ld, g.e)
	}},
}

func TestGemmSmall(t *testing.T) {
	eachGemmImplementation(t, func(t *testing.T) {
		for _, way := range gemmWays {
			t.Run(way.name, func(t *testing.T) {
				r := rand.New(rand.NewPCG(1, 2))
				for i := range 250 {
					madeLeast = i % 2 << 19 // by tasks or whole
					g := newGemmCase(r, r.IntN(41), r.IntN(41), r.IntN(41), randomKind(r))
					way.run(g)
					g.check(t, r)
				}
			})
		}
	})
}

// Every number of rows and columns up to a tile's, and of terms up to two
// turns of the kernels' loops.
func TestGemmTiles(t *testing.T) {
	eachGemmImplementation(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(3, 4))
		tile := tilings[Current()]
		for m := 1; m <= tile.mr+1; m++ {
			for n := 1; n <= tile.nr+1; n++ {
				g := newGemmCase(r, m, n, 1+(m+n)%(2*tileTerms+2), randomKind(r))
				g.run(t, r, "Gemm")
			}
		}
	})
}

// run computes and checks g by one of the gemmWays.
func (g *gemmCase) run(t *testing.T, r *rand.Rand, name string) {
	t.Helper()
	for _, way := range gemmWays {
		if way.name == name {
			way.run(g)
		}
	}
	g.check(t, r)
}

// gemmEdges are sizes on both sides of where the way to compute changes: of
// blocks, tasks, packing and splitting.
var gemmEdges = [][3]int{
	{rowsFew, 50, depthMax}, {rowsFew + 1, 50, depthMax + 1}, {rowsMax + 1, 200, 2*depthMax + 1},
	{100, 2*blockMax/depthMax + 1, depthMax - 1}, {7, 1000, 330}, {1, 600, 700}, {2, 600, 700}, {3, 70, 513},
	{20, 33, 2 * splitDepth}, {61, 205, 2*splitDepth + 1}, {61, 205, 5*splitDepth - 1}, {rowsMax + 1, 300, 4*splitDepth + 3},
	{rowsMax, 65, aliasing}, {130, 90, 2 * aliasing}, {rowsFew + 1, 3*packSlice + 1, packSlice + 1},
}

// skipSlow skips what takes too long in plain Go under the race detector.
func skipSlow(t *testing.T) {
	if raceEnabled && Current() == Generic {
		t.Skip("slow under the race detector")
	}
}

func TestGemmEdges(t *testing.T) {
	parallel.SetWorkers(3)
	defer parallel.SetWorkers(0)
	eachGemmImplementation(t, func(t *testing.T) {
		skipSlow(t)
		r := rand.New(rand.NewPCG(5, 6))
		for i, s := range gemmEdges {
			g := newGemmCase(r, s[0], s[1], s[2], randomKind(r))
			gemmWays[i%len(gemmWays)].run(g)
			g.check(t, r)
		}
	})
}

// A transposed A whose rows compete for L1 is packed on some CPUs; both ways are
// computed here on any.
func TestGemmTransposedPackedOrNot(t *testing.T) {
	defer func(was bool) { waitsForL2 = was }(waitsForL2)
	const stride = aliasing / 4
	for _, waitsForL2 = range []bool{false, true} {
		eachGemmImplementation(t, func(t *testing.T) {
			skipSlow(t)
			for _, m := range []int{1, 15, stride - 3, 2 * stride} {
				r := rand.New(rand.NewPCG(12, uint64(m)))
				g := newGemmCase(r, m, columnsPacked+1, depthMax+3, gemmKind{bias: true})
				g.a = gemmOperand(r, g.k, m, false, roundUp(m, stride)-m)
				g.a.Transposed = true
				g.run(t, r, "Gemm")
			}
		})
	}
}

// Rows of A that compete for L1 are copied once for several blocks of columns.
func TestGemmCopiedRows(t *testing.T) {
	eachGemmImplementation(t, func(t *testing.T) {
		skipSlow(t)
		for i, m := range []int{cacheWays + 1, 29, rowsMax + 1} {
			r := rand.New(rand.NewPCG(14, uint64(i)))
			g := newGemmCase(r, m, 3*blockMax/depthMax, 2*aliasing, gemmKind{bias: true, transposeB: i == 0})
			gemmWays[i].run(g)
			g.check(t, r)
		}
	})
}

// B is packed in several steps where it has more than sharedMax numbers.
func TestGemmWiderThanShared(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for _, kind := range []gemmKind{
		{transposeB: true, bias: true, activation: true},
		{made: true, base: true, bias: true, activation: true, finish: true},
	} {
		g := newGemmCase(r, rowsFew+1, sharedMax/2000+33, 2000, kind)
		g.run(t, r, "Gemm")
	}
}

// TestGemmRowsAlone: a row that is multiplied by a packed B, or by a plain one, becomes
// what it would alone, bit for bit, however many others are beside it.
func TestGemmRowsAlone(t *testing.T) {
	type multiplying func(m, n, k int, a Matrix, c []float32, e Epilogue)
	ways := map[string]func(n, k int, b Matrix) multiplying{
		"plain": func(_, _ int, b Matrix) multiplying {
			return func(m, n, k int, a Matrix, c []float32, e Epilogue) { Gemm(nil, m, n, k, a, b, c, n, e) }
		},
	}
	for name, pack := range map[string]func(*Packed, *parallel.Workers, int, int, Matrix){
		"packed": (*Packed).Pack, "once": (*Packed).PackOnce, "bf16": (*Packed).PackBF16, "int8": (*Packed).PackInt8,
	} {
		ways[name] = func(n, k int, b Matrix) multiplying {
			var p Packed
			pack(&p, nil, k, n, b)
			return func(m, n, k int, a Matrix, c []float32, e Epilogue) { GemmPacked(nil, m, n, k, a, &p, c, n, e) }
		}
	}
	eachGemmImplementation(t, func(t *testing.T) {
		skipSlow(t)
		nr := tilings[Current()].nr
		for name, way := range ways {
			for _, size := range [][2]int{{7*nr + 5, 33}, {4 * nr, 2*depthMax + 3}, {nr + 1, 2*splitDepth + 1}, {3, 5}} {
				n, k := size[0], size[1]
				r := rand.New(rand.NewPCG(uint64(n), uint64(k)))
				const rows = rowsFew + 1
				multiply := way(n, k, gemmOperand(r, k, n, false, 3))
				a, before := gemmOperand(r, rows, k, false, 0), uniform(r, rows*n)
				e := Epilogue{Bias: uniform(r, n), Accumulate: true, Activation: SiLU}
				if n%2 == 0 { // products alone, some of which vanish
					e = Epilogue{}
					Scale(a.Data[:rows/2*k], a.Data[:rows/2*k], 0x1p-125)
				}
				alone := slices.Clone(before)
				for i := range rows {
					multiply(1, n, k, Matrix{Data: a.Data[i*k:], Stride: k}, alone[i*n:][:n], e)
				}
				for _, m := range []int{2, 3, 4, 6, 7, 13, 14, 15, rowsFew/2 + 1, rows} {
					together := slices.Clone(before)
					multiply(m, n, k, a, together, e)
					if i := slices.IndexFunc(together[:m*n], differsFrom(alone)); i >= 0 {
						t.Fatalf("%s, %d rows of %d columns and %d terms: row %d, column %d is %v, alone %v", name, m, n, k, i/n, i%n, together[i], alone[i])
					}
				}
			}
		}
	})
}

// differsFrom returns a function that, called for one number after another, reports
// whether it differs from that of want, to the bit.
func differsFrom(want []float32) func(float32) bool {
	i := -1
	return func(x float32) bool {
		i++
		return math.Float32bits(x) != math.Float32bits(want[i])
	}
}

func TestGemmSameForAnyWorkers(t *testing.T) {
	eachGemmImplementation(t, func(t *testing.T) {
		skipSlow(t)
		for i, s := range gemmEdges {
			kind := gemmKind{transposeA: i%2 == 0, transposeB: i%3 == 0, bias: true, activation: true, accumulate: i%4 == 0, made: true, base: true, finish: true}
			var want []float32
			withWorkers(t, func(t *testing.T) {
				r := rand.New(rand.NewPCG(9, uint64(i)))
				g := newGemmCase(r, s[0], s[1], s[2], kind)
				gemmWays[i%2*2].run(g) // Gemm or GemmPacked
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

// A NaN or infinity reaches its row or column of C, and no other.
func TestGemmPassesNaNAndInf(t *testing.T) {
	eachGemmImplementation(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(10, 11))
		for _, bad := range []float64{math.NaN(), math.Inf(1)} {
			for _, transposed := range []bool{false, true} {
				const m, n, k = 19, 37, 21
				g := newGemmCase(r, m, n, k, gemmKind{transposeA: transposed, transposeB: transposed})
				row, column := r.IntN(m), r.IntN(n)
				set := func(x Matrix, i, j int) {
					if transposed {
						i, j = j, i
					}
					x.Data[i*x.Stride+j] = float32(bad)
				}
				set(g.a, row, r.IntN(k))
				set(g.b, r.IntN(k), column)
				Gemm(nil, m, n, k, g.a, g.b, g.c.data, g.c.ld, g.e)
				for i := range m {
					for j := range n {
						v := float64(g.c.data[i*g.c.ld+j])
						finite := !math.IsNaN(v) && !math.IsInf(v, 0)
						if finite != (i != row && j != column) {
							t.Fatalf("C[%d,%d] = %v with %v in row %d of A and column %d of B", i, j, v, bad, row, column)
						}
					}
				}
			}
		}
	})
}

// Attention multiplies by the leading rows or columns of what it packed once.
func TestGemmPackedPrefix(t *testing.T) {
	eachGemmImplementation(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(12, 13))
		whole := gemmOperand(r, 90, 70, true, 2)
		packed, once := packB(90, 70, whole), new(Packed)
		once.PackOnce(nil, 90, 70, whole)
		for i := range 60 {
			g := newGemmCase(r, 1+r.IntN(20), r.IntN(71), r.IntN(91), gemmKind{bias: true})
			g.b = whole
			GemmPackedSerial(g.m, g.n, g.k, g.a, []*Packed{packed, once}[i%2], g.c.data, g.c.ld, g.e)
			g.check(t, r)
		}
	})
}

func TestPackedIsReused(t *testing.T) {
	eachGemmImplementation(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(14, 15))
		var packed Packed
		for _, s := range [][2]int{{0, 0}, {40, 50}, {3, 7}, {50, 40}, {17, 65}} {
			k, n := s[0], s[1]
			g := newGemmCase(r, 5, n, k, randomKind(r))
			packed.Pack(nil, k, n, g.b)
			if packed.Rows() != k || packed.Columns() != n {
				t.Errorf("packed %d × %d says %d × %d", k, n, packed.Rows(), packed.Columns())
			}
			GemmPacked(nil, 5, n, k, g.a, &packed, g.c.data, g.c.ld, g.e)
			g.check(t, r)
		}
	})
}

// What was packed for one implementation is multiplied by it.
func TestPackedRemembersItsImplementation(t *testing.T) {
	defer Use(Current())
	r := rand.New(rand.NewPCG(16, 17))
	g := newGemmCase(r, 20, 30, 40, gemmKind{})
	for _, i := range Available() {
		Use(i)
		packed := packB(g.k, g.n, g.b)
		Use(Generic)
		GemmPacked(nil, g.m, g.n, g.k, g.a, packed, g.c.data, g.c.ld, g.e)
		g.check(t, r)
	}
}

func TestGemmDoesNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector empties pools")
	}
	r := rand.New(rand.NewPCG(18, 19))
	for i, s := range [][3]int{{100, 200, 90}, {32, 64, 64}, {30, 60, 1100}, {1, 300, 300}} {
		g := newGemmCase(r, s[0], s[1], s[2], gemmKind{bias: true, activation: true, transposeA: i%2 == 0, transposeB: i < 3, made: true, base: true, finish: true})
		b := g.madeB()
		packed := packB(g.k, g.n, g.b)
		for name, f := range map[string]func(){
			"Gemm":             func() { Gemm(nil, g.m, g.n, g.k, g.a, b, g.c.data, g.c.ld, g.e) },
			"GemmPackedSerial": func() { GemmPackedSerial(g.m, g.n, g.k, g.a, packed, g.c.data, g.c.ld, g.e) },
			"Pack":             func() { packed.Pack(nil, g.k, g.n, g.b) },
		} {
			if a := testing.AllocsPerRun(20, f); a > 0 {
				t.Errorf("%s of %v: %v allocations a call", name, s, a)
			}
		}
	}
}

func TestGemmConcurrently(t *testing.T) {
	eachGemmImplementation(t, func(t *testing.T) {
		skipSlow(t)
		withWorkers(t, func(t *testing.T) {
			parallel.Shared.Run(6, func(_, i int) {
				r := rand.New(rand.NewPCG(20, uint64(i)))
				for _, s := range [][3]int{{90, 80, 70}, {30, 60, 1100}, {1, 90, 400}} {
					g := newGemmCase(r, s[0], s[1], s[2], randomKind(r))
					gemmWays[i%len(gemmWays)].run(g)
					g.check(t, r)
				}
			})
		})
	})
}

func TestGemmPanics(t *testing.T) {
	x := make([]float32, 12)
	whole := Matrix{Data: x, Stride: 4}
	made := Matrix{Maker: copyMaker{whole}}
	for name, f := range map[string]func(){
		"a short A":             func() { Gemm(nil, 4, 3, 4, whole, whole, x, 3, Epilogue{}) },
		"a short B":             func() { Gemm(nil, 3, 4, 4, whole, whole, x, 4, Epilogue{}) },
		"a short C":             func() { Gemm(nil, 3, 4, 3, whole, whole, x[:11], 4, Epilogue{}) },
		"a short ldc":           func() { Gemm(nil, 3, 4, 3, whole, whole, x, 3, Epilogue{}) },
		"a short bias":          func() { Gemm(nil, 3, 4, 3, whole, whole, x, 4, Epilogue{Bias: x[:3]}) },
		"a short Pre":           func() { Gemm(nil, 3, 4, 3, whole, whole, x, 4, Epilogue{Pre: x[:3]}) },
		"a short packed":        func() { GemmPacked(nil, 3, 4, 4, whole, packB(3, 4, whole), x, 4, Epilogue{}) },
		"a short base":          func() { Gemm(nil, 3, 4, 3, whole, whole, x, 4, Epilogue{Base: x[:11], BaseStride: 4}) },
		"C and a base":          func() { Gemm(nil, 3, 4, 3, whole, whole, x, 4, Epilogue{Base: x, BaseStride: 4, Accumulate: true}) },
		"the transpose of made": func() { Gemm(nil, 3, 3, 3, made.T(), whole, x, 4, Epilogue{}) },
		"packing what is made":  func() { packB(3, 4, made) },
		"the same in bfloat16":  func() { packedBF16(3, 4, made) },
		"the same in bytes":     func() { new(Packed).PackInt8(nil, 3, 4, made) },
		"the same once":         func() { new(Packed).PackOnce(nil, 3, 4, made) },
	} {
		if panicOf(f) == nil {
			t.Errorf("no panic for %s", name)
		}
	}
}

// withWorkers runs f with each of several numbers of workers.
func withWorkers(t *testing.T, f func(t *testing.T)) {
	defer parallel.SetWorkers(0)
	for _, n := range []int{1, 2, 3, 5} {
		parallel.SetWorkers(n)
		t.Run(fmt.Sprintf("workers=%d", n), f)
	}
}

// panicOf returns what f panics with.
func panicOf(f func()) (value any) {
	defer func() { value = recover() }()
	f()
	return nil
}
