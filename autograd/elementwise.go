package autograd

import (
	"slices"

	"github.com/mega-go/mega/internal/kernel"
	"github.com/mega-go/mega/tensor"
)

// Add returns a + b, of one shape.
func (t *Tape) Add(a, b *Variable) *Variable {
	sameShape("Add", a, b)
	start := t.start()
	out := t.allocLike(a)
	t.ops.add(out.value, t.value(a), t.value(b))
	if t.wants(a, b) {
		t.push("add", out, nil, func() {
			dy := t.outGrad(out)
			t.addGrad(b, func(db *tensor.Tensor) { t.ops.copy(db, dy) })
			t.passGrad(a, out)
		})
	}
	t.stop("add", start)
	return out
}

func (h *host) add(dst, a, b *tensor.Tensor) {
	h.tape().elementwise(3, operands{dst: dst, a: a, b: b}, func(o operands, s span) {
		kernel.Add(s.of(o.dst), s.of(o.a), s.of(o.b))
	})
}

// FeatureDropout drops whole features: x [G·L, D] is G groups of rows, and each
// column of a group is dropped as one with probability p; with whole set, each
// group is dropped as one. (reference fairseq_dropout.py:52-76, whose dropout2d
// drops channels over time for a 3-D input and whole chunks for a 4-D one.)
// Outside training it returns x.
func (t *Tape) FeatureDropout(x *Variable, groups int, whole bool, p float64) *Variable {
	if !t.drops(p) {
		return x
	}
	start := t.start()
	mask := t.pool.Get(groups, x.Cols())
	f := featureDrop{mask, whole, t.nextSeed(), float32(p)}
	t.ops.drawFeatures(f)
	out := t.allocLike(x)
	t.compute(out, func(dst *tensor.Tensor) { t.ops.dropFeatures(dst, t.value(x), f) })
	if !t.wants(x) {
		t.pool.Put(mask)
	} else {
		t.pushMany("dropout", []*Variable{out}, []*tensor.Tensor{mask}, []*Variable{x}, func() {
			dy := t.outGrad(out)
			t.addGrad(x, func(dx *tensor.Tensor) { t.ops.dropFeatures(dx, dy, f) })
		})
	}
	t.stop("dropout", start)
	return out
}

// A featureDrop is a dropout of features: its mask [groups, cols] has room for a factor,
// 0 or 1/(1−p), of each.
type featureDrop struct {
	mask  *tensor.Tensor
	whole bool
	seed  uint64
	p     float32
}

// drawFeatures draws the factors of each group's columns, or of each group.
func (h *host) drawFeatures(f featureDrop) {
	cols := f.mask.Cols()
	one := [1]float32{}
	for g := range f.mask.Rows() {
		row := f.mask.Row(g)
		if f.whole {
			one[0] = 1
			kernel.Dropout(one[:], one[:], f.seed, uint64(g), f.p)
			kernel.Fill(row, one[0])
			continue
		}
		kernel.Fill(row, 1)
		kernel.Dropout(row, row, f.seed, uint64(g)*uint64(cols), f.p)
	}
}

func (h *host) dropFeatures(dst, x *tensor.Tensor, f featureDrop) {
	length := x.Rows() / max(1, f.mask.Rows())
	h.tape().eachRows(x.Rows(), x.Cols(), func(i int) { kernel.Mul(dst.Row(i), x.Row(i), f.mask.Row(i/length)) })
}

// MaskRows sets the rows of x whose mask is true to zero; a nil mask returns x.
func (t *Tape) MaskRows(x *Variable, mask []bool) *Variable {
	if mask == nil {
		return x
	}
	start := t.start()
	out := t.allocLike(x)
	t.ops.copyUnmasked(out.value, t.value(x), mask)
	if t.wants(x) {
		out.recompute = func(dst *tensor.Tensor) { t.ops.copyUnmasked(dst, t.value(x), mask) }
		t.push("mask", out, []*Variable{x}, func() {
			dy := t.outGrad(out)
			t.addGrad(x, func(dx *tensor.Tensor) { t.ops.copyUnmasked(dx, dy, mask) })
		})
	}
	t.stop("mask", start)
	return out
}

