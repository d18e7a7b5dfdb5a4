package autograd

import (
	"math"
	"sync"

	"github.com/mega-go/mega/internal/kernel"
	"github.com/mega-go/mega/tensor"
)

// RotaryBias returns the rotary relative position bias for alpha, beta [1, Z]
// at offsets −(C−1)…C−1: shape [2C−1], where element C−1+j−i belongs to query i
// and key j (reference relative_positional_bias.py:66-91).
//
// The reference rotates alpha to position i and beta to position j and takes
// their dot product. As complex numbers a_h = α_h + iα_{h+Z/2} (b likewise) that
// is Σ_h Re(a_h b̄_h e^{i(i−j)θ_h}) with θ_h = 10000^{−h/(Z/2)}: it depends on
// i−j alone, so 2C−1 numbers are the whole matrix.
func (t *Tape) RotaryBias(alpha, beta *Variable, chunk int) *Variable {
	start := t.start()
	out := t.alloc(2*chunk - 1)
	t.compute(out, func(dst *tensor.Tensor) { t.ops.rotaryBias(dst, t.value(alpha), t.value(beta), chunk) })
	if t.wants(alpha, beta) {
		t.push("rotary", out, []*Variable{alpha, beta}, func() {
			dbias := t.outGrad(out)
			t.addGrads(func(d []*tensor.Tensor) {
				t.ops.rotaryBiasGrad(d[0], d[1], dbias, t.value(alpha), t.value(beta), chunk)
			}, alpha, beta)
		})
	}
	t.stop("rotary", start)
	return out
}

func (h *host) rotaryBias(dst, alpha, beta *tensor.Tensor, chunk int) {
	z := alpha.Cols()
	table, coef, bias := rotaryTable(h.workers, chunk, z), make([]float32, z), dst.Data()
	conjugateProduct(coef, alpha.Data(), beta.Data())
	h.tape().eachRows(len(bias), z, func(i int) { bias[i] = kernel.Dot(table.Row(i), coef) })
}

func (h *host) rotaryBiasGrad(dalpha, dbeta, dy, alpha, beta *tensor.Tensor, chunk int) {
	z, dbias := alpha.Cols(), dy.Data()
	table, dcoef := rotaryTable(h.workers, chunk, z), make([]float32, z)
	h.tape().reduceBlocks(dcoef, len(dbias), z, func(part []float32, from, to int) {
		for i := from; i < to; i++ {
			kernel.Axpy(part, dbias[i], table.Row(i))
		}
	})
	conjugateProductGrad(dalpha.Data(), beta.Data(), dcoef, 1)
	conjugateProductGrad(dbeta.Data(), alpha.Data(), dcoef, -1)
}

// conjugateProduct computes a b̄ for complex vectors stored as real parts, then
// imaginary parts.
func conjugateProduct(dst, a, b []float32) {
	half := len(a) / 2
	for h := range half {
		re, im := a[h]*b[h]+a[h+half]*b[h+half], a[h+half]*b[h]-a[h]*b[h+half]
		dst[h], dst[h+half] = re, im
	}
}

// conjugateProductGrad computes the gradient of a b̄ with respect to a (sign 1,
// other is b) or b (sign −1, other is a) from that of the product.
func conjugateProductGrad(dst, other, dprod []float32, sign float32) {
	half := len(dst) / 2
	for h := range half {
		re, im := dprod[h], sign*dprod[h+half]
		dst[h] = re*other[h] - im*other[h+half]
		dst[h+half] = re*other[h+half] + im*other[h]
	}
}

// rotaryTables holds, by Z, the largest table of cosines and sines asked for so
// far: the row of offset δ is cos δθ_h for all h, then sin δθ_h.
var rotaryTables struct {
	sync.Mutex
	byWidth map[int]*tensor.Tensor
}

// rotaryTable returns the rows of offsets −(chunk−1)…chunk−1.
func rotaryTable(w *Workers, chunk, z int) *tensor.Tensor {
	rotaryTables.Lock()
	defer rotaryTables.Unlock()
	if rotaryTables.byWidth == nil {
		rotaryTables.byWidth = make(map[int]*tensor.Tensor)
	}
	table := rotaryTables.byWidth[z]
	if table == nil || table.Rows() < 2*chunk-1 {
		table = newRotaryTable(w, chunk, z)
		rotaryTables.byWidth[z] = table
	}
	first := (table.Rows()+1)/2 - chunk
	rows := 2*chunk - 1
	return tensor.FromSlice(table.Data()[first*z:(first+rows)*z], rows, z)
}

func newRotaryTable(w *Workers, chunk, z int) *tensor.Tensor {
	half := z / 2
	table := tensor.New(2*chunk-1, z)
	(&Tape{workers: w}).eachRows(table.Rows(), 16*z, func(i int) {
		row := table.Row(i)
		for h := range half {
			theta := math.Exp(-float64(h) * math.Log(10000) / float64(half))
			sin, cos := math.Sincos(float64(i-chunk+1) * theta)
			row[h], row[h+half] = float32(cos), float32(sin)
		}
	})
	return table
}
