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
	type args struct {
		dst, table *tensor.Tensor
		tokens     []int32
		scale      float32
	}
	onRows(t, len(tokens), w.Cols(), args{out.value, t.value(w), tokens, scale}, func(o args, from, to int) {
		for i := from; i < to; i++ {
			tok := o.tokens[i]
			if tok < 0 || int(tok) >= o.table.Rows() {
				panic(fmt.Sprintf("autograd: token %d of a vocabulary of %d", tok, o.table.Rows()))
			}
			kernel.Scale(o.dst.Row(i), o.table.Row(int(tok)), o.scale)
		}
	})
	if t.wants(w) {
		t.push("embedding", out, nil, func() {
			dy, dw := t.outGrad(out), t.zeroedGrad(w)
			t.scatter(dw, dy, tokens, scale, padding)
		})
	}
	t.stop("embedding", start)
	return out
}

// zeroedGrad returns v's gradient buffer, zeroed unless it holds a gradient; a
// buffer to be forgotten if v wants none.
func (t *Tape) zeroedGrad(v *Variable) *tensor.Tensor {
	if !v.needs {
		return tensor.New(v.shape...)
	}
	dst, accumulate := t.grad(v)
	if !accumulate {
		dst.Zero()
	}
	return dst
}

// scatter adds scale · dy's rows to the rows of dw that tokens name. Workers
// take columns, so that each sum is in the order of the tokens.
func (t *Tape) scatter(dw, dy *tensor.Tensor, tokens []int32, scale float32, padding int32) {
	const width = 16
	cols := dw.Cols()
	t.workers.Run((cols+width-1)/width, func(_, block int) {
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
	d := w.Cols()
	out := t.allocRows(shape, d)
	weight, bias := t.value(w), t.value(b).Data()
	channels := len(weight.Data()) / d
	rows := len(x) / channels
	t.eachRows(rows, d, func(i int) {
		row := out.value.Row(i)
		copy(row, bias)
		for c := range channels {
			kernel.Axpy(row, x[i*channels+c], weight.Row(c))
		}
	})
	if t.wants(w, b) {
		t.push("embedding", out, nil, func() {
			dy := t.outGrad(out)
			t.addGrad(w, func(dw *tensor.Tensor) {
				for c := range channels {
					t.reduceBlocks(dw.Row(c), rows, d, func(part []float32, from, to int) {
						for i := from; i < to; i++ {
							kernel.Axpy(part, x[i*channels+c], dy.Row(i))
						}
					})
				}
			})
			t.addGrad(b, func(db *tensor.Tensor) { t.columnSums(db.Data(), dy) })
		})
	}
	t.stop("embedding", start)
	return out
}

// Patches returns the squares of side patch that tile square images [B, C, S, S],
// row by row: [B, (S/patch)², C·patch²], each as its image is laid out
// (timm/models/layers/patch_embed.py:44-66 of mega-image). It has no gradient.
func (t *Tape) Patches(pixels []float32, batch, channels, side, patch int) *Variable {
	start := t.start()
	across := side / patch
	out := t.alloc(batch, across*across, channels*patch*patch)
	t.eachRows(batch*across*across, channels*patch*patch, func(i int) {
		row, at := out.value.Row(i), i%(across*across)
		for j := range channels * patch {
			from := ((i/(across*across)*channels+j/patch)*side+at/across*patch+j%patch)*side + at%across*patch
			copy(row[j*patch:][:patch], pixels[from:])
		}
	})
	t.stop("patches", start)
	return out
}

// MeanPool returns Σ_l x[b,l,:] / lengths[b] for x [B, L, D]: shape [B, D].
// Rows beyond a length must be zero to leave no trace.
func (t *Tape) MeanPool(x *Variable, lengths []float32) *Variable {
	b, l, d := x.shape[0], x.shape[1], x.shape[2]
	out := t.alloc(b, d)
	value := t.value(x)
	t.workers.Run(b, func(_, i int) {
		row := out.value.Row(i)
		clear(row)
		for j := range l {
			kernel.Add(row, row, value.Row(i*l+j))
		}
		kernel.Scale(row, row, 1/lengths[i])
	})
	if t.wants(x) {
		t.push("pool", out, nil, func() {
			dy := t.outGrad(out)
			t.addGrad(x, func(dx *tensor.Tensor) {
				t.eachRows(b*l, d, func(i int) { kernel.Scale(dx.Row(i), dy.Row(i/l), 1/lengths[i/l]) })
			})
		})
	}
	return out
}

// Rows returns x[rows[i], :] for x seen as a matrix: shape [len(rows), D]. No
// row may be asked for twice.
func (t *Tape) Rows(x *Variable, rows []int32) *Variable {
	out := t.alloc(len(rows), x.Cols())
	value := t.value(x)
	for i, r := range rows {
		copy(out.value.Row(i), value.Row(int(r)))
	}
	if t.wants(x) {
		t.push("rows", out, nil, func() {
			dy, dx := t.outGrad(out), t.zeroedGrad(x)
			for i, r := range rows {
				kernel.Add(dx.Row(int(r)), dx.Row(int(r)), dy.Row(i))
			}
		})
	}
	return out
}

// RowRange returns rows [from, to) of a constant as a matrix that shares its
// numbers.
func RowRange(x *Variable, from, to int) *Variable {
	value := x.Value()
	flat := value.Reshape(value.Rows(), value.Cols())
	return NewConstant(tensor.FromSlice(flat.Data()[from*x.Cols():to*x.Cols()], to-from, x.Cols()))
}
