package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// TestColumnSums checks sums of few and of many rows: no more rounding than a
// sum of a sixteenth of the rows has.
func TestColumnSums(t *testing.T) {
	eachVec(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(21, 22))
		for i, cols := range append(lengths()[:100], 128, 300) {
			rows := []int{0, 1, 3, 16, 17, 50, 700}[i%7]
			x := newBlock(rows, cols, cols+i%3, i%5, func() float32 { return float32(r.NormFloat64()) })
			dst := newBlock(1, cols, cols, i%4, func() float32 { return 2 })
			ColumnSums(dst.data, x.data, rows, cols, x.ld)
			for c := range cols {
				want := sumOf(2)
				for row := range rows {
					want = want.plus(x.at(row, c))
				}
				want.check(t, fmt.Sprintf("column %d of %d by %d", c, rows, cols), dst.at(0, c), 10)
			}
			if !dst.intact() || t.Failed() {
				t.Fatalf("%d by %d", rows, cols)
			}
		}
	})
}

// A batchNorm runs all passes of batch norm on one block.
type batchNorm struct {
	rows, cols                           int
	x, y, dy, dx                         *block
	weight, bias, mean, variance         *block
	rstd, scale, shift                   *block
	factor, meanDy, slope, rest          *block
	meanRest                             *block
	sum, squares, sumDy, sumDyX, guarded []float64
}

func newBatchNorm(r *rand.Rand, rows, cols, slack int, shift float64) *batchNorm {
	normal := func() float32 { return float32(r.NormFloat64()) }
	matrix := func(gap int) *block { return newBlock(rows, cols, cols+gap*slack, slack, normal) }
	vector := func() *block { return newBlock(1, cols, cols, slack, normal) }
	b := &batchNorm{rows: rows, cols: cols, y: matrix(0), dy: matrix(2), dx: matrix(3)}
	b.x = newBlock(rows, cols, cols+slack, slack, func() float32 { return float32(shift + r.NormFloat64()) })
	for _, v := range []**block{&b.weight, &b.bias, &b.mean, &b.variance, &b.rstd, &b.scale, &b.shift, &b.factor, &b.meanDy, &b.slope, &b.rest, &b.meanRest} {
		*v = vector()
	}
	b.guarded = make([]float64, 4*(cols+9))
	for i, v := range []*[]float64{&b.sum, &b.squares, &b.sumDy, &b.sumDyX} {
		*v = b.guarded[i*(cols+9) : i*(cols+9)+cols : i*(cols+9)+cols]
	}
	return b
}

func (b *batchNorm) run(accumulate bool) {
	rows, cols := b.rows, b.cols
	ColumnMoments(b.sum, b.squares, b.x.data, rows, cols, b.x.ld)
	ColumnStatistics(b.mean.data, b.meanRest.data, b.variance.data, b.sum, b.squares, rows)
	BatchNormAffine(b.scale.data, b.shift.data, b.rstd.data, b.mean.data, b.variance.data, b.weight.data, b.bias.data, normEps)
	ColumnAffine(b.y.data, b.x.data, b.scale.data, b.shift.data, rows, cols, b.y.ld, b.x.ld)
	BatchNormSums(b.sumDy, b.sumDyX, b.dy.data, b.x.data, b.mean.data, rows, cols, b.dy.ld, b.x.ld)
	BatchNormCoefficients(b.factor.data, b.meanDy.data, b.slope.data, b.rest.data, b.weight.data, b.rstd.data, b.meanRest.data, b.sumDy, b.sumDyX, rows)
	BatchNormGrad(b.dx.data, b.dy.data, b.x.data, b.mean.data, b.factor.data, b.meanDy.data, b.slope.data, b.rest.data,
		rows, cols, b.dx.ld, b.dy.ld, b.x.ld, accumulate)
}

