package autograd

import (
	"fmt"

	"github.com/mega-go/mega/internal/kernel"
	"github.com/mega-go/mega/tensor"
)

// An Activation is an elementwise function.
type Activation = kernel.Activation

// The activations.
const (
	Identity = kernel.Identity
	Sigmoid  = kernel.Sigmoid
	SiLU     = kernel.SiLU
	GELU     = kernel.GELU
	ReLU     = kernel.ReLU
	ReLU2    = kernel.ReLU2
	Tanh     = kernel.Tanh
	Laplace  = kernel.Laplace
	GELUTanh = kernel.GELUTanh
)

// ParseActivation returns the activation that the reference calls name.
func ParseActivation(name string) (Activation, error) { return kernel.ParseActivation(name) }

// Linear returns act(x wᵀ + b) for x [..., K], w [N, K] and b [N], which may be
// nil: shape [..., N].
func (t *Tape) Linear(x, w, b *Variable, act Activation) *Variable {
	return t.LinearAdd(nil, x, w, b, act)
}

// LinearAdd returns act(base + x wᵀ + b): Linear with something of the result's
// shape, [..., N], added before the activation; nil stands for nothing.
func (t *Tape) LinearAdd(base, x, w, b *Variable, act Activation) *Variable {
	start := t.start()
	k, n := x.Cols(), w.Rows()
	if w.Cols() != k || b != nil && b.Cols() != n {
		panic(fmt.Sprintf("autograd: Linear of %v by %v", x.shape, w.shape))
	}
	out := t.allocCols(x, n)
	record := t.wants(base, x, w, b)
	e := epilogue{act: act, base: t.optional(base), bias: t.optional(b)}
	var pre *tensor.Tensor
	if record && act != Identity {
		pre = t.pool.Get(out.shape...)
		e.pre = pre
	}
	t.multiplyBy(out.value, x, w, e)
	if record {
		t.recordLinear(base, x, w, b, out, pre, act)
	}
	t.stop("linear", start)
	return out
}

// multiplyBy computes c = x wᵀ.
func (t *Tape) multiplyBy(c *tensor.Tensor, x, w *Variable, e epilogue) {
	if x.later.x != nil {
		x.later.products++
	}
	made := t.maker(x)
	switch {
	case made != nil:
		(*host)(t).multiplyMade(c, x.Cols(), made, w, e)
	case w.packed != nil:
		t.ops.multiplyPacked(c, t.value(x), w, e)
	default:
		t.ops.multiply(c, t.value(x), t.value(w), transposedB, e)
	}
}

func (t *Tape) recordLinear(base, x, w, b, out *Variable, pre *tensor.Tensor, act Activation) {
	var buffers []*tensor.Tensor
	if pre != nil {
		buffers = append(buffers, pre)
		out.recompute = func(dst *tensor.Tensor) { t.ops.finish(dst, pre, ending{act: act}) }
	}
	t.pushMany("linear", []*Variable{out}, buffers, []*Variable{x, w}, func() {
		dpre := t.outGrad(out)
		if pre != nil {
			t.ops.finishGrad(dpre, dpre, pre, ending{act: act})
		}
		if w.needs {
			dw, accumulate := t.grad(w)
			if made := t.maker(x); made != nil {
				(*host)(t).multiplyByMade(dw, dpre, made, addTo(dw, accumulate))
			} else {
				t.ops.multiply(dw, dpre, t.value(x), transposedA, addTo(dw, accumulate))
			}
		}
		if b != nil && b.needs {
			t.addGrad(b, func(dst *tensor.Tensor) { t.ops.columnSums(dst, dpre) })
		}
		if x.needs {
			t.multiplyGrad(x, dpre, w)
		}
		if base != nil {
			t.passGrad(base, out)
		}
	})
}

// addTo returns an epilogue that overwrites c, or adds to it.
func addTo(c *tensor.Tensor, accumulate bool) epilogue {
	if accumulate {
		return epilogue{base: c}
	}
	return epilogue{}
}

// A Precision is a form in which Pack holds numbers.
type Precision int

// The precisions. In BFloat16 products round their other factor too, on any tape. In
// Int8 each row of a weight has a scale, of which its numbers are multiples from -127
// to 127: they are off by up to 1/254 of the row's largest, and else products are
// those of float32 numbers.
const (
	Float32  Precision = iota
	BFloat16           // half the memory of float32
	Int8               // a quarter of it
)

