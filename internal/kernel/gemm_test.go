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

// A gemmCase is one product, with guards around and between what it may write.
type gemmCase struct {
	m, n, k  int
	a, b     Matrix
	c, pre   gemmRows
	made     bool // whether a Maker makes operands that are not transposed
	e        Epilogue
	original []float32 // C before the product
}

// gemmKind says what a gemmCase is like.
type gemmKind struct {
	transposeA, transposeB, strided, accumulate, bias, activation, made, base, finish bool
}

// randomKind draws a kind.
func randomKind(r *rand.Rand) gemmKind {
	flip := func() bool { return r.IntN(2) == 0 }
	return gemmKind{flip(), flip(), flip(), flip(), flip(), flip(), flip(), flip(), flip()}
}

func newGemmCase(r *rand.Rand, m, n, k int, kind gemmKind) *gemmCase {
	slack := 0
	if kind.strided {
		slack = 1 + r.IntN(5)
	}
	g := &gemmCase{m: m, n: n, k: k}
	g.a = gemmOperand(r, m, k, kind.transposeA, slack)
	g.b = gemmOperand(r, k, n, kind.transposeB, slack)
	g.c = newGemmRows(r, m, n, n+slack)
	if g.made = kind.made; g.made && !kind.transposeA {
		g.a.Maker = copyMaker{g.a}
	}
	g.e.Accumulate = kind.accumulate
	if kind.base && !kind.accumulate && m*n > 0 {
		base := gemmOperand(r, m, n, false, 2*slack)
		g.e.Base, g.e.BaseStride = base.Data, base.Stride
	}
	if kind.finish {
		g.e.Finisher = halvesC{g}
	}
	if kind.bias {
		g.e.Bias = uniform(r, n)
	}
	if kind.activation {
		g.e.Activation = SiLU
		g.pre = newGemmRows(r, m, n, n+slack)
		g.e.Pre = g.pre.data
	}
	g.original = slices.Clone(g.c.data)
	return g
}

// A copyMaker makes what a matrix holds.
type copyMaker struct{ of Matrix }

func (c copyMaker) Make(dst []float32, stride, i, j, rows, cols int) {
	for row := range rows {
		copy(dst[row*stride:][:cols], c.of.Data[(i+row)*c.of.Stride+j:][:cols])
	}
}

func (c copyMaker) Ahead(i, rows int) []float32 {
	if i%3 == 0 {
		return nil
	}
	return c.of.Data[i*c.of.Stride:]
}

// madeB returns B, by a Maker if it can be.
func (g *gemmCase) madeB() Matrix {
	b := g.b
	if g.made && !b.Transposed {
		b.Maker = copyMaker{g.b}
	}
	return b
}

// halvesC is a Finisher that takes half of C and changes its sign, so that what it sees
// twice or never, or too early, is wrong.
type halvesC struct{ g *gemmCase }

func (h halvesC) Finish(i, j, rows, cols int) {
	for row := i; row < i+rows; row++ {
		c := h.g.c.data[row*h.g.c.ld+j:][:cols]
		Scale(c, c, -0.5)
	}
}

// uniform returns n numbers between -1 and 1.
func uniform(r *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(int32(r.Uint32())) * 0x1p-31
	}
	return x
}

// gemmOperand returns a random rows × cols operand that does not start on a
// multiple of eight bytes, with slack NaNs between its stored rows.
func gemmOperand(r *rand.Rand, rows, cols int, transposed bool, slack int) Matrix {
	stored, width := rows, cols
	if transposed {
		stored, width = cols, rows
	}
	m := Matrix{Stride: width + slack, Transposed: transposed}
	m.Data = uniform(r, 1+stored*m.Stride)[1:]
	for i := range stored {
		for j := width; j < m.Stride; j++ {
			m.Data[i*m.Stride+j] = float32(math.NaN())
		}
	}
	if stored > 0 && width > 0 {
		m.Data = m.Data[: (stored-1)*m.Stride+width : (stored-1)*m.Stride+width]
	}
	return m
}

// element returns an element of the operand.
func (m Matrix) element(i, j int) float32 {
	if m.Transposed {
		i, j = j, i
	}
	return m.Data[i*m.Stride+j]
}

