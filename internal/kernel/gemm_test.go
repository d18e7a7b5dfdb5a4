package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// eachImplementation runs f under every implementation this machine can run.
func eachGemmImplementation(t *testing.T, f func(t *testing.T)) {
	before := Current()
	defer Use(before)
	for _, i := range Available() {
		if err := Use(i); err != nil {
			t.Fatal(err)
		}
		t.Run(i.String(), f)
	}
}

const gemmGuard = float32(-12345.678)

// A gemmCase is one product with its operands, between gemmGuard words.
type gemmCase struct {
	m, n, k  int
	a, b     Matrix
	c, pre   []float32
	wholeC   []float32
	wholePre []float32
	ldc      int
	e        Epilogue
	original []float32 // C before the product
}

// gemmOperand returns a random rows × cols operand, with an unaligned start and
// slack numbers between stored rows; what lies between is NaN.
func gemmOperand(r *rand.Rand, rows, cols int, transposed bool, slack int) Matrix {
	stored, width := rows, cols
	if transposed {
		stored, width = cols, rows
	}
	m := Matrix{Stride: width + slack, Transposed: transposed}
	m.Data = make([]float32, 1+stored*m.Stride)[1:]
	for i := range m.Data {
		m.Data[i] = float32(math.NaN())
	}
	for i := range stored {
		for j := range width {
			m.Data[i*m.Stride+j] = float32(r.NormFloat64())
		}
	}
	if stored > 0 && width > 0 {
		m.Data = m.Data[:(stored-1)*m.Stride+width]
	}
	return m
}

// at returns an element of the operand.
func (m Matrix) at(i, j int) float64 {
	if m.Transposed {
		i, j = j, i
	}
	return float64(m.Data[i*m.Stride+j])
}

// newGemmCase makes a random case; bits of kind choose transposes, strides and
// the epilogue.
func newGemmCase(r *rand.Rand, m, n, k int, kind int) *gemmCase {
	slack := 0
	if kind&4 != 0 {
		slack = 3
	}
	g := &gemmCase{m: m, n: n, k: k, ldc: n + slack}
	g.a = gemmOperand(r, m, k, kind&1 != 0, slack)
	g.b = gemmOperand(r, k, n, kind&2 != 0, slack)
	g.wholeC, g.c = gemmGuarded(r, m, n, g.ldc)
	g.e.Accumulate = kind&8 != 0
	if kind&16 != 0 {
		g.e.Bias = make([]float32, n)
		for i := range g.e.Bias {
			g.e.Bias[i] = float32(r.NormFloat64())
		}
	}
	if kind&32 != 0 {
		g.e.Activation = SiLU
		g.wholePre, g.pre = gemmGuarded(r, m, n, g.ldc)
		g.e.Pre = g.pre
	}
	g.original = slices.Clone(g.wholeC)
	return g
}

const gemmGuards = 37

// gemmGuarded returns m rows of n random numbers, ldc apart, with gemmGuards between
// and on both sides.
func gemmGuarded(r *rand.Rand, m, n, ldc int) (whole, c []float32) {
	whole = make([]float32, m*ldc+2*gemmGuards)
	for i := range whole {
		whole[i] = gemmGuard
	}
	c = whole[gemmGuards : gemmGuards+m*ldc]
	for i := range m {
		for j := range n {
			c[i*ldc+j] = float32(r.NormFloat64())
		}
	}
	return whole, c
}

// check compares C and Pre with sums in float64. The bound is that of a sum of
// k + 2 terms in any order, (k+2) eps Σ|term|, and an activation's few eps
// with slope below 1.1.
func (g *gemmCase) check(t *testing.T) {
	t.Helper()
	for i := range g.wholeC {
		row, col := (i-gemmGuards)/g.ldcOr1(), (i-gemmGuards)%g.ldcOr1()
		if i < gemmGuards || row >= g.m || col >= g.n {
			if g.wholeC[i] != gemmGuard || g.pre != nil && g.wholePre[i] != gemmGuard {
				t.Fatalf("%v: wrote outside C or Pre at %d", g, i-gemmGuards)
			}
			continue
		}
		want, size := g.want(row, col)
		bound := float64(g.k+2) * 0x1p-24 * size
		got := float64(g.wholeC[i])
		if g.e.Pre != nil {
			g.checkNear(t, "Pre", row, col, float64(g.wholePre[i]), want, bound)
			want = want / (1 + math.Exp(-want))
			bound = 1.1*bound + 0x1p-21*math.Abs(want)
		}
		g.checkNear(t, "C", row, col, got, want, bound)
	}
}

func (g *gemmCase) checkNear(t *testing.T, what string, i, j int, got, want, bound float64) {
	t.Helper()
	if !(math.Abs(got-want) <= bound) {
		t.Fatalf("%v: %s[%d,%d] = %v, want %v within %.2g", g, what, i, j, got, want, bound)
	}
}

func (g *gemmCase) ldcOr1() int { return max(g.ldc, 1) }

// want returns the element of C before the activation, and the sum of the
// terms' sizes.
func (g *gemmCase) want(i, j int) (sum, size float64) {
	add := func(v float64) { sum += v; size += math.Abs(v) }
	for p := range g.k {
		add(g.a.at(i, p) * g.b.at(p, j))
	}
	if g.e.Bias != nil {
		add(float64(g.e.Bias[j]))
	}
	if g.e.Accumulate {
		add(float64(g.original[gemmGuards+i*g.ldc+j]))
	}
	return sum, size
}

func (g *gemmCase) String() string {
	return fmt.Sprintf("m=%d n=%d k=%d Aᵀ=%v Bᵀ=%v ldc=%d accumulate=%v bias=%v pre=%v",
		g.m, g.n, g.k, g.a.Transposed, g.b.Transposed, g.ldc, g.e.Accumulate, g.e.Bias != nil, g.e.Pre != nil)
}

// The ways to compute a product.
var gemmWays = map[string]func(g *gemmCase){
	"Gemm":       func(g *gemmCase) { Gemm(g.m, g.n, g.k, g.a, g.b, g.c, g.ldc, g.e) },
	"GemmSerial": func(g *gemmCase) { GemmSerial(g.m, g.n, g.k, g.a, g.b, g.c, g.ldc, g.e) },
	"GemmPacked": func(g *gemmCase) {
		GemmPacked(g.m, g.n, g.k, g.a, PackB(g.k, g.n, g.b), g.c, g.ldc, g.e)
	},
	"GemmPackedSerial": func(g *gemmCase) {
		GemmPackedSerial(g.m, g.n, g.k, g.a, PackB(g.k, g.n, g.b), g.c, g.ldc, g.e)
	},
}

func TestGemm(t *testing.T) {
	eachGemmImplementation(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(1, 2))
		for way, multiply := range gemmWays {
			for range 400 {
				g := newGemmCase(r, r.IntN(41), r.IntN(41), r.IntN(41), r.IntN(64))
				multiply(g)
				g.check(t)
				if t.Failed() {
					t.Fatal(way)
				}
			}
		}
	})
}
