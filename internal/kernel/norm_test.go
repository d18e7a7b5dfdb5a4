package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// A rowNorm is one of the norms over rows, in the terms that all share: y is
// (x - mean) rstd weight + bias, where some have no mean, no weight or no bias.
type rowNorm struct {
	name                  string
	centred, weight, bias bool
	scalar                bool // one weight for all columns
	forward               func(c *normCase)
	backward              func(c *normCase, accumulate bool)
}

const normEps = 1e-5

// A normCase holds the arguments of both passes.
type normCase struct {
	rows, cols                               int
	x, y, dx, dy                             *block
	weight, bias, dweight, dbias, mean, rstd *block
}

func newNormCase(r *rand.Rand, rows, cols, slack int, shift float64) *normCase {
	normal := func() float32 { return float32(r.NormFloat64()) }
	matrix := func(gap int) *block { return newBlock(rows, cols, cols+gap*slack, slack+gap, normal) }
	vector := func(n int) *block { return newBlock(1, n, n, slack, normal) }
	c := &normCase{rows: rows, cols: cols, x: matrix(1), y: matrix(0), dx: matrix(2), dy: matrix(3)}
	for i := range c.x.data {
		if c.x.data[i] == c.x.data[i] {
			c.x.data[i] += float32(shift)
		}
	}
	c.weight, c.bias, c.dweight, c.dbias = vector(cols), vector(cols), vector(cols), vector(cols)
	c.mean, c.rstd = vector(rows), vector(rows)
	return c
}

func (c *normCase) blocks() []*block {
	return []*block{c.x, c.y, c.dx, c.dy, c.weight, c.bias, c.dweight, c.dbias, c.mean, c.rstd}
}

func rowNorms() []rowNorm {
	return []rowNorm{
		{name: "LayerNorm", centred: true, weight: true, bias: true,
			forward: func(c *normCase) {
				LayerNorm(c.y.data, c.x.data, c.weight.data, c.bias.data, c.mean.data, c.rstd.data, c.rows, c.cols, c.y.ld, c.x.ld, normEps)
			},
			backward: func(c *normCase, accumulate bool) {
				LayerNormGrad(c.dx.data, c.dweight.data, c.dbias.data, c.dy.data, c.x.data, c.weight.data, c.mean.data, c.rstd.data,
					c.rows, c.cols, c.dx.ld, c.dy.ld, c.x.ld, accumulate)
			}},
		{name: "LayerNorm without weights", centred: true,
			forward: func(c *normCase) {
				LayerNorm(c.y.data, c.x.data, nil, nil, c.mean.data, c.rstd.data, c.rows, c.cols, c.y.ld, c.x.ld, normEps)
			},
			backward: func(c *normCase, accumulate bool) {
				LayerNormGrad(c.dx.data, nil, nil, c.dy.data, c.x.data, nil, c.mean.data, c.rstd.data,
					c.rows, c.cols, c.dx.ld, c.dy.ld, c.x.ld, accumulate)
			}},
		{name: "RMSNorm", weight: true,
			forward: func(c *normCase) {
				RMSNorm(c.y.data, c.x.data, c.weight.data, c.rstd.data, c.rows, c.cols, c.y.ld, c.x.ld, normEps)
			},
			backward: func(c *normCase, accumulate bool) {
				RMSNormGrad(c.dx.data, c.dweight.data, c.dy.data, c.x.data, c.weight.data, c.rstd.data,
					c.rows, c.cols, c.dx.ld, c.dy.ld, c.x.ld, accumulate)
			}},
		{name: "ScaleNorm", weight: true, scalar: true,
			forward: func(c *normCase) {
				ScaleNorm(c.y.data, c.x.data, c.weight.data[0], c.rstd.data, c.rows, c.cols, c.y.ld, c.x.ld, normEps)
			},
			backward: func(c *normCase, accumulate bool) {
				c.dweight.data[0] += ScaleNormGrad(c.dx.data, c.dy.data, c.x.data, c.weight.data[0], c.rstd.data,
					c.rows, c.cols, c.dx.ld, c.dy.ld, c.x.ld, accumulate)
			}},
	}
}

