package autograd

import (
	"github.com/mega-go/mega/internal/kernel"
	"github.com/mega-go/mega/tensor"
)

// MatMul returns x w for x [..., K] and w [K, N]: shape [..., N].
func (t *Tape) MatMul(x, w *Variable) *Variable {
	start := t.start()
	out := t.allocCols(x, w.Cols())
	t.ops.multiply(out.value, t.value(x), t.value(w), plain, epilogue{})
	if t.wants(x, w) {
		t.push("linear", out, []*Variable{x, w}, func() {
			dy := t.outGrad(out)
			if w.needs {
				dw, accumulate := t.grad(w)
				t.ops.multiply(dw, t.value(x), dy, transposedA, addTo(dw, accumulate))
			}
			if x.needs {
				dx, accumulate := t.grad(x)
				t.ops.multiply(dx, dy, t.value(w), transposedB, addTo(dx, accumulate))
			}
		})
	}
	t.stop("linear", start)
	return out
}

// Merge returns the rows of parts, times scale, at the positions that rows
// give: row i of part p is row rows[p][i] of the result, of shape [shape..., D].
// The positions must be a permutation of all rows.
func (t *Tape) Merge(parts []*Variable, rows [][]int32, scale float32, shape []int) *Variable {
	start := t.start()
	out := t.allocRows(shape, parts[0].Cols())
	for p, part := range parts {
		t.ops.placeRows(out.value, t.value(part), rows[p], scale)
	}
	if t.wants(parts...) {
		t.push("embedding", out, nil, func() {
			dy := t.outGrad(out)
			for p, part := range parts {
				t.addGrad(part, func(d *tensor.Tensor) { t.ops.takeRows(d, dy, rows[p], scale) })
			}
		})
	}
	t.stop("embedding", start)
	return out
}

func (h *host) placeRows(dst, x *tensor.Tensor, rows []int32, scale float32) {
	h.tape().eachRows(len(rows), x.Cols(), func(i int) { kernel.Scale(dst.Row(int(rows[i])), x.Row(i), scale) })
}

func (h *host) takeRows(dst, x *tensor.Tensor, rows []int32, scale float32) {
	h.tape().eachRows(len(rows), x.Cols(), func(i int) { kernel.Scale(dst.Row(i), x.Row(int(rows[i])), scale) })
}

// LogSoftmax returns x − log Σ exp x for each row. It has no gradient: losses
// take logits.
func (t *Tape) LogSoftmax(x *Variable) *Variable {
	out := t.allocLike(x)
	t.ops.logSoftmax(out.value, t.value(x))
	return out
}

func (h *host) logSoftmax(dst, x *tensor.Tensor) {
	onRows(h.tape(), x.Rows(), 2*x.Cols(), operands{dst: dst, a: x}, func(o operands, from, to int) {
		for i := from; i < to; i++ {
			kernel.LogSoftmaxRow(o.dst.Row(i), o.a.Row(i))
		}
	})
}

// JoinBands returns the log-probabilities of a whole vocabulary from those of
// an adaptive softmax: parts[0] holds the first words and after them one column
// for each further band, whose words follow in parts[1:]. It has no gradient.
func (t *Tape) JoinBands(parts []*Variable, words int) *Variable {
	cols := words
	values := []*tensor.Tensor{t.value(parts[0])}
	for _, p := range parts[1:] {
		cols, values = cols+p.Cols(), append(values, t.value(p))
	}
	out := t.allocCols(parts[0], cols)
	t.ops.joinBands(out.value, values, words)
	return out
}

func (h *host) joinBands(dst *tensor.Tensor, parts []*tensor.Tensor, words int) {
	head := parts[0]
	h.tape().eachRows(head.Rows(), dst.Cols(), func(i int) {
		row := dst.Row(i)
		copy(row, head.Row(i)[:words])
		from := words
		for b, p := range parts[1:] {
			n := p.Cols()
			kernel.AddScalar(row[from:from+n], p.Row(i), head.Row(i)[words+b])
			from += n
		}
	})
}
