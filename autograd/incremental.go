package autograd

import (
	"fmt"

	"github.com/mega-go/mega/internal/kernel"
	"github.com/mega-go/mega/internal/parallel"
	"github.com/mega-go/mega/tensor"
)

// The functions of this file are the tape's operations for reading texts piece
// by piece, without a tape: results go to a tensor of the caller's, nothing is
// recorded, and on a few rows, as in decoding, nothing is allocated. A result
// may take the place of an operand of its shape unless it is a product.

// onRows calls f for blocks of rows, in parallel if there are many. f is given
// what it works on and captures nothing: a closure would have to be allocated.
func onRows[A any](rows, width int, args A, f func(args A, from, to int)) {
	if _, blocks := rowBlocks(rows, width); blocks > 1 {
		onManyRows(rows, width, args, f)
		return
	}
	f(args, 0, rows)
}

func onManyRows[A any](rows, width int, args A, f func(args A, from, to int)) {
	eachBlock(rows, width, func(_, from, to int) { f(args, from, to) })
}

// operands are the tensors of a row-wise operation.
type operands struct{ dst, a, b, c *tensor.Tensor }

// EmbeddingInto sets row i of dst [R, D] to scale · w[tokens[i]] for w [V, D].
// It panics on a token outside [0, V).
func EmbeddingInto(dst *tensor.Tensor, tokens []int32, w *Variable, scale float32) {
	table := w.Value()
	for i, tok := range tokens {
		if tok < 0 || int(tok) >= table.Rows() {
			panic(fmt.Sprintf("autograd: token %d of a vocabulary of %d", tok, table.Rows()))
		}
		kernel.Scale(dst.Row(i), table.Row(int(tok)), scale)
	}
}

// LinearInto sets dst [R, N] to act(x wᵀ + b) for x [R, K], w [N, K] and b [N],
// which may be nil.
func LinearInto(dst, x *tensor.Tensor, w, b *Variable, act Activation) {
	linearInto(dst, x, w, b, kernel.Epilogue{Activation: act})
}

// LinearAddInto adds x wᵀ + b to dst.
func LinearAddInto(dst, x *tensor.Tensor, w, b *Variable) {
	linearInto(dst, x, w, b, kernel.Epilogue{Accumulate: true})
}

func linearInto(dst, x *tensor.Tensor, w, b *Variable, e kernel.Epilogue) {
	if b != nil {
		e.Bias = b.Value().Data()
	}
	multiply(dst, x, w.Value(), transposedB, e)
}

// A PackedWeight is the weight [N, K] of a linear layer in the order in which
// products read it, which saves them most of their time where rows are few. It
// takes as much memory as the weight and does not see it change.
type PackedWeight struct{ packed *kernel.Packed }

// PackWeight packs w [N, K]. With bf16 it rounds it to bfloat16, and products
// their other factor too: see Tape.SetBF16. That takes half the memory.
func PackWeight(w *Variable, bf16 bool) *PackedWeight {
	x, p := w.Value(), new(kernel.Packed)
	b := kernel.Matrix{Data: x.Data(), Stride: x.Stride(), Transposed: true}
	if bf16 {
		p.PackBF16(x.Cols(), x.Rows(), b)
	} else {
		p.Pack(x.Cols(), x.Rows(), b)
	}
	return &PackedWeight{p}
}

// LinearInto is the function LinearInto for this weight.
func (w *PackedWeight) LinearInto(dst, x *tensor.Tensor, b *Variable, act Activation) {
	w.linearInto(dst, x, b, kernel.Epilogue{Activation: act})
}

// LinearAddInto is the function LinearAddInto for this weight.
func (w *PackedWeight) LinearAddInto(dst, x *tensor.Tensor, b *Variable) {
	w.linearInto(dst, x, b, kernel.Epilogue{Accumulate: true})
}

func (w *PackedWeight) linearInto(dst, x *tensor.Tensor, b *Variable, e kernel.Epilogue) {
	if b != nil {
		e.Bias = b.Value().Data()
	}
	a := kernel.Matrix{Data: x.Data(), Stride: x.Stride()}
	kernel.GemmPacked(x.Rows(), w.packed.Columns(), w.packed.Rows(), a, w.packed, dst.Data(), dst.Stride(), e)
}

// ActivateInto sets dst to act(x).
func ActivateInto(dst, x *tensor.Tensor, act Activation) {
	type args struct {
		operands
		act Activation
	}
	onRows(x.Rows(), x.Cols(), args{operands{dst: dst, a: x}, act}, func(o args, from, to int) {
		for i := from; i < to; i++ {
			kernel.Activate(o.act, o.dst.Row(i), o.a.Row(i))
		}
	})
}

// QueryKeyInto is Tape.QueryKey: queries and keys [R, Z] of z [R, Z].
func QueryKeyInto(q, k, z *tensor.Tensor, gamma, beta *Variable) {
	type args struct {
		q, k, z     *tensor.Tensor
		gamma, beta []float32
	}
	a := args{q, k, z, gamma.Value().Data(), beta.Value().Data()}
	onRows(z.Rows(), 4*z.Cols(), a, func(o args, from, to int) {
		kernel.SiLUScaleShift(rowsFrom(o.q, from), rowsFrom(o.k, from), rowsFrom(o.z, from), o.gamma, o.beta,
			to-from, o.z.Cols(), o.q.Stride(), o.k.Stride(), o.z.Stride())
	})
}

