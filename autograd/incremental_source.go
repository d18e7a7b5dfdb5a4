package autograd

import (
	"github.com/mega-go/mega/internal/kernel"
	"github.com/mega-go/mega/tensor"
)

// A Source is what a decoder attends to: the keys [S, Z] and values [S, H] of a
// source's tokens, the first of which stands at a column.
type Source struct {
	Keys, Values *tensor.Tensor
	Column       int
}

// A SourceAttention is the attention of translations, written token by token, to
// their sources.
type SourceAttention struct {
	Function AttentionFunction
	Scale    float64        // multiplies q·k
	Bias     *tensor.Tensor // relative position bias
	BiasZero int            // query i and key j take Bias[BiasZero+j−i]
	Reach    int            // positions that Bias is made for
}

// Into sets row i of dst [R·n, H] to the attention of query i of q [R·n, Z], n
// for each of R translations, the last at positions[r] − 1. Translation r is of
// sources[of[r]]; several may share one.
func (a *SourceAttention) Into(dst, q *tensor.Tensor, sources []Source, of, positions []int) {
	n := q.Rows() / len(of)
	type args struct {
		*SourceAttention
		dst, q    *tensor.Tensor
		sources   []Source
		of        []int
		positions []int
		n         int
	}
	cost := n * sources[0].Keys.Rows() * (q.Cols() + dst.Cols())
	onRows(len(of), cost, args{a, dst, q, sources, of, positions, n}, func(o args, from, to int) {
		for r := from; r < to; r++ {
			o.attend(o.dst, o.q, o.sources[o.of[r]], r*o.n, o.n, o.positions[r]-o.n)
		}
	})
}

// attend lets n queries from a row on, the first at a position, attend to a
// source.
func (a *SourceAttention) attend(dst, q *tensor.Tensor, s Source, row, n, position int) {
	call := kernel.Attention{
		Function: a.Function, Segments: 1, Queries: n, Keys: s.Keys.Rows(), Z: q.Cols(), H: dst.Cols(),
		Scale: float32(a.Scale), Bias: a.Bias.Data(), BiasZero: a.BiasZero + s.Column - position,
	}
	call.Forward(kernel.Rows{Data: rowsFrom(dst, row), Stride: dst.Stride()},
		kernel.Rows{Data: rowsFrom(q, row), Stride: q.Stride()}, attentionRows(s.Keys), attentionRows(s.Values), nil)
}

// Weights returns the weights that a query [Z] at a position gives a source's
// tokens: attention to the columns of a unit matrix.
func (a *SourceAttention) Weights(q []float32, s Source, position int) []float32 {
	keys := s.Keys.Rows()
	unit := tensor.New(keys, keys)
	for j := range keys {
		unit.Row(j)[j] = 1
	}
	weights := tensor.New(1, keys)
	a.attend(weights, tensor.FromSlice(q, 1, len(q)), Source{s.Keys, unit, s.Column}, 0, 1, position)
	return weights.Data()
}
