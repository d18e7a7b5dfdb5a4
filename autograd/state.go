package autograd

import (
	"fmt"
	"slices"

	"github.com/mega-go/mega/internal/kernel"
	"github.com/mega-go/mega/internal/parallel"
	"github.com/mega-go/mega/tensor"
)

// This file is the state that Tape.EMA and Tape.Attention carry for texts that are
// read piece by piece, side by side as rows. A window of positions is the general
// case; one token of each text is the smallest window.

// An EMAState is what a causal moving average carries of each text.
type EMAState struct {
	Averages *tensor.Tensor // [B, size], in the order of the computation; zeros at the beginning

	coefficients *kernel.EMACoefficients // read only, and shared by all states of an average
	spare        *tensor.Tensor          // memory of Averages before the last reordering, or nil
}

// NewEMAState returns the state of no texts. What it computes from the
// parameters is shared with every state that Begin makes of it, and does not
// see them change. It panics if the average runs from the right too.
func NewEMAState(p EMAParameters, c EMAConfig) *EMAState {
	if c.Bidirectional {
		panic("autograd: a bidirectional average carries no state")
	}
	c.Truncation = 0
	s := &EMAState{coefficients: new(kernel.EMACoefficients)}
	s.coefficients.Set(nil, c.shape(p.Omega.Cols()), p.numbers())
	return s.Begin(0)
}

// Begin returns the state at the beginning of several texts.
func (s *EMAState) Begin(texts int) *EMAState {
	return &EMAState{Averages: tensor.New(texts, s.coefficients.StateSize()), coefficients: s.coefficients}
}

// Pick returns the state of the given rows' texts. Unless s is to stay usable
// its memory serves the next Pick.
func (s *EMAState) Pick(rows []int, stay bool) *EMAState {
	p := &EMAState{coefficients: s.coefficients}
	if !stay {
		p.Averages, p.spare = s.spare, s.Averages
	}
	if p.Averages == nil || p.Averages.Rows() != len(rows) {
		p.Averages = tensor.New(len(rows), s.Averages.Cols())
	}
	for i, r := range rows {
		copy(p.Averages.Row(i), s.Averages.Row(r))
	}
	return p
}

// Join adds the texts of other states of the same average.
func (s *EMAState) Join(others ...*EMAState) {
	all, rows := [][]float32{s.Averages.Data()}, s.Averages.Rows()
	for _, o := range others {
		all, rows = append(all, o.Averages.Data()), rows+o.Averages.Rows()
	}
	s.Averages = tensor.FromSlice(slices.Concat(all...), rows, s.Averages.Cols())
}

// A KeyValueCache holds the keys and values that the next queries of a text meet.
type KeyValueCache struct {
	z, h         int // widths of a key and a value
	n, room      int // positions held, and those that memory is there for
	column       int // of the first key, where they are a source's
	keys, values []float32
}

// NewKeyValueCache returns an empty cache for keys of width z and values of
// width h.
func NewKeyValueCache(z, h int) *KeyValueCache { return &KeyValueCache{z: z, h: h} }

// NewSource returns a cache of the keys [S, Z] and values [S, H] of a source's
// tokens, which begin at the given column. They are copied.
func NewSource(keys, values *tensor.Tensor, column int) *KeyValueCache {
	c := NewKeyValueCache(keys.Cols(), values.Cols())
	c.Append(keys, values)
	c.column = column
	return c
}

// Selecting returns a cache of c's keys whose values are the columns of a unit
// matrix: attention to it gives the weights of attention to c.
func (c *KeyValueCache) Selecting() *KeyValueCache {
	unit := tensor.New(c.n, c.n)
	for j := range c.n {
		unit.Row(j)[j] = 1
	}
	keys, _ := c.Tensors()
	return NewSource(keys, unit, c.column)
}

// Room returns how many numbers the cache has memory for.
func (c *KeyValueCache) Room() int { return len(c.keys) + len(c.values) }

// Clone returns a copy that takes no more memory than it needs.
func (c *KeyValueCache) Clone() *KeyValueCache {
	d := NewKeyValueCache(c.z, c.h)
	d.Copy(c)
	return d
}

