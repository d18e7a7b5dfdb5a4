package autograd

import (
	"github.com/mega-go/mega/internal/parallel"
	"github.com/mega-go/mega/tensor"
)

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
func eachBlock(rows, width int, f func(block, from, to int)) {
	size, count := rowBlocks(rows, width)
	parallel.Run(count, func(_, b int) { f(b, b*size, min(rows, (b+1)*size)) })
}

// eachRows calls f for each row, in parallel by blocks.
func eachRows(rows, width int, f func(row int)) {
	eachBlock(rows, width, func(_, from, to int) {
		for i := from; i < to; i++ {
			f(i)
		}
	})
}

// A span is a stretch of rows of tensors with the same rows and columns.
type span struct{ from, to int }

// of returns t's numbers in the span.
func (s span) of(t *tensor.Tensor) []float32 {
	cols := t.Cols()
	return t.Data()[s.from*t.Stride():][:(s.to-s.from)*cols]
}

// eachSpan calls f for spans that cover tensors of equal shape, in parallel:
// blocks of rows if the numbers of all lie together, else single rows. cost is
// how many passes over memory f makes.
func eachSpan(cost int, f func(s span), ts ...*tensor.Tensor) {
	together := true
	for _, t := range ts {
		together = together && t.Contiguous()
	}
	eachBlock(ts[0].Rows(), cost*ts[0].Cols(), func(_, from, to int) {
		if together {
			f(span{from, to})
			return
		}
		for i := from; i < to; i++ {
			f(span{i, i + 1})
		}
	})
}