// weightOf and biasOf are those of a column.
func (n *rowNorm) weightOf(c *normCase, col int) float64 {
	switch {
	case n.scalar:
		return c.weight.at(0, 0)
	case n.weight:
		return c.weight.at(0, col)
	}
	return 1
}

func (n *rowNorm) biasOf(c *normCase, col int) float64 {
	if n.bias {
		return c.bias.at(0, col)
	}
	return 0
}

// moments returns a row's mean and 1 / √(variance + eps) in float64.
func (n *rowNorm) moments(c *normCase, row int) (mean value, rstd float64) {
	for col := range c.cols {
		if n.centred {
			mean = mean.plus(c.x.at(row, col) / float64(c.cols))
		}
	}
	var squares float64
	for col := range c.cols {
		d := c.x.at(row, col) - mean.v
		squares += d * d
	}
	return mean, 1 / math.Sqrt(squares/float64(c.cols)+normEps)
}

// checkForward checks y, mean and rstd. A row far from 0 has its mean rounded,
// by half a place, and that is in y in units of the row's deviation.
func (n *rowNorm) checkForward(t *testing.T, c *normCase) {
	t.Helper()
	n.forward(c)
	for row := range c.rows {
		mean, rstd := n.moments(c, row)
		where := fmt.Sprintf("%s, row %d of %d by %d", n.name, row, c.rows, c.cols)
		value{rstd, rstd}.check(t, "rstd of "+where, c.rstd.at(0, row), 4)
		if n.centred {
			mean.check(t, "mean of "+where, c.mean.at(0, row), 2)
		}
		for col := range c.cols {
			w := n.weightOf(c, col)
			want := sumOf((c.x.at(row, col)-mean.v)*rstd*w, n.biasOf(c, col))
			want.size += math.Abs(w) * rstd * mean.size
			want.check(t, fmt.Sprint("y of ", where, ", column ", col), c.y.at(row, col), 8)
		}
	}
}

// checkBackward checks dx and the gradients of weights, given the mean and rstd
// that the forward pass left.
func (n *rowNorm) checkBackward(t *testing.T, c *normCase, accumulate bool) {
	t.Helper()
	old, dweight, dbias := slices.Clone(c.dx.data), make([]value, c.cols), make([]value, c.cols)
	for col := range c.cols {
		dweight[col], dbias[col] = sumOf(c.dweight.at(0, col)), sumOf(c.dbias.at(0, col))
	}
	n.backward(c, accumulate)
	for row := range c.rows {
		rstd, mean := c.rstd.at(0, row), 0.0
		if n.centred {
			mean = c.mean.at(0, row)
		}
		var meanG, meanGX value
		for col := range c.cols {
			dy, xhat := c.dy.at(row, col), (c.x.at(row, col)-mean)*rstd
			g := dy * n.weightOf(c, col) / float64(c.cols)
			meanG, meanGX = meanG.plus(g), meanGX.plus(g*xhat)
			at := col
			if n.scalar {
				at = 0
			}
			dweight[at], dbias[at] = dweight[at].plus(dy*xhat), dbias[at].plus(dy)
		}
		if !n.centred {
			meanG = value{}
		}
		for col := range c.cols {
			g, xhat := c.dy.at(row, col)*n.weightOf(c, col), (c.x.at(row, col)-mean)*rstd
			want := value{rstd * (g - meanG.v - xhat*meanGX.v), rstd * (math.Abs(g) + meanG.size + math.Abs(xhat)*meanGX.size)}
			if accumulate {
				want = want.plus(float64(old[row*c.dx.ld+col]))
			}
			want.check(t, fmt.Sprintf("dx of %s, row %d of %d, column %d of %d", n.name, row, c.rows, col, c.cols), c.dx.at(row, col), 8)
		}
	}
	for col := range c.cols {
		if n.weight && (!n.scalar || col == 0) {
			dweight[col].check(t, fmt.Sprintf("dweight of %s of %d by %d", n.name, c.rows, c.cols), c.dweight.at(0, col), 10)
		}
		if n.bias {
			dbias[col].check(t, fmt.Sprintf("dbias of %s of %d by %d", n.name, c.rows, c.cols), c.dbias.at(0, col), 10)
		}
	}
}

