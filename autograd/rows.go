package autograd

import "github.com/mega-go/mega/tensor"

// blockElements is about how many numbers one task of a row-wise operation
// handles: enough to hide the hand-out, few enough to balance.
const blockElements = 1 << 14

// rowBlocks cuts rows of the given width into fixed blocks, whatever the number
// of workers, so that sums over blocks are the same on any.
func rowBlocks(rows, width int) (size, count int) {
	size = max(1, blockElements/max(1, width))
	return size, (rows + size - 1) / size
}

// eachBlock calls f for each block of rows, in parallel.
func (t *Tape) eachBlock(rows, width int, f func(block, from, to int)) {
	size, count := rowBlocks(rows, width)
	t.workers.Run(count, func(_, b int) { f(b, b*size, min(rows, (b+1)*size)) })
}

// eachRows calls f for each row, in parallel by blocks.
func (t *Tape) eachRows(rows, width int, f func(row int)) {
	t.eachBlock(rows, width, func(_, from, to int) {
		for i := from; i < to; i++ {
			f(i)
		}
	})
}

// onRows calls f for blocks of rows, in parallel if there are many. f is given
// what it works on and captures nothing: a closure would have to be allocated.
func onRows[A any](t *Tape, rows, width int, args A, f func(args A, from, to int)) {
	if rows > 1 && rows*width > blockElements { // more than one of rowBlocks
		onManyRows(t, rows, width, args, f)
		return
	}
	f(args, 0, rows)
}

func onManyRows[A any](t *Tape, rows, width int, args A, f func(args A, from, to int)) {
	t.eachBlock(rows, width, func(_, from, to int) { f(args, from, to) })
}

// operands are the tensors of an elementwise operation, of equal shape or nil.
type operands struct {
	dst, a, b, c *tensor.Tensor
	end          ending
}

// elementwise is eachSpan for an f that captures nothing.
func (t *Tape) elementwise(cost int, o operands, f func(o operands, s span)) {
	type spans struct {
		operands
		f        func(o operands, s span)
		together bool
	}
	onRows(t, o.dst.Rows(), cost*o.dst.Cols(), spans{o, f, o.together()}, func(w spans, from, to int) {
		if w.together {
			w.f(w.operands, span{from, to})
			return
		}
		for i := from; i < to; i++ {
			w.f(w.operands, span{i, i + 1})
		}
	})
}

// together reports whether the numbers of each tensor lie next to each other.
func (o operands) together() bool {
	return o.dst.Contiguous() && o.a.Contiguous() && (o.b == nil || o.b.Contiguous()) && (o.c == nil || o.c.Contiguous())
}

// A span is a stretch of rows of tensors with the same rows and columns.
type span struct{ from, to int }

// of returns t's numbers in the span.
func (s span) of(t *tensor.Tensor) []float32 {
	cols := t.Cols()
	return t.Data()[s.from*t.Stride():][:(s.to-s.from)*cols]
}

// A rectangle is part of rows of tensors with the same rows and columns: rows from row i on and
// cols columns from column j on.
type rectangle struct{ i, j, rows, cols int }

// joined returns r as one row where the numbers of each tensor lie next to each other.
func (r rectangle) joined(ts ...*tensor.Tensor) rectangle {
	for _, t := range ts {
		if t != nil && (!t.Contiguous() || r.cols != t.Cols()) {
			return r
		}
	}
	return rectangle{r.i, r.j, 1, r.rows * r.cols}
}

// of returns t's numbers in row n of the rectangle.
func (r rectangle) of(t *tensor.Tensor, n int) []float32 {
	return t.Data()[(r.i+n)*t.Stride()+r.j:][:r.cols]
}

// word returns the number of t's first element in row n of the rectangle.
func (r rectangle) word(t *tensor.Tensor, n int) uint64 {
	return uint64(r.i+n)*uint64(t.Cols()) + uint64(r.j)
}

// word returns the number of t's first element in the span.
func (s span) word(t *tensor.Tensor) uint64 { return uint64(s.from) * uint64(t.Cols()) }

// eachSpan calls f for spans that cover tensors of equal shape, in parallel:
// blocks of rows if the numbers of all lie together, else single rows. cost is
// how many passes over memory f makes.
func (t *Tape) eachSpan(cost int, f func(s span), ts ...*tensor.Tensor) {
	t.eachBlock(ts[0].Rows(), cost*ts[0].Cols(), func(_, from, to int) { eachStretch(from, to, f, ts...) })
}

// eachStretch calls f for spans that cover rows [from, to) of tensors: for all of them if the
// numbers of each tensor lie together, else for single rows.
func eachStretch(from, to int, f func(s span), ts ...*tensor.Tensor) {
	together := true
	for _, t := range ts {
		together = together && t.Contiguous()
	}
	if together {
		f(span{from, to})
		return
	}
	for i := from; i < to; i++ {
		f(span{i, i + 1})
	}
}
