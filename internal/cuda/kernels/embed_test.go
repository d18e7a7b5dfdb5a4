package kernels

import (
	"slices"
	"testing"

	"github.com/mega-go/mega/internal/kernel"
)

func TestEmbed(t *testing.T) {
	b := newBench(t)
	const vocabulary, rows, cols = 11, 70, 33
	table, dy := b.normal(vocabulary*cols), b.normal(rows*cols)
	tokens := make([]int32, rows)
	for i := range tokens {
		tokens[i] = int32(b.r.IntN(vocabulary - 1)) // the last one does not occur
	}
	at, dst := up(b, table), b.empty(rows*cols)
	b.must(Embed(b, dst, at, up(b, tokens), rows, cols, 0.5))
	want := make([]float32, rows*cols)
	for i, token := range tokens {
		kernel.Scale(want[i*cols:][:cols], table[int(token)*cols:][:cols], 0.5)
	}
	b.compare("embed", dst, want, 0)
	x := NewTokenIndex(append(tokens, -1, vocabulary), vocabulary, 4)
	index := up(b, slices.Concat(x.Tokens, x.Starts, x.Order))
	b.must(EmbedGrad(b, at, up(b, dy), x, index, cols, 0.5))
	for i, token := range tokens {
		if token != 4 {
			kernel.Axpy(table[int(token)*cols:][:cols], 0.5, dy[i*cols:][:cols])
		}
	}
	b.compare("embed's gradient", at, table, 1e-6)
	b.must(EmbedGrad(b, at, 0, NewTokenIndex(nil, vocabulary, -1), 0, cols, 1))
}