// Copy makes c hold what o holds, in c's memory if that is enough.
func (c *KeyValueCache) Copy(o *KeyValueCache) {
	c.n = 0
	c.reserve(o.n)
	c.n, c.column = o.n, o.column
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

// An AttentionState is what attention carries of each text.
//
// Attention of texts to themselves adds the keys and values of the next
// positions to the cache of each text, and its queries meet all that holds. A
// cache that a chunk has filled is dropped: the next position attends to itself
// alone (reference moving_average_gated_attention.py:246-279). The positions
// must either be whole chunks of texts whose caches are empty, or stay within a
// chunk of each.
//
// Attention to sources, with nil k and v, leaves the caches as they
// are; texts may share one. Query i of text b and key j take
// Bias[BiasZero+column_b+j−i].
type AttentionState struct {
	Texts []*KeyValueCache
	Chunk int // positions that attend to each other, 0 or negative for all
}

// textsApart is the number of texts from which each is a task of its own; of
// fewer, the keys of each are cut into tasks.
const textsApart = 8

// A textAttention is what attend works on.
type textAttention struct {
	*AttentionState
	call         kernel.Attention
	dst, q, k, v *tensor.Tensor
	length       int
}

// attend sets dst [B·L, H] to the attention of the next L positions, as call
// describes it for whole sequences.
func (s *AttentionState) attend(t *Tape, call kernel.Attention, dst, q, k, v *tensor.Tensor) {
	w := textAttention{s, call, dst, q, k, v, q.Rows() / len(s.Texts)}
	if k != nil && s.Chunk > 0 && w.length%s.Chunk == 0 && !slices.ContainsFunc(s.Texts, holdsAny) {
		w.call.Segments, w.call.Queries, w.call.Keys = q.Rows()/s.Chunk, s.Chunk, s.Chunk
		w.call.Forward(attentionRows(dst), attentionRows(q), attentionRows(k), attentionRows(v), nil)
		return
	}
	if k != nil && len(s.Texts) < textsApart {
		w.texts(0, len(s.Texts))
		return
	}
	keys := s.Texts[0].n
	if k != nil {
		keys += w.length
	}
	onRows(t, len(s.Texts), w.length*keys*(q.Cols()+dst.Cols()), w, textAttention.texts)
}

func holdsAny(c *KeyValueCache) bool { return c.n > 0 }

// texts lets the queries of some texts meet their keys.
func (w textAttention) texts(from, to int) {
	for i := from; i < to; i++ {
		c, call, row := w.Texts[i], w.call, i*w.length
		if w.k != nil {
			c.appendRows(w.k, w.v, row, w.length)
			if w.Chunk > 0 && c.n > w.Chunk {
				panic(fmt.Sprintf("autograd: %d positions of a chunk of %d", c.n, w.Chunk))
			}
			call.BiasZero -= c.n - w.length
		}
		call.Segments, call.Queries, call.Keys = 1, w.length, c.n
		call.BiasZero += c.column
		call.Forward(kernel.Rows{Data: rowsFrom(w.dst, row), Stride: w.dst.Stride()},
			kernel.Rows{Data: rowsFrom(w.q, row), Stride: w.q.Stride()},
			kernel.Rows{Data: c.keys, Stride: c.z}, kernel.Rows{Data: c.values, Stride: c.h}, nil)
		if w.k != nil && c.n == w.Chunk {
			c.n = 0 // and the memory stays
		}
	}
}

// Reach returns how many positions the queries of the next length positions see,
// themselves included. It is at most a chunk.
func (s *AttentionState) Reach(length int) int {
	reach := 0
	for _, c := range s.Texts {
		reach = max(reach, c.n+length)
	}
	if s.Chunk > 0 {
		return min(reach, s.Chunk)
	}
	return reach
}

// Pick returns the state of the given rows' texts. Unless s is to stay usable it
// takes over the caches, and those of texts that are dropped hold what others
// hold twice.
func (s *AttentionState) Pick(rows []int, stay bool) *AttentionState {
	texts := make([]*KeyValueCache, len(rows))
	taken := make([]bool, len(s.Texts))
	for i, r := range rows {
		if !stay && !taken[r] {
			texts[i], taken[r] = s.Texts[r], true
		}
	}
	free := 0
	for i, r := range rows {
		for free < len(taken) && taken[free] {
			free++
		}
		switch {
		case texts[i] != nil:
		case stay || free == len(taken):
			texts[i] = s.Texts[r].Clone()
		default:
			texts[i] = s.Texts[free]
			texts[i].Copy(s.Texts[r])
			free++
		}
	}
	return &AttentionState{texts, s.Chunk}
}

// Share returns the state of the given rows' texts, with the caches themselves:
// it is for sources.
func (s *AttentionState) Share(rows []int) *AttentionState {
	p := &AttentionState{Chunk: s.Chunk}
	for _, r := range rows {
		p.Texts = append(p.Texts, s.Texts[r])
	}
	return p
}
