package autograd

import (
	"fmt"
	"slices"

	"github.com/mega-go/mega/internal/kernel"
	"github.com/mega-go/mega/internal/parallel"
	"github.com/mega-go/mega/tensor"
)

// A KeyValueCache holds the keys and values that the next queries of a text meet.
type KeyValueCache struct {
	z, h         int            // widths of a key and a value
	n            int            // positions held
	column       int            // of the first key, where they are a source's
	keys, values *tensor.Tensor // [room, z] and [room, h], where the first n count; nil without room
	on           *deviceTape    // that has them, nil for the host

	borrowed [2]*parallel.Scratch // their memory, nil if it is the cache's own
}

// NewKeyValueCache returns an empty cache for keys of width z and values of
// width h that t computes.
func NewKeyValueCache(t *Tape, z, h int) *KeyValueCache {
	return &KeyValueCache{z: z, h: h, on: t.device}
}

// NewSource returns a cache of the keys [S, Z] and values [S, H] of a source's
// tokens, which begin at the given column and which t has computed. They are copied.
func NewSource(t *Tape, keys, values *tensor.Tensor, column int) *KeyValueCache {
	c := NewKeyValueCache(t, keys.Cols(), values.Cols())
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
	s := &KeyValueCache{z: c.z, h: c.n, column: c.column, on: c.on}
	if c.on != nil {
		on := c.on.keep(c.n, c.n)
		on.Copy(unit)
		unit = on
	}
	s.appendRows(c.keys, unit, 0, c.n)
	return s
}

// room returns how many positions there is memory for.
func (c *KeyValueCache) room() int {
	if c.keys == nil {
		return 0
	}
	return c.keys.Rows()
}

// Room returns how many numbers the cache takes memory for.
func (c *KeyValueCache) Room() int {
	if c.borrowed[0] == nil {
		return c.room() * (c.z + c.h)
	}
	return c.borrowed[0].Cap() + c.borrowed[1].Cap()
}

// Clone returns a copy that takes no more memory than it needs.
func (c *KeyValueCache) Clone() *KeyValueCache {
	d := &KeyValueCache{z: c.z, h: c.h, on: c.on}
	copyRows(c.on, d.copyOf(c, nil))
	return d
}

// copyOf makes c hold what o holds, in c's memory if that is enough, once copies are
// done. It appends them.
func (c *KeyValueCache) copyOf(o *KeyValueCache, copies []rowCopy) []rowCopy {
	c.n = 0
	c.column = o.column
	if o.n == 0 {
		return copies
	}
	if o.n > c.room() {
		c.keys, c.values = newRows(c.on, o.n, c.z), newRows(c.on, o.n, c.h)
		c.borrowed = [2]*parallel.Scratch{}
	}
	return c.append(o.keys, o.values, 0, o.n, copies)
}

// Tensors returns the keys [n, Z] and values [n, H] held. They may share the
// cache's memory.
func (c *KeyValueCache) Tensors() (keys, values *tensor.Tensor) {
	if c.n == 0 {
		return tensor.New(0, c.z), tensor.New(0, c.h)
	}
	return c.keys.RowRange(0, c.n), c.values.RowRange(0, c.n)
}

// Append adds the keys and values of further positions, which are where the cache is, or
// in the host's memory.
func (c *KeyValueCache) Append(keys, values *tensor.Tensor) {
	if c.on != nil && keys.Device() == nil && keys.Rows() > 0 {
		k, v := c.on.keep(keys.Rows(), c.z), c.on.keep(keys.Rows(), c.h)
		k.Copy(keys)
		v.Copy(values)
		keys, values = k, v
	}
	c.appendRows(keys, values, 0, keys.Rows())
}

// appendRows adds n positions, whose keys and values are rows from on.
func (c *KeyValueCache) appendRows(keys, values *tensor.Tensor, from, n int) {
	var memory [4]rowCopy
	before := c.borrowed
	copyRows(c.on, c.append(keys, values, from, n, memory[:0]))
	if c.borrowed != before {
		giveBack(before)
	}
}

// giveBack returns memory that nothing uses any more.
func giveBack(borrowed [2]*parallel.Scratch) {
	for _, s := range borrowed {
		if s != nil {
			s.Return()
		}
	}
}

// drop empties a cache to which nothing is added any more.
func (c *KeyValueCache) drop() {
	giveBack(c.borrowed)
	*c = KeyValueCache{z: c.z, h: c.h, on: c.on}
}

// append is appendRows once copies are done, which it appends.
func (c *KeyValueCache) append(keys, values *tensor.Tensor, from, n int, copies []rowCopy) []rowCopy {
	copies = append(c.reserve(c.n+n, copies), rowCopy{c.keys, c.n, keys, from, n}, rowCopy{c.values, c.n, values, from, n})
	c.n += n
	return copies
}

// firstRoom is the number of positions that a cache makes room for at first.
const firstRoom = 16