func (h *host) copyUnmasked(dst, src *tensor.Tensor, mask []bool) {
	type args struct {
		dst, src *tensor.Tensor
		mask     []bool
	}
	onRows(h.tape(), src.Rows(), src.Cols(), args{dst, src, mask}, func(o args, from, to int) {
		for i := from; i < to; i++ {
			if o.mask[i] {
				clear(o.dst.Row(i))
			} else {
				copy(o.dst.Row(i), o.src.Row(i))
			}
		}
	})
}

// Head returns the first l positions of each row of x [B, L, D]: [B, l, D].
func (t *Tape) Head(x *Variable, l int) *Variable {
	b, length, d := x.shape[0], x.shape[1], x.shape[2]
	if l == length {
		return x
	}
	rows := make([]int32, 0, b*l)
	for i := range b {
		for j := range l {
			rows = append(rows, int32(i*length+j))
		}
	}
	return t.Reshape(t.Rows(x, rows), b, l, d)
}

// Reshape returns x with another shape of the same size and the same last
// dimension or contiguous rows.
func (t *Tape) Reshape(x *Variable, shape ...int) *Variable {
	out := t.alloc(shape...)
	t.compute(out, func(dst *tensor.Tensor) { t.copyShaped(dst, t.value(x)) })
	if t.wants(x) {
		t.push("reshape", out, []*Variable{x}, func() {
			dy := t.outGrad(out)
			t.addGrad(x, func(dx *tensor.Tensor) { t.copyShaped(dx, dy) })
		})
	}
	return out
}

// copyShaped copies the elements of src to dst, which may have another shape if
// their last dimensions are the same or both are contiguous.
func (t *Tape) copyShaped(dst, src *tensor.Tensor) {
	if dst.Cols() != src.Cols() {
		src = src.Reshape(dst.Shape()...)
	}
	t.ops.copy(dst, src)
}

// Split returns views of consecutive column ranges of x, in a slice that is
// theirs until the scope ends. The views must cover
// x, and x must be the result of an operation and have no other use: their
// gradients are written straight into the columns of x's.
func (t *Tape) Split(x *Variable, widths ...int) []*Variable {
	if x.leaf && x.needs {
		panic("autograd: Split of a parameter")
	}
	first, from := len(t.made), 0
	for _, w := range widths {
		t.view(x, from, from+w)
		from += w
	}
	if from != x.Cols() {
		panic("autograd: Split does not cover the columns")
	}
	views := t.made[first:len(t.made):len(t.made)]
	if t.wants(x) {
		t.recordSplit(x, slices.Clone(views))
	}
	return views
}

func (t *Tape) recordSplit(x *Variable, views []*Variable) {
	t.pushMany("split", views, nil, nil, func() {
		for _, v := range views {
			t.outGrad(v)
			v.hasGrad = false
		}
		x.hasGrad = true
	})
}

// Concat returns the columns of a followed by those of b, row by row.
func (t *Tape) Concat(a, b *Variable) *Variable {
	n := a.Cols()
	out := t.allocCols(a, n+b.Cols())
	t.ops.copy(out.value.Columns(0, n), t.value(a))
	t.ops.copy(out.value.Columns(n, n+b.Cols()), t.value(b))
	if t.wants(a, b) {
		t.push("concat", out, nil, func() {
			dy := t.outGrad(out)
			t.addGrad(a, func(da *tensor.Tensor) { t.ops.copy(da, dy.Columns(0, n)) })
			t.addGrad(b, func(db *tensor.Tensor) { t.ops.copy(db, dy.Columns(n, dy.Cols())) })
		})
	}
	return out
}
