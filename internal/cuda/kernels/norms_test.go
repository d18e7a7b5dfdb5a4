package kernels

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/mega-go/mega/internal/kernel"
)

func TestRowNorms(t *testing.T) {
	const eps = 1e-5
	b := newBench(t)
	for _, rows := range []int{0, 1, 7, 8, 9, 130, 260} {
		for _, cols := range []int{1, 31, 32, 33, 80} {
			if rows > 100 && cols != 33 {
				continue
			}
			ldx, ldy := cols+3, cols+1
			x, dy := b.normal(rows*ldx), b.normal(rows*ldy)
			weight, bias, old := b.normal(cols), b.normal(cols), b.normal(rows*ldx)
			if rows == 9 && cols > 1 {
				x[2*ldx], x[5*ldx+1], x[7*ldx] = float32(math.NaN()), float32(math.Inf(1)), 1e10
			}
			ax, ady, aw, ab := up(b, x), up(b, dy), up(b, weight), up(b, bias)
			mean, rstd, parts := b.empty(rows), b.empty(rows), b.empty(2*max(1, Parts(rows))*cols)
			wm, wr := make([]float32, rows), make([]float32, rows)
			// Gradients of weights are sums of rows terms, of the size of x̂.
			tolerance, sums := 2e-5, 4e-6*math.Sqrt(float64(rows+1))
			name := func(what string) string { return fmt.Sprintf("%s of %d×%d", what, rows, cols) }

			y, wy := up(b, dy), slices.Clone(dy)
			b.must(LayerNorm(b, y, ax, aw, ab, mean, rstd, rows, cols, ldy, ldx, eps, Dropout{}))
			kernel.LayerNorm(wy, x, weight, bias, wm, wr, rows, cols, ldy, ldx, eps)
			b.compare(name("layer norm"), y, wy, tolerance)
			b.compare(name("mean"), mean, wm, 1e-6)
			b.compare(name("rstd"), rstd, wr, 1e-6)
			dx, wdx := up(b, old), slices.Clone(old)
			dw, db := up(b, weight), up(b, bias)
			wdw, wdb := make([]float32, cols), make([]float32, cols)
			am, ar := up(b, wm), up(b, wr)
			b.must(LayerNormGrad(b, dx, ady, ax, aw, am, ar, rows, cols, ldx, ldy, ldx, true, Dropout{}))
			b.must(NormWeightGrad(b, dw, db, ady, ax, am, ar, parts, rows, cols, ldy, ldx, Dropout{}))
			kernel.LayerNormGrad(wdx, wdw, wdb, dy, x, weight, wm, wr, rows, cols, ldx, ldy, ldx, true)
			scale := gradientScale(wr)
			b.compare(name("dx of layer norm"), dx, wdx, tolerance*scale)
			b.compare(name("dweight of layer norm"), dw, wdw, sums*scale)
			b.compare(name("dbias of layer norm"), db, wdb, sums)
			b.must(LayerNorm(b, y, ax, 0, 0, mean, rstd, rows, cols, ldy, ldx, eps, Dropout{}))
			kernel.LayerNorm(wy, x, nil, nil, wm, wr, rows, cols, ldy, ldx, eps)
			b.compare(name("plain layer norm"), y, wy, tolerance)
			b.must(LayerNormGrad(b, dx, ady, ax, 0, am, ar, rows, cols, ldx, ldy, ldx, false, Dropout{}))
			kernel.LayerNormGrad(wdx, nil, nil, dy, x, nil, wm, wr, rows, cols, ldx, ldy, ldx, false)
			b.compare(name("dx of plain layer norm"), dx, wdx, tolerance*scale)

			b.must(RMSNorm(b, y, ax, aw, false, rstd, rows, cols, ldy, ldx, eps, Dropout{}))
			kernel.RMSNorm(wy, x, weight, wr, rows, cols, ldy, ldx, eps)
			b.compare(name("rms norm"), y, wy, tolerance)
			ar = up(b, wr)
			dw, wdw = up(b, weight), make([]float32, cols)
			b.must(RMSNormGrad(b, dx, ady, ax, aw, false, ar, rows, cols, ldx, ldy, ldx, false, Dropout{}))
			b.must(NormWeightGrad(b, dw, 0, ady, ax, 0, ar, parts, rows, cols, ldy, ldx, Dropout{}))
			kernel.RMSNormGrad(wdx, wdw, dy, x, weight, wr, rows, cols, ldx, ldy, ldx, false)
			scale = gradientScale(wr)
			b.compare(name("dx of rms norm"), dx, wdx, tolerance*scale)
			b.compare(name("dweight of rms norm"), dw, wdw, sums*scale)

			b.must(RMSNorm(b, y, ax, aw, true, rstd, rows, cols, ldy, ldx, eps, Dropout{}))
			kernel.ScaleNorm(wy, x, weight[0], wr, rows, cols, ldy, ldx, eps)
			b.compare(name("scale norm"), y, wy, tolerance)
			total := b.empty(1)
			b.must(RMSNormGrad(b, dx, ady, ax, aw, true, ar, rows, cols, ldx, ldy, ldx, false, Dropout{}))
			b.must(NormScaleGrad(b, total, ady, ax, ar, parts, rows, cols, ldy, ldx, Dropout{}))
			want := kernel.ScaleNormGrad(wdx, dy, x, weight[0], wr, rows, cols, ldx, ldy, ldx, false)
			b.compare(name("dx of scale norm"), dx, wdx, tolerance*scale)
			b.compare(name("dscale"), total, []float32{want}, sums*math.Sqrt(float64(cols))*scale)
		}
	}
}

