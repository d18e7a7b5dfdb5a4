package autograd

import (
	"fmt"

	"github.com/mega-go/mega/internal/kernel"
	"github.com/mega-go/mega/tensor"
)

// Embedding returns scale · w[token] for tokens, whose count must be the
// product of shape, and w [V, D]: shape [shape..., D]. The row of padding, if
// it is not negative, takes no gradient (torch.nn.Embedding's padding_idx).
// It panics on a token outside [0, V): readers of data check them.
func (t *Tape) Embedding(tokens []int32, shape []int, w *Variable, scale float32, padding int32) *Variable {
	start := t.start()
	out := t.allocRows(shape, w.Cols())
	t.ops.embed(out.value, t.value(w), tokens, scale)
	if t.wants(w) {
		t.push("embedding", out, nil, func() {
			dy, dw := t.outGrad(out), t.zeroedGrad(w)
			t.ops.embedGrad(dw, dy, tokens, scale, padding)
		})
	}
	t.stop("embedding", start)
	return out
}

func (h *host) embed(dst, table *tensor.Tensor, tokens []int32, scale float32) {
	type args struct {
		dst, table *tensor.Tensor
		tokens     []int32
		scale      float32
	}
	onRows(h.tape(), len(tokens), table.Cols(), args{dst, table, tokens, scale}, func(o args, from, to int) {
		for i := from; i < to; i++ {
			tok := o.tokens[i]
			checkToken(tok, o.table.Rows())
			kernel.Scale(o.dst.Row(i), o.table.Row(int(tok)), o.scale)
		}
	})
}

// checkToken panics on a token outside a vocabulary.
func checkToken(token int32, vocabulary int) {
	if token < 0 || int(token) >= vocabulary {
		panic(fmt.Sprintf("autograd: token %d of a vocabulary of %d", token, vocabulary))
	}
}

// zeroedGrad returns v's gradient buffer, zeroed unless it holds a gradient; a
// buffer to be forgotten if v wants none.
func (t *Tape) zeroedGrad(v *Variable) *tensor.Tensor {
	if !v.needs {
		dst := tensor.NewLike(t.value(v), v.shape...)
		t.ops.fill(dst, 0)
		return dst
	}
	dst, accumulate := t.grad(v)
	if !accumulate {
		t.ops.fill(dst, 0)
	}
	return dst
}

// embedGrad adds scale · dy's rows to the rows of dw that tokens name. Workers
// take columns, so that each sum is in the order of the tokens.
func (h *host) embedGrad(dw, dy *tensor.Tensor, tokens []int32, scale float32, padding int32) {
	const width = 16
	cols := dw.Cols()
	h.workers.Run((cols+width-1)/width, func(_, block int) {
		from, to := block*width, min(cols, (block+1)*width)
		for i, tok := range tokens {
			if tok != padding {
				kernel.Axpy(dw.Row(int(tok))[from:to], scale, dy.Row(i)[from:to])
			}
		}
	})
}

// RealEmbedding returns x·w + b for real numbers x, whose count must be the
// product of shape, and w, b [D]: shape [..., D]. With w [C, D] x has C numbers,
// side by side, for each of the product, and it returns Σ_c x_c·w_c + b.
func (t *Tape) RealEmbedding(x []float32, shape []int, w, b *Variable) *Variable {
	start := t.start()
	out := t.allocRows(shape, w.Cols())
	t.ops.embedReals(out.value, x, t.value(w), t.value(b))
	if t.wants(w, b) {
		t.push("embedding", out, nil, func() {
			dy := t.outGrad(out)
			t.addGrad(w, func(dw *tensor.Tensor) { t.ops.embedRealsGrad(dw, x, dy) })
			t.addGrad(b, func(db *tensor.Tensor) { t.ops.columnSums(db, dy) })
		})
	}
	t.stop("embedding", start)
	return out
}

func (h *host) embedReals(dst *tensor.Tensor, x []float32, w, b *tensor.Tensor) {
	d, bias := w.Cols(), b.Data()
	channels := w.Rows()
	h.tape().eachRows(len(x)/channels, d, func(i int) {
		row := dst.Row(i)
		copy(row, bias)
		for c := range channels {
			kernel.Axpy(row, x[i*channels+c], w.Row(c))
		}
	})
}

