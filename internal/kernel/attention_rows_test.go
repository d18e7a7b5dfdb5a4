package kernel

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// rowCase is a row of scores with what goes with it, between guard words.
type rowCase struct {
	n                    int
	p, ds, bias, dbias   []float32
	whole                [4][]float32
	scale, logSum, delta float32
}

// newRowCase draws rows of n numbers; some products are extreme if asked for.
func newRowCase(r *rand.Rand, n int, extreme bool) *rowCase {
	c := &rowCase{n: n, scale: 0.5 + r.Float32(), logSum: 2 + r.Float32(), delta: r.Float32()}
	for i := range c.whole {
		c.whole[i] = make([]float32, n+17+i)
		for j := range c.whole[i] {
			c.whole[i][j] = attentionGuard
		}
	}
	c.slice()
	for _, x := range [][]float32{c.p, c.ds, c.bias, c.dbias} {
		for j := range x {
			x[j] = float32(r.NormFloat64())
		}
	}
	if extreme {
		for j, x := range []float32{negInf, -1e30, -300, -90, -60, -20, -6, 3, float32(math.NaN()), 1e-42} {
			c.p[5*j%n] = x
		}
	}
	return c
}

// slice points the rows into whole, at different alignments.
func (c *rowCase) slice() {
	for i, x := range []*[]float32{&c.p, &c.ds, &c.bias, &c.dbias} {
		*x = c.whole[i][8+i:][:c.n:c.n]
	}
}

// clone returns a copy, guard words included.
func (c *rowCase) clone() *rowCase {
	d := *c
	for i := range d.whole {
		d.whole[i] = slices.Clone(c.whole[i])
	}
	d.slice()
	return &d
}

// checkGuards fails t if a guard word has changed.
func (c *rowCase) checkGuards(t *testing.T, name string) {
	for i, whole := range c.whole {
		for j, x := range whole {
			if (j < 8+i || j >= 8+i+c.n) && x != attentionGuard {
				t.Fatalf("%s of %d: guard word %d of operand %d was overwritten", name, c.n, j-8-i, i)
			}
		}
	}
}

// score returns scale·p + bias − shift of column j and the rounding error that
// it may have in float32.
func (c *rowCase) score(j int, shift float32) (x, slack float64) {
	product, bias, s := float64(c.p[j])*float64(c.scale), float64(c.bias[j]), float64(shift)
	x = product + bias - s
	if math.IsInf(x, 0) {
		return x, 0
	}
	return x, 1.2e-7 * (math.Abs(product) + math.Abs(bias) + math.Abs(s))
}

// rowFunctions are what is applied to scores, with two derivatives and the
// relative error allowed beside what the rounding of the score explains.
var rowFunctions = map[string]func(x float64) (y, dy, ddy, relative float64){
	"softmax": func(x float64) (y, dy, ddy, relative float64) {
		y = math.Exp(x)
		return y, y, y, 2e-7 * (1 + math.Min(math.Abs(x), 100))
	},
	"relu2": func(x float64) (y, dy, ddy, relative float64) {
		r := relu(x)
		return r * r, 2 * r, 2, 2.4e-7
	},
	"laplace": func(x float64) (y, dy, ddy, relative float64) {
		t := (x - 0.707107) / 0.282095
		dy = math.Exp(-t*t/2) / math.Sqrt(2*math.Pi) / 0.282095
		if dy > 0 {
			ddy = math.Abs(t) / 0.282095 * dy
		}
		return math.Erfc(-t/math.Sqrt2) / 2, dy, ddy, 4e-7 * math.Min(1+t*t, 100)
	},
}

// near reports whether got is want, give or take slack and a number next to 0.
func near(got float32, want, slack float64) bool {
	if want != want {
		return got != got
	}
	return math.Abs(float64(got)-want) <= slack+1e-30
}

// TestAttentionRowPasses checks the passes over a row of a forward tile.
func TestAttentionRowPasses(t *testing.T) {
	eachRow(t, func(t *testing.T, c *rowCase) {
		got := c.clone()
		greatest := attentionScores(got.p, got.bias, got.scale)
		got.checkGuards(t, "scores")
		for j, x := range got.p {
			if want, slack := c.score(j, 0); float64(x) != want && !near(x, want, slack) {
				t.Fatalf("scores of %d: column %d is %v, want %v", c.n, j, x, want)
			}
		}
		if m := slices.Max(got.p); m == m && m != greatest {
			t.Fatalf("scores of %d return %v, want %v", c.n, greatest, m)
		}
		x := c.clone()
		x.scale = 1
		clear(x.bias)
		got = x.clone()
		sum, want := attentionExp(got.p, got.logSum), 0.0
		got.checkGuards(t, "exp")
		checkRow(t, "softmax", x, got.p, x.logSum)
		for _, y := range got.p {
			want += float64(y)
		}
		if !near(sum, want, 1e-6*want) {
			t.Fatalf("exp of %d returns %v, want %v", c.n, sum, want)
		}
		for _, f := range []AttentionFunction{AttentionReLU2, AttentionLaplace} {
			got = c.clone()
			attentionWeights(f, got.p, got.bias, got.scale)
			got.checkGuards(t, f.String())
			checkRow(t, f.String(), c, got.p, 0)
		}
	})
}