// gradientScale is the largest factor that rows are multiplied by: gradients, and their
// errors, grow with it.
func gradientScale(rstd []float32) float64 {
	largest := 1.0
	for _, r := range rstd {
		if v := float64(r); v > largest && !math.IsInf(v, 0) {
			largest = v
		}
	}
	return largest
}

func TestColumns(t *testing.T) {
	b := newBench(t)
	for _, rows := range []int{1, 127, 128, 129, 300} {
		const cols = 37
		ldx := cols + 2
		x, dy, old := b.normal(rows*ldx), b.normal(rows*ldx), b.normal(rows*ldx)
		vectors := make([][]float32, 6)
		at := make([]Address, len(vectors))
		for i := range vectors {
			vectors[i] = b.normal(cols)
			at[i] = up(b, vectors[i])
		}
		ax, ady := up(b, x), up(b, dy)
		dst, want := up(b, vectors[0]), make([]float32, cols)
		b.must(ColumnSums(b, dst, ax, b.empty(Parts(rows)*cols), rows, cols, ldx))
		kernel.ColumnSums(want, x, rows, cols, ldx)
		b.compare("column sums", dst, want, 1e-6*math.Sqrt(float64(rows)))

		parts, moments := b.Alloc(16*Parts(rows)*cols), up(b, make([]float64, 2*cols))
		sum, squares := make([]float64, cols), make([]float64, cols)
		compare := func(name string) {
			t.Helper()
			for i, v := range down[float64](b, moments, 2*cols) {
				if w := append(slices.Clone(sum), squares...)[i]; math.Abs(v-w) > 1e-12*float64(rows) {
					t.Fatalf("%s of %d rows: %v, want %v", name, rows, v, w)
				}
			}
		}
		b.must(ColumnMoments(b, moments, ax, parts, rows, cols, ldx))
		kernel.ColumnMoments(sum, squares, x, rows, cols, ldx)
		compare("moments")
		b.must(BatchNormSums(b, moments, ady, ax, at[0], parts, rows, cols, ldx, ldx))
		kernel.BatchNormSums(sum, squares, dy, x, vectors[0], rows, cols, ldx, ldx)
		compare("sums")

		y, wy := up(b, old), slices.Clone(old)
		b.must(ColumnAffine(b, y, ax, at[1], at[2], rows, cols, ldx, ldx))
		kernel.ColumnAffine(wy, x, vectors[1], vectors[2], rows, cols, ldx, ldx)
		b.compare("affine", y, wy, 1e-6)
		for _, accumulate := range []bool{false, true} {
			y, wy = up(b, old), slices.Clone(old)
			b.must(BatchNormGrad(b, y, ady, ax, at[0], at[1], at[2], at[3], at[4], rows, cols, ldx, ldx, ldx, accumulate))
			kernel.BatchNormGrad(wy, dy, x, vectors[0], vectors[1], vectors[2], vectors[3], vectors[4], rows, cols, ldx, ldx, ldx, accumulate)
			b.compare("batch norm's gradient", y, wy, 2e-6)
		}
	}
}