// SiLUMulInto sets dst to silu(r)·a: the reset gate (paper equation 14).
func SiLUMulInto(dst, r, a *tensor.Tensor) {
	onRows(r.Rows(), 2*r.Cols(), operands{dst: dst, a: r, b: a}, func(o operands, from, to int) {
		for i := from; i < to; i++ {
			kernel.SiLUMul(o.dst.Row(i), o.a.Row(i), o.b.Row(i))
		}
	})
}

// GatedResidualInto sets dst to residual + σ(u)·(h − residual): the update gate
// (paper equation 15).
func GatedResidualInto(dst, residual, u, h *tensor.Tensor) {
	onRows(u.Rows(), 3*u.Cols(), operands{dst, residual, u, h}, func(o operands, from, to int) {
		for i := from; i < to; i++ {
			kernel.GatedResidual(o.dst.Row(i), o.a.Row(i), o.b.Row(i), o.c.Row(i))
		}
	})
}

// LogSoftmaxInto sets each row of dst to x − log Σ exp x.
func LogSoftmaxInto(dst, x *tensor.Tensor) {
	onRows(x.Rows(), 2*x.Cols(), operands{dst: dst, a: x}, func(o operands, from, to int) {
		for i := from; i < to; i++ {
			kernel.LogSoftmaxRow(o.dst.Row(i), o.a.Row(i))
		}
	})
}

// normArgs are the operands of a norm over rows.
type normArgs struct {
	operands
	weight, bias []float32
	eps          float32
}

func newNormArgs(dst, x *tensor.Tensor, weight, bias *Variable, eps float32) normArgs {
	a := normArgs{operands: operands{dst: dst, a: x}, eps: eps}
	if weight != nil {
		a.weight = weight.Value().Data()
	}
	if bias != nil {
		a.bias = bias.Value().Data()
	}
	return a
}

// LayerNormInto is Tape.LayerNorm.
func LayerNormInto(dst, x *tensor.Tensor, weight, bias *Variable, eps float32) {
	onRows(x.Rows(), x.Cols(), newNormArgs(dst, x, weight, bias, eps), func(o normArgs, from, to int) {
		n := to - from
		stats := parallel.Borrow(2 * n)
		defer stats.Return()
		kernel.LayerNorm(rowsFrom(o.dst, from), rowsFrom(o.a, from), o.weight, o.bias, stats.Data[:n], stats.Data[n:],
			n, o.a.Cols(), o.dst.Stride(), o.a.Stride(), o.eps)
	})
}

// RMSNormInto is Tape.RMSNorm; a nil weight is 1 everywhere.
func RMSNormInto(dst, x *tensor.Tensor, weight *Variable, eps float32) {
	if weight == nil {
		ScaleNormInto(dst, x, nil, eps)
		return
	}
	onRows(x.Rows(), x.Cols(), newNormArgs(dst, x, weight, nil, eps), func(o normArgs, from, to int) {
		stats := parallel.Borrow(to - from)
		defer stats.Return()
		kernel.RMSNorm(rowsFrom(o.dst, from), rowsFrom(o.a, from), o.weight, stats.Data,
			to-from, o.a.Cols(), o.dst.Stride(), o.a.Stride(), o.eps)
	})
}

// ScaleNormInto is Tape.ScaleNorm; a nil scale is 1.
func ScaleNormInto(dst, x *tensor.Tensor, scale *Variable, eps float32) {
	onRows(x.Rows(), x.Cols(), newNormArgs(dst, x, scale, nil, eps), func(o normArgs, from, to int) {
		stats, factor := parallel.Borrow(to-from), float32(1)
		defer stats.Return()
		if o.weight != nil {
			factor = o.weight[0]
		}
		kernel.ScaleNorm(rowsFrom(o.dst, from), rowsFrom(o.a, from), factor, stats.Data,
			to-from, o.a.Cols(), o.dst.Stride(), o.a.Stride(), o.eps)
	})
}

// BatchNormInto is Tape.BatchNormInference.
func BatchNormInto(dst, x *tensor.Tensor, weight, bias *Variable, mean, variance *tensor.Tensor, eps float32) {
	d := x.Cols()
	memory := parallel.Borrow(5 * d)
	defer memory.Return()
	part := func(i int) []float32 { return memory.Data[i*d:][:d] }
	a := newNormArgs(dst, x, weight, bias, eps)
	if weight == nil {
		a.weight, a.bias = part(3), part(4)
		kernel.Fill(a.weight, 1)
		kernel.Fill(a.bias, 0)
	}
	scale, shift, rstd := part(0), part(1), part(2)
	kernel.BatchNormAffine(scale, shift, rstd, mean.Data(), variance.Data(), a.weight, a.bias, eps)
	a.weight, a.bias = scale, shift
	onRows(x.Rows(), d, a, func(o normArgs, from, to int) {
		kernel.ColumnAffine(rowsFrom(o.dst, from), rowsFrom(o.a, from), o.weight, o.bias,
			to-from, o.a.Cols(), o.dst.Stride(), o.a.Stride())
	})
}

// RowRange returns rows [from, to) of a constant as a matrix that shares its
// numbers.
func RowRange(x *Variable, from, to int) *Variable {
	value := x.Value()
	flat := value.Reshape(value.Rows(), value.Cols())
	return NewConstant(tensor.FromSlice(flat.Data()[from*x.Cols():to*x.Cols()], to-from, x.Cols()))
}

// TargetLogProbs returns the log-probability of each row's target under
// softmax(logits [R, V]).
func TargetLogProbs(logits *Variable, targets []int32) []float64 {
	x := logits.Value()
	out := make([]float64, x.Rows())
	eachRows(x.Rows(), x.Cols(), func(i int) {
		row := x.Row(i)
		out[i] = float64(row[targets[i]]) - float64(kernel.LogSumExp(row))
	})
	return out
}