// TestAttentionRowGradients checks the passes over a row of a backward tile.
func TestAttentionRowGradients(t *testing.T) {
	eachRow(t, func(t *testing.T, c *rowCase) {
		got := c.clone()
		attentionSoftmaxGrad(got.p, got.ds, got.bias, got.dbias, c.scale, c.logSum, c.delta)
		checkRowGradient(t, "softmax", c, got, c.logSum, c.delta)
		for _, f := range []AttentionFunction{AttentionReLU2, AttentionLaplace} {
			got := c.clone()
			attentionWeightsGrad(f, got.p, got.ds, got.bias, got.dbias, c.scale)
			checkRowGradient(t, f.String(), c, got, 0, 0)
		}
	})
}

// eachRow runs f on rows of 1 to 100 columns under every implementation.
func eachRow(t *testing.T, f func(t *testing.T, c *rowCase)) {
	eachAttention(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(21, 22))
		for n := 1; n <= 100; n++ {
			f(t, newRowCase(r, n, false))
			f(t, newRowCase(r, n, true))
		}
	})
}

// checkRow checks that got is the function of that name of c's scores.
func checkRow(t *testing.T, name string, c *rowCase, got []float32, shift float32) {
	t.Helper()
	for j, x := range got {
		score, slack := c.score(j, shift)
		y, dy, _, relative := rowFunctions[name](score)
		if !near(x, y, dy*slack+relative*y) {
			t.Fatalf("%s of %d: column %d, of score %v, is %v, want %v", name, c.n, j, score, x, y)
		}
	}
}

// checkRowGradient checks what a gradient's pass over c has left in got.
func checkRowGradient(t *testing.T, name string, c, got *rowCase, shift, delta float32) {
	t.Helper()
	got.checkGuards(t, name+"Grad")
	checkRow(t, name, c, got.p, shift)
	for j := range c.n {
		score, slack := c.score(j, shift)
		_, dy, ddy, relative := rowFunctions[name](score)
		dp := float64(c.ds[j]) - float64(delta)
		size := math.Abs(dp) + math.Abs(float64(delta))
		want, tolerance := dp*dy, size*(ddy*slack+relative*dy)
		if !near(got.ds[j], want*float64(c.scale), tolerance*float64(c.scale)) {
			t.Fatalf("%sGrad of %d: column %d of ds, of score %v, is %v, want %v", name, c.n, j, score, got.ds[j], want*float64(c.scale))
		}
		if d := float64(c.dbias[j]); !near(got.dbias[j], d+want, tolerance+1.2e-7*math.Abs(d+want)) {
			t.Fatalf("%sGrad of %d: column %d of dbias is %v, want %v", name, c.n, j, got.dbias[j], d+want)
		}
	}
}

// TestAttentionDirect checks the products with keys and values as they lie.
func TestAttentionDirect(t *testing.T) {
	eachAttention(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(23, 24))
		for n := 1; n <= 70; n++ {
			rows := 1 + n%11
			m := Matrix{Data: make([]float32, rows*(n+2)), Stride: n + 2}
			for i := range m.Data {
				m.Data[i] = float32(r.NormFloat64())
			}
			c, p := newRowCase(r, n, false), newRowCase(r, rows, false)
			q, out := c.p, c.ds
			before := slices.Clone(out)
			attentionSum(out, p.ds, m)
			attentionDots(p.p, q, m)
			c.checkGuards(t, "sum")
			p.checkGuards(t, "dots")
			for i := range n {
				want, size := float64(before[i]), math.Abs(float64(before[i]))
				for j, w := range p.ds {
					want += float64(w) * float64(m.Data[j*m.Stride+i])
					size += math.Abs(float64(w) * float64(m.Data[j*m.Stride+i]))
				}
				if !near(out[i], want, 3e-7*size) {
					t.Fatalf("sum of %d rows of %d: column %d is %v, want %v", rows, n, i, out[i], want)
				}
			}
			for j, got := range p.p {
				want, size := 0.0, 0.0
				for i, x := range q {
					want += float64(x) * float64(m.Data[j*m.Stride+i])
					size += math.Abs(float64(x) * float64(m.Data[j*m.Stride+i]))
				}
				if !near(got, want, 3e-7*size) {
					t.Fatalf("product with row %d of %d: %v, want %v", j, n, got, want)
				}
			}
		}
	})
}