func TestRowNorms(t *testing.T) {
	eachVec(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(13, 14))
		for _, n := range rowNorms() {
			for i, cols := range append(lengths()[1:100], 128, 129, 512, 1000) {
				c := newNormCase(r, i%4, cols, i%3, 0)
				n.checkForward(t, c)
				n.checkBackward(t, c, i%2 == 0)
				for j, b := range c.blocks() {
					if !b.intact() {
						t.Fatalf("%s of %d by %d wrote outside of argument %d", n.name, c.rows, c.cols, j)
					}
				}
				if t.Failed() {
					t.FailNow()
				}
			}
		}
	})
}

// TestRowNormsFarFromZero checks rows whose mean is large against their
// deviation.
func TestRowNormsFarFromZero(t *testing.T) {
	eachVec(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(15, 16))
		for _, n := range rowNorms() {
			for _, shift := range []float64{30, -1e3, 1e5} {
				n.checkForward(t, newNormCase(r, 3, 512, 0, shift))
				n.checkForward(t, newNormCase(r, 2, 77, 1, shift))
			}
		}
	})
}

// TestRowNormsInPlace checks y in the place of x, and dx in that of dy and x.
func TestRowNormsInPlace(t *testing.T) {
	eachVec(t, func(t *testing.T) {
		for _, n := range rowNorms() {
			run := func(change func(c *normCase)) *normCase {
				c := newNormCase(rand.New(rand.NewPCG(17, 18)), 3, 75, 0, 0)
				change(c)
				return c
			}
			plain := run(func(c *normCase) { n.forward(c); n.backward(c, false) })
			y := run(func(c *normCase) { c.y = c.x; n.forward(c) }).y
			inDY := run(func(c *normCase) { n.forward(c); c.dx = c.dy; n.backward(c, false) }).dx
			inX := run(func(c *normCase) { n.forward(c); c.dx = c.x; n.backward(c, false) }).dx
			if !slices.Equal(y.data, plain.y.data) || !slices.Equal(inDY.data, plain.dx.data) || !slices.Equal(inX.data, plain.dx.data) {
				t.Errorf("%s differs in place", n.name)
			}
		}
	})
}

// TestNormsKeepNaN checks that NaN spoils its own row and no other, and that
// what dx held does not matter unless it is added to.
func TestNormsKeepNaN(t *testing.T) {
	eachVec(t, func(t *testing.T) {
		for _, n := range rowNorms() {
			c := newNormCase(rand.New(rand.NewPCG(19, 20)), 2, 40, 0, 0)
			c.x.data[33] = float32(math.NaN())
			Fill(c.dx.data, float32(math.NaN()))
			n.forward(c)
			n.backward(c, false)
			for _, b := range []*block{c.y, c.dx} {
				if !spoilt(b.data[:40]) || spoilt(b.data[40:]) {
					t.Errorf("%s: NaN in row 0 gives %v", n.name, b.data)
				}
			}
		}
	})
}

// spoilt reports whether an element of x is NaN or infinite.
func spoilt(x []float32) bool {
	return slices.ContainsFunc(x, func(v float32) bool { return v-v != 0 })
}

func TestNormChecks(t *testing.T) {
	x := make([]float32, 10)
	for name, f := range map[string]func(){
		"short":        func() { ScaleNorm(x, x, 1, x[:3], 3, 4, 4, 4, 0) },
		"overlapping":  func() { ScaleNorm(x, x, 1, x[:2], 2, 5, 4, 4, 0) },
		"half weights": func() { LayerNorm(x, x, x[:5], nil, x[:2], x[:2], 2, 5, 5, 5, 0) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
}

func BenchmarkNorms(b *testing.B) {
	for _, cols := range []int{80, 512} {
		c := newNormCase(rand.New(rand.NewPCG(1, 1)), 8192/cols, cols, 0, 0)
		for _, n := range rowNorms() {
			benchVec(b, fmt.Sprintf("%s/%d", n.name, cols), c.rows*cols, func() { n.forward(c) })
			benchVec(b, fmt.Sprintf("%sGrad/%d", n.name, cols), c.rows*cols, func() { n.backward(c, false) })
		}
	}
}