func (h *host) embedRealsGrad(dw *tensor.Tensor, x []float32, dy *tensor.Tensor) {
	channels := dw.Rows()
	for c := range channels {
		h.tape().reduceBlocks(dw.Row(c), dy.Rows(), dy.Cols(), func(part []float32, from, to int) {
			for i := from; i < to; i++ {
				kernel.Axpy(part, x[i*channels+c], dy.Row(i))
			}
		})
	}
}

// Patches returns the squares of side patch that tile square images [B, C, S, S],
// row by row: [B, (S/patch)², C·patch²], each as its image is laid out
// (timm/models/layers/patch_embed.py:44-66 of mega-image). It has no gradient.
func (t *Tape) Patches(pixels []float32, batch, channels, side, patch int) *Variable {
	start := t.start()
	p := patchGrid{channels, side, patch}
	out := t.alloc(batch, p.across()*p.across(), channels*patch*patch)
	t.ops.patches(out.value, pixels, p)
	t.stop("patches", start)
	return out
}

// A patchGrid is how patches tile images.
type patchGrid struct{ channels, side, patch int }

// across is how many patches lie side by side.
func (p patchGrid) across() int { return p.side / p.patch }

// lay sets row to patch number i of images.
func (p patchGrid) lay(row, pixels []float32, i int) {
	across, patch := p.across(), p.patch
	at := i % (across * across)
	for j := range p.channels * patch {
		from := ((i/(across*across)*p.channels+j/patch)*p.side+at/across*patch+j%patch)*p.side + at%across*patch
		copy(row[j*patch:][:patch], pixels[from:])
	}
}

func (h *host) patches(dst *tensor.Tensor, pixels []float32, p patchGrid) {
	h.tape().eachRows(dst.Rows(), dst.Cols(), func(i int) { p.lay(dst.Row(i), pixels, i) })
}

// MeanPool returns Σ_l x[b,l,:] / lengths[b] for x [B, L, D]: shape [B, D].
// Rows beyond a length must be zero to leave no trace.
func (t *Tape) MeanPool(x *Variable, lengths []float32) *Variable {
	b, d := x.shape[0], x.shape[2]
	out := t.alloc(b, d)
	t.ops.meanPool(out.value, t.value(x), lengths)
	if t.wants(x) {
		t.push("pool", out, nil, func() {
			dy := t.outGrad(out)
			t.addGrad(x, func(dx *tensor.Tensor) { t.ops.meanPoolGrad(dx, dy, lengths) })
		})
	}
	return out
}

func (h *host) meanPool(dst, x *tensor.Tensor, lengths []float32) {
	l := x.Rows() / max(1, len(lengths))
	h.workers.Run(len(lengths), func(_, i int) {
		row := dst.Row(i)
		clear(row)
		for j := range l {
			kernel.Add(row, row, x.Row(i*l+j))
		}
		kernel.Scale(row, row, 1/lengths[i])
	})
}

func (h *host) meanPoolGrad(dx, dy *tensor.Tensor, lengths []float32) {
	l := dx.Rows() / max(1, len(lengths))
	h.tape().eachRows(dx.Rows(), dx.Cols(), func(i int) { kernel.Scale(dx.Row(i), dy.Row(i/l), 1/lengths[i/l]) })
}

// Rows returns x[rows[i], :] for x seen as a matrix: shape [len(rows), D]. No
// row may be asked for twice.
func (t *Tape) Rows(x *Variable, rows []int32) *Variable {
	out := t.alloc(len(rows), x.Cols())
	t.ops.rows(out.value, t.value(x), rows)
	if t.wants(x) {
		t.push("rows", out, nil, func() {
			dy, dx := t.outGrad(out), t.zeroedGrad(x)
			t.ops.rowsGrad(dx, dy, rows)
		})
	}
	return out
}

func (h *host) rows(dst, src *tensor.Tensor, rows []int32) {
	for i, r := range rows {
		copy(dst.Row(i), src.Row(int(r)))
	}
}

func (h *host) rowsGrad(dsrc, dy *tensor.Tensor, rows []int32) {
	for i, r := range rows {
		kernel.Add(dsrc.Row(int(r)), dsrc.Row(int(r)), dy.Row(i))
	}
}

// RowRange returns rows [from, to) of a constant as a matrix that shares its
// numbers.
func RowRange(x *Variable, from, to int) *Variable {
	return NewConstant(x.Value().RowRange(from, to))
}
