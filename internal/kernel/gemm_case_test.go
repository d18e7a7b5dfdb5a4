package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

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
