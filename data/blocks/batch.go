package blocks

import (
	"iter"
	"slices"

	"github.com/mega-go/mega/data"
)

// Batch is what a language model reads and is to predict: B blocks, right-padded
// to one length.
type Batch struct {
	Rows, Length int     // B and L
	Tokens       []int32 // [B, L] token ids, Pad after the end
	Targets      []int32 // [B, L] the token that follows each, Pad where nothing is to be predicted
	Lengths      []int32 // [B] columns of each row before its padding
	IDs          []int   // [B] numbers of the blocks in their epoch
}

func newBatch(lengths []int32, ids []int) *Batch {
	b := &Batch{Rows: len(lengths), Length: int(slices.Max(lengths)), Lengths: lengths, IDs: slices.Clone(ids)}
	b.Tokens = padding(b.Rows * b.Length)
	b.Targets = padding(b.Rows * b.Length)
	return b
}

func padding(n int) []int32 {
	p := make([]int32, n)
	for i := range p {
		p[i] = data.Pad
	}
	return p
}

// row returns row i without its padding.
func (b *Batch) row(i int) (tokens, targets []int32) {
	from, n := i*b.Length, int(b.Lengths[i])
	return b.Tokens[from:][:n], b.Targets[from:][:n]
}

// NumTokens returns the number of tokens to be predicted, </s> included: what
// losses are divided by.
func (b *Batch) NumTokens() int {
	n := 0
	for _, t := range b.Targets {
		if t != data.Pad {
			n++
		}
	}
	return n
}

// Windows cuts the batch into windows of at most the given number of columns. They
// are read one after another with the model's state carried
// (fairseq_cli/eval_mega_lm.py:174). Rows that have ended are all padding in the
// windows that follow.
func (b *Batch) Windows(columns int) iter.Seq[*Batch] {
	return func(yield func(*Batch) bool) {
		for from := 0; from < b.Length; from += columns {
			if !yield(b.window(from, min(from+columns, b.Length))) {
				return
			}
		}
	}
}

func (b *Batch) window(from, to int) *Batch {
	size := b.Rows * (to - from)
	w := &Batch{Rows: b.Rows, Length: to - from, IDs: b.IDs, Lengths: make([]int32, b.Rows)}
	w.Tokens, w.Targets = make([]int32, 0, size), make([]int32, 0, size)
	for i, n := range b.Lengths {
		row := i * b.Length
		w.Tokens = append(w.Tokens, b.Tokens[row+from:row+to]...)
		w.Targets = append(w.Targets, b.Targets[row+from:row+to]...)
		w.Lengths[i] = min(max(n-int32(from), 0), int32(to-from))
	}
	return w
}