// Pack returns w [N, K] as a constant that Linear reads in the order of its
// products, which saves them most of their time where rows are few. It takes
// memory of its own and does not see w change.
//
// A device reads w itself, in float32: there is nothing to save. BFloat16 makes it round
// both factors as it does on the host. Int8, the form of weights that are multiples of a
// scale already, makes no difference. Products with other forms than BFloat16 are in TF32 if
// the device is set so.
func Pack(w *Variable, in Precision) *Variable {
	x, p := w.Value(), NewConstant(w.Value())
	p.packed = &packedWeight{precision: in}
	if x.Device() != nil {
		return p
	}
	b := matrixOf(x, true)
	pack := (*kernel.Packed).Pack
	switch in {
	case BFloat16:
		pack = (*kernel.Packed).PackBF16
	case Int8:
		pack = (*kernel.Packed).PackInt8
	}
	pack(&p.packed.numbers, nil, x.Cols(), x.Rows(), b)
	return p
}

// A packedWeight is a weight as Pack made it.
type packedWeight struct {
	precision Precision
	numbers   kernel.Packed // of the host
}

func (h *host) multiplyPacked(c, x *tensor.Tensor, w *Variable, e epilogue) {
	h.gemmPacked(c, matrixOf(x, false), w, e)
}

func (h *host) gemmPacked(c *tensor.Tensor, a kernel.Matrix, w *Variable, e epilogue) {
	b := &w.packed.numbers
	kernel.GemmPacked(h.workers, c.Rows(), b.Columns(), b.Rows(), a, b, c.Data(), c.Stride(), e.numbers(c))
}

// numbers returns an epilogue of a product c as the kernels take it, which add what c holds.
func (e epilogue) numbers(c *tensor.Tensor) kernel.Epilogue {
	k := kernel.Epilogue{Accumulate: e.base == c, Activation: e.act, Finisher: e.then}
	if e.base != nil && e.base != c {
		k.Base, k.BaseStride = e.base.Data(), e.base.Stride()
	}
	if e.bias != nil {
		k.Bias = e.bias.Data()
	}
	if e.pre != nil {
		k.Pre = e.pre.Data()
	}
	return k
}

// The ways multiply reads its factors.
const (
	plain       = iota // a b
	transposedA        // aᵀ b
	transposedB        // a bᵀ
)

// multiply computes c = a b with one factor possibly transposed; all are seen
// as matrices of rows. The factors are rounded to bfloat16 if the tape is set to
// that.
func (h *host) multiply(c, a, b *tensor.Tensor, how int, e epilogue) {
	k := a.Cols()
	if how == transposedA {
		k = a.Rows()
	}
	h.gemm(c, k, matrixOf(a, how == transposedA), matrixOf(b, how == transposedB), e)
}

// multiplyMade computes c = a wᵀ with an a of k columns that is made.
func (h *host) multiplyMade(c *tensor.Tensor, k int, a kernel.Maker, w *Variable, e epilogue) {
	if w.packed != nil {
		h.gemmPacked(c, kernel.Matrix{Maker: a}, w, e)
		return
	}
	h.gemm(c, k, kernel.Matrix{Maker: a}, matrixOf(h.tape().value(w), true), e)
}

// multiplyByMade computes c = aᵀ b with a b that is made.
func (h *host) multiplyByMade(c, a *tensor.Tensor, b kernel.Maker, e epilogue) {
	h.gemm(c, a.Rows(), matrixOf(a, true), kernel.Matrix{Maker: b}, e)
}

// matrixOf returns x, or its transpose, as products take it.
func matrixOf(x *tensor.Tensor, transposed bool) kernel.Matrix {
	return kernel.Matrix{Data: x.Data(), Stride: x.Stride(), Transposed: transposed}
}

func (h *host) gemm(c *tensor.Tensor, k int, a, b kernel.Matrix, e epilogue) {
	gemm := kernel.Gemm
	if h.bf16 || e.bf16 {
		gemm = kernel.GemmBF16
	}
	gemm(h.workers, c.Rows(), c.Cols(), k, a, b, c.Data(), c.Stride(), e.numbers(c))
}

// columnSums computes dst[j] = Σ_i x[i,j] over fixed blocks of rows.
func (h *host) columnSums(dst, x *tensor.Tensor) {
	n := x.Cols()
	h.tape().reduceBlocks(dst.Data()[:n], x.Rows(), n, func(part []float32, from, to int) {
		kernel.ColumnSums(part, rowsFrom(x, from), to-from, n, x.Stride())
	})
}

// reduceBlocks overwrites dst with the sum of what f adds to a zeroed part of
// dst's size for each block of rows. The order of the sum is fixed.
func (t *Tape) reduceBlocks(dst []float32, rows, width int, f func(part []float32, from, to int)) {
	_, count := rowBlocks(rows, width)
	parts := t.pool.Get(count, len(dst))
	parts.Zero()
	t.eachBlock(rows, width, func(block, from, to int) { f(parts.Row(block), from, to) })
	clear(dst)
	for i := range count {
		kernel.Add(dst, dst, parts.Row(i))
	}
	t.pool.Put(parts)
}
