package autograd

import (
	"fmt"
	"slices"

	"github.com/mega-go/mega/internal/kernel"
	"github.com/mega-go/mega/internal/parallel"
	"github.com/mega-go/mega/tensor"
)

// An EMAStream is a causal moving average made ready for reading texts piece by
// piece. It is computed once from the parameters, is read only, and does not
// see them change. There is no truncation (reference
// exponential_moving_average.py:109-156).
type EMAStream struct{ coefficients kernel.EMACoefficients }

// NewEMAStream computes the coefficients. It panics if the average runs from the
// right too.
func NewEMAStream(p EMAParameters, c EMAConfig) *EMAStream {
	if c.Bidirectional {
		panic("autograd: a bidirectional average has no stream")
	}
	e := new(EMAStream)
	e.coefficients.Set(kernel.EMAShape{Channels: p.Omega.Cols(), States: c.States}, kernel.EMAParams{
		Delta: p.Delta.Value().Data(), Alpha: p.Alpha.Value().Data(), Beta: p.Beta.Value().Data(),
		Gamma: p.Gamma.Value().Data(), Omega: p.Omega.Value().Data(),
	})
	return e
}

// StateSize returns the length of the state of one text. Zeros are its
// beginning.
func (e *EMAStream) StateSize() int { return e.coefficients.StateSize() }

// Into sets dst to what Tape.EMA returns for the next positions of B texts, x
// [B·L, D], and moves state [B, StateSize] past them.
func (e *EMAStream) Into(dst, x, state *tensor.Tensor) {
	texts := state.Rows()
	kernel.EMAStep(dst.Data(), x.Data(), nil, state.Data(), texts, x.Rows()/texts, &e.coefficients)
}

// A KeyValueCache holds the keys and values of the chunk that a text is in.
type KeyValueCache struct {
	z, h         int // widths of a key and a value
	n, room      int // positions held, and those that memory is there for
	keys, values []float32
}

// NewKeyValueCache returns an empty cache for keys of width z and values of
// width h.
func NewKeyValueCache(z, h int) *KeyValueCache { return &KeyValueCache{z: z, h: h} }

// Len returns the number of positions held.
func (c *KeyValueCache) Len() int { return c.n }

// Clear drops all positions and keeps the memory.
func (c *KeyValueCache) Clear() { c.n = 0 }

// Clone returns a copy that takes no more memory than it needs.
func (c *KeyValueCache) Clone() *KeyValueCache {
	d := NewKeyValueCache(c.z, c.h)
	d.reserve(c.n)
	d.n = c.n
	copy(d.keys, c.keys[:c.n*c.z])
	copy(d.values, c.values[:c.n*c.h])
	return d
}

// Copy makes c hold what o holds, in c's memory if that is enough.
func (c *KeyValueCache) Copy(o *KeyValueCache) {
	c.n = 0
	c.reserve(o.n)
	c.n = o.n
	copy(c.keys, o.keys[:o.n*o.z])
	copy(c.values, o.values[:o.n*o.h])
}

// Tensors returns the keys [n, Z] and values [n, H] held. They share the
// cache's memory.
func (c *KeyValueCache) Tensors() (keys, values *tensor.Tensor) {
	return tensor.FromSlice(c.keys[:c.n*c.z], c.n, c.z), tensor.FromSlice(c.values[:c.n*c.h], c.n, c.h)
}

// Append adds the keys and values of further positions.
func (c *KeyValueCache) Append(keys, values *tensor.Tensor) {
	c.appendRows(keys, values, 0, keys.Rows())
}

// appendRows adds n positions, whose keys and values are rows from on.
func (c *KeyValueCache) appendRows(keys, values *tensor.Tensor, from, n int) {
	c.reserve(c.n + n)
	for i := range n {
		copy(c.keys[(c.n+i)*c.z:][:c.z], keys.Row(from+i))
		copy(c.values[(c.n+i)*c.h:][:c.h], values.Row(from+i))
	}
	c.n += n
}

// firstRoom is the number of positions that a cache makes room for at first.
const firstRoom = 16