// reserve makes room for n positions, doubling it so that adding one by one
// seldom has to. It appends the copies to be done. The host's memory is borrowed: texts
// come and go, and new memory costs more than what is written there.
func (c *KeyValueCache) reserve(n int, copies []rowCopy) []rowCopy {
	if n <= c.room() {
		return copies
	}
	keys, values, room := c.keys, c.values, max(n, 2*c.room(), firstRoom)
	if c.on == nil {
		k, v := parallel.Borrow(room*c.z), parallel.Borrow(room*c.h)
		c.keys, c.values = tensor.FromSlice(k.Data, room, c.z), tensor.FromSlice(v.Data, room, c.h)
		c.borrowed = [2]*parallel.Scratch{k, v}
	} else {
		c.keys, c.values = newRows(c.on, room, c.z), newRows(c.on, room, c.h)
	}
	if c.n > 0 {
		copies = append(copies, rowCopy{c.keys, 0, keys, 0, c.n}, rowCopy{c.values, 0, values, 0, c.n})
	}
	return copies
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

// whole reports whether the next positions, of texts to themselves, are whole chunks.
func (s *AttentionState) whole(length int) bool {
	return s.Chunk > 0 && length%s.Chunk == 0 && !slices.ContainsFunc(s.Texts, holdsAny)
}

func holdsAny(c *KeyValueCache) bool { return c.n > 0 }

// extends panics if a chunk has no room for the next positions of a text.
func (s *AttentionState) extends(c *KeyValueCache, length int) {
	if s.Chunk > 0 && c.n+length > s.Chunk {
		panic(fmt.Sprintf("autograd: %d positions of a chunk of %d", c.n+length, s.Chunk))
	}
}

// biasZero is Bias's index for query and key 0 of a text whose keys are there: those of
// a text to itself end with the queries' own.
func (c attentionCall) biasZero(t *KeyValueCache, length int, itself bool) int {
	if itself {
		return c.BiasZero + length - t.n
	}
	return c.BiasZero + t.column
}

// forgetFull drops the keys of chunks that are full; their memory stays.
func (s *AttentionState) forgetFull() {
	for _, c := range s.Texts {
		if c.n == s.Chunk {
			c.n = 0
		}
	}
}

// textsApart is the number of texts from which each is a task of its own; of
// fewer, the keys of each are cut into tasks.
const textsApart = 8

// A textAttention is what the host's continueAttention works on.
type textAttention struct {
	attentionCall
	workers      *Workers
	dst, q, k, v *tensor.Tensor
	length       int
}

func (h *host) continueAttention(dst, q, k, v *tensor.Tensor, c attentionCall) {
	s := c.State
	w := textAttention{c, h.workers, dst, q, k, v, q.Rows() / len(s.Texts)}
	if k != nil && s.whole(w.length) {
		call := w.kernel()
		call.Segments, call.Queries, call.Keys = q.Rows()/s.Chunk, s.Chunk, s.Chunk
		call.Forward(attentionRows(dst), attentionRows(q), attentionRows(k), attentionRows(v), nil)
		return
	}
	keys := s.Texts[0].n
	if k != nil {
		keys += w.length
	}
	if k != nil && len(s.Texts) < textsApart {
		w.texts(0, len(s.Texts))
	} else {
		onRows(h.tape(), len(s.Texts), w.length*keys*(q.Cols()+dst.Cols()), w, textAttention.texts)
	}
	if k != nil {
		s.forgetFull()
	}
}

// kernel returns what the kernels know of the attention of texts.
func (w *textAttention) kernel() kernel.Attention {
	a := w.attentionCall.kernel(w.bias)
	a.Z, a.H, a.Workers = w.q.Cols(), w.dst.Cols(), w.workers
	return a
}

// texts lets the queries of some texts meet their keys.
func (w textAttention) texts(from, to int) {
	for i := from; i < to; i++ {
		c, call, row := w.State.Texts[i], w.kernel(), i*w.length
		if w.k != nil {
			w.State.extends(c, w.length)
			c.appendRows(w.k, w.v, row, w.length)
		}
		call.Segments, call.Queries, call.Keys = 1, w.length, c.n
		call.BiasZero = w.biasZero(c, w.length, w.k != nil)
		call.Forward(kernel.Rows{Data: rowsFrom(w.dst, row), Stride: w.dst.Stride()},
			kernel.Rows{Data: rowsFrom(w.q, row), Stride: w.q.Stride()},
			attentionRows(c.keys), attentionRows(c.values), nil)
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
	var copies []rowCopy
	for i, r := range rows {
		for free < len(taken) && taken[free] {
			free++
		}
		from := s.Texts[r]
		switch {
		case texts[i] != nil:
			continue
		case stay || free == len(taken):
			texts[i] = &KeyValueCache{z: from.z, h: from.h, on: from.on}
		default:
			texts[i] = s.Texts[free]
			free++
		}
		copies = texts[i].copyOf(from, copies)
	}
	if len(copies) > 0 {
		copyRows(s.Texts[0].on, copies)
	}
	for ; !stay && free < len(taken); free++ {
		if !taken[free] {
			s.Texts[free].drop()
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