// check compares a column with the formulas in float64. What a mean far from 0
// is rounded by is in proportion to it.
func (b *batchNorm) check(t *testing.T, c int, old []float32, accumulate bool) {
	t.Helper()
	where := fmt.Sprintf("column %d of %d by %d", c, b.rows, b.cols)
	n := float64(b.rows)
	var mean, variance float64
	for r := range b.rows {
		mean += b.x.at(r, c) / n
	}
	for r := range b.rows {
		d := b.x.at(r, c) - mean
		variance += d * d / n
	}
	value{mean, math.Abs(mean)}.check(t, "mean of "+where, b.mean.at(0, c), 2)
	value{variance, variance + 1e-8*mean*mean}.check(t, "variance of "+where, b.variance.at(0, c), 2)
	rstd, weight := 1/math.Sqrt(variance+normEps), b.weight.at(0, c)
	off := 1 + math.Abs(mean)
	var meanDy, meanDyX value
	for r := range b.rows {
		dy, xhat := b.dy.at(r, c), (b.x.at(r, c)-mean)*rstd
		meanDy = meanDy.plus(dy / n)
		meanDyX = value{meanDyX.v + dy*xhat/n, meanDyX.size + math.Abs(dy)/n*(math.Abs(xhat)+rstd*off)}
		sumOf(xhat*weight, b.bias.at(0, c), rstd*weight*off, -rstd*weight*off).check(t, "y of "+where, b.y.at(r, c), 4)
	}
	value{meanDyX.v, meanDyX.size}.check(t, "dweight of "+where, b.rstd.at(0, c)*b.sumDyX[c]/n, 4)
	for r := range b.rows {
		dy, xhat, k := b.dy.at(r, c), (b.x.at(r, c)-mean)*rstd, math.Abs(weight)*rstd
		want := value{weight * rstd * (dy - meanDy.v - xhat*meanDyX.v),
			k * (math.Abs(dy) + meanDy.size + (math.Abs(xhat)+rstd*off)*meanDyX.size)}
		if accumulate {
			want = want.plus(float64(old[r*b.dx.ld+c]))
		}
		want.check(t, "dx of "+where, b.dx.at(r, c), 8)
	}
}

func TestBatchNorm(t *testing.T) {
	eachVec(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(23, 24))
		for i, cols := range append(lengths()[:80], 128, 160) {
			b := newBatchNorm(r, []int{2, 5, 33}[i%3], cols, i%3, []float64{0, 20, -1000}[i/3%3])
			old := append([]float32(nil), b.dx.data...)
			b.run(i%2 == 0)
			for c := range cols {
				b.check(t, c, old, i%2 == 0)
			}
			for j, v := range []*block{b.x, b.y, b.dx, b.dy, b.mean, b.rstd, b.scale, b.shift, b.factor, b.slope} {
				if !v.intact() {
					t.Errorf("%d by %d: wrote outside of %d", b.rows, cols, j)
				}
			}
			for j, v := range b.guarded {
				if j%(cols+9) >= cols && v != 0 {
					t.Errorf("%d by %d: wrote outside of the sums", b.rows, cols)
				}
			}
			if t.Failed() {
				t.FailNow()
			}
		}
	})
}

// TestColumnMomentsPrecision checks a column that hardly varies, far from 0.
func TestColumnMomentsPrecision(t *testing.T) {
	eachVec(t, func(t *testing.T) {
		const rows, cols = 5000, 9
		x := make([]float32, rows*cols)
		for i := range x {
			x[i] = 10000 + float32(i/cols%2)/64
		}
		sum, squares := make([]float64, cols), make([]float64, cols)
		mean, variance := make([]float32, cols), make([]float32, cols)
		for r := 0; r < rows; r += 500 {
			ColumnMoments(sum, squares, x[r*cols:], 500, cols, cols)
		}
		ColumnStatistics(mean, make([]float32, cols), variance, sum, squares, rows)
		if want := 1.0 / 128 / 128; math.Abs(float64(variance[8])/want-1) > 1e-3 || mean[8] != 10000+1.0/128 {
			t.Errorf("mean %g, variance %g, want %g and %g", mean[8], variance[8], 10000+1.0/128, want)
		}
	})
}

func BenchmarkColumns(b *testing.B) {
	const rows, cols = 64, 128
	n := newBatchNorm(rand.New(rand.NewPCG(1, 1)), rows, cols, 0, 0)
	benchVec(b, "ColumnSums", rows*cols, func() { ColumnSums(n.mean.data, n.x.data, rows, cols, cols) })
	benchVec(b, "ColumnMoments", rows*cols, func() { ColumnMoments(n.sum, n.squares, n.x.data, rows, cols, cols) })
	benchVec(b, "ColumnAffine", rows*cols, func() {
		ColumnAffine(n.y.data, n.x.data, n.scale.data, n.shift.data, rows, cols, cols, cols)
	})
	benchVec(b, "BatchNormSums", rows*cols, func() {
		BatchNormSums(n.sumDy, n.sumDyX, n.dy.data, n.x.data, n.mean.data, rows, cols, cols, cols)
	})
	benchVec(b, "BatchNormGrad", rows*cols, func() {
		BatchNormGrad(n.dx.data, n.dy.data, n.x.data, n.mean.data, n.factor.data, n.meanDy.data, n.slope.data, n.rest.data, rows, cols, cols, cols, cols, false)
	})
}