// gemmRows is memory for m rows of n numbers, ld apart, with guards before,
// between and after.
type gemmRows struct {
	m, n, ld    int
	whole, data []float32
}

const gemmGuard, gemmGuards = float32(-12345.678), 37

func newGemmRows(r *rand.Rand, m, n, ld int) gemmRows {
	whole := make([]float32, m*ld+2*gemmGuards)
	for i := range whole {
		whole[i] = gemmGuard
	}
	data := whole[gemmGuards : gemmGuards+m*ld]
	for i := range m {
		copy(data[i*ld:], uniform(r, n))
	}
	return gemmRows{m, n, ld, whole, data}
}

// checkGuards fails if anything but the rows was written.
func (g *gemmRows) checkGuards(t *testing.T) {
	t.Helper()
	for i, v := range g.whole {
		at := i - gemmGuards
		inside := at >= 0 && at < g.m*g.ld && at%g.ld < g.n
		if !inside && v != gemmGuard {
			t.Fatalf("wrote %v at %d, outside %d rows of %d, %d apart", v, at, g.m, g.n, g.ld)
		}
	}
}

// check compares C and Pre with sums in float64, all elements of small
// products and some of large ones. The bound is that of a sum of k+2 terms in
// any order, (k+2) eps Σ|term|; the activation's slope is below 1.1 and its own
// error a few eps.
func (g *gemmCase) check(t *testing.T, r *rand.Rand) {
	t.Helper()
	g.c.checkGuards(t)
	if g.e.Pre != nil {
		g.pre.checkGuards(t)
	}
	if g.m*g.n*g.k <= 1<<16 {
		for i := range g.m {
			for j := range g.n {
				g.checkElement(t, i, j)
			}
		}
		return
	}
	g.checkElement(t, 0, 0)
	g.checkElement(t, g.m-1, g.n-1)
	for range 100 {
		g.checkElement(t, r.IntN(g.m), r.IntN(g.n))
		g.checkElement(t, g.m-1-r.IntN(min(g.m, 14)), g.n-1-r.IntN(min(g.n, 32)))
	}
}

func (g *gemmCase) checkElement(t *testing.T, i, j int) {
	t.Helper()
	want, size := g.want(i, j)
	bound := float64(g.k+2) * 0x1p-24 * size
	at := i*g.c.ld + j
	if g.e.Pre != nil {
		g.near(t, "Pre", i, j, g.e.Pre[at], want, bound)
		want = want / (1 + math.Exp(-want))
		bound = 1.1*bound + 0x1p-21*math.Abs(want)
	}
	if g.e.Finisher != nil {
		want, bound = -want/2, bound/2
	}
	g.near(t, "C", i, j, g.c.data[at], want, bound)
}

func (g *gemmCase) near(t *testing.T, what string, i, j int, got float32, want, bound float64) {
	t.Helper()
	if !(math.Abs(float64(got)-want) <= bound) {
		t.Fatalf("%v: %s[%d,%d] = %v, want %v within %.2g", g, what, i, j, got, want, bound)
	}
}

// want returns an element of C before the activation, and the sum of the sizes
// of its terms.
func (g *gemmCase) want(i, j int) (sum, size float64) {
	add := func(v float64) { sum += v; size += math.Abs(v) }
	for p := range g.k {
		add(float64(g.a.element(i, p)) * float64(g.b.element(p, j)))
	}
	if g.e.Bias != nil {
		add(float64(g.e.Bias[j]))
	}
	if g.e.Accumulate {
		add(float64(g.original[i*g.c.ld+j]))
	}
	if g.e.Base != nil {
		add(float64(g.e.Base[i*g.e.BaseStride+j]))
	}
	return sum, size
}

func (g *gemmCase) String() string {
	return fmt.Sprintf("m=%d n=%d k=%d Aᵀ=%v Bᵀ=%v made=%v ldc=%d accumulate=%v base=%v bias=%v pre=%v finisher=%v",
		g.m, g.n, g.k, g.a.Transposed, g.b.Transposed, g.made, g.c.ld, g.e.Accumulate, g.e.Base != nil, g.e.Bias != nil, g.e.Pre != nil, g.e.Finisher != nil)
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