// reserve makes room for n positions, doubling it so that adding one by one
// seldom has to.
func (c *KeyValueCache) reserve(n int) {
	if n <= c.room {
		return
	}
	room := max(n, 2*c.room, firstRoom)
	c.keys = grown(c.keys, c.n*c.z, room*c.z)
	c.values = grown(c.values, c.n*c.h, room*c.h)
	c.room = room
}

// grown returns memory for n numbers that begins with the first used ones of x.
func grown(x []float32, used, n int) []float32 {
	y := parallel.Aligned(n)
	copy(y, x[:used])
	return y
}

// A StreamAttention is causal attention within chunks over texts that are read
// piece by piece.
type StreamAttention struct {
	Function AttentionFunction
	Scale    float64        // multiplies q·k
	Chunk    int            // positions that attend to each other, negative for all
	Bias     *tensor.Tensor // relative position bias
	BiasZero int            // query i and key j take Bias[BiasZero+j−i]
}

// Into sets dst [B·L, H] to the attention of the next L positions of B texts,
// with queries q, keys k [B·L, Z] and values v [B·L, H], and moves the texts'
// caches past them. A cache that a chunk has filled is dropped: the next
// position attends to itself alone (reference
// moving_average_gated_attention.py:246-279). The positions must either be
// whole chunks of texts whose caches are empty, or stay within a chunk of each.
func (a *StreamAttention) Into(dst, q, k, v *tensor.Tensor, caches []*KeyValueCache) {
	length := q.Rows() / len(caches)
	if a.Chunk > 0 && length%a.Chunk == 0 && !slices.ContainsFunc(caches, holdsAny) {
		a.run(dst, q, 0, a.Chunk, q.Rows()/a.Chunk, attentionRows(k), attentionRows(v), a.Chunk)
		return
	}
	if len(caches) < textsApart {
		for i, c := range caches {
			a.next(dst, q, k, v, i*length, length, c)
		}
		return
	}
	type args struct {
		*StreamAttention
		dst, q, k, v *tensor.Tensor
		length       int
		caches       []*KeyValueCache
	}
	cost := length * (caches[0].n + length) * (q.Cols() + dst.Cols())
	onRows(len(caches), cost, args{a, dst, q, k, v, length, caches}, func(o args, from, to int) {
		for i := from; i < to; i++ {
			o.next(o.dst, o.q, o.k, o.v, i*o.length, o.length, o.caches[i])
		}
	})
}

// textsApart is the number of texts from which each is a task of its own; of
// fewer, the keys of each are cut into tasks.
const textsApart = 8

// next is Into for one text, whose next n positions are rows from from on.
func (a *StreamAttention) next(dst, q, k, v *tensor.Tensor, from, n int, c *KeyValueCache) {
	c.appendRows(k, v, from, n)
	if a.Chunk > 0 && c.n > a.Chunk {
		panic(fmt.Sprintf("autograd: %d positions of a chunk of %d", c.n, a.Chunk))
	}
	a.run(dst, q, from, n, 1, kernel.Rows{Data: c.keys, Stride: c.z}, kernel.Rows{Data: c.values, Stride: c.h}, c.n)
	if c.n == a.Chunk {
		c.Clear()
	}
}

func holdsAny(c *KeyValueCache) bool { return c.n > 0 }

// run lets segments of so many queries, from a row of q on, attend to keys.
func (a *StreamAttention) run(dst, q *tensor.Tensor, from, queries, segments int, k, v kernel.Rows, keys int) {
	call := kernel.Attention{
		Function: a.Function, Segments: segments, Queries: queries, Keys: keys, Z: q.Cols(), H: dst.Cols(),
		Causal: true, Scale: float32(a.Scale), Bias: a.Bias.Data(), BiasZero: a.BiasZero - (keys - queries),
	}
	call.Forward(kernel.Rows{Data: rowsFrom(dst, from), Stride: dst.Stride()},
		kernel.Rows{Data: rowsFrom(q, from), Stride: q.Stride()}, k, v, nil)
}
