package kernel

import "github.com/mega-go/mega/internal/parallel"

// sharedKeys holds the keys and values of all blocks of a call of Forward, packed once for the
// tasks of each segment, which may be many then, and small.
type sharedKeys struct {
	f      *attentionForward // that shares them; nil if nothing is shared
	blocks int               // in a segment
	keys   []Packed          // of each block, transposed
	values []Packed
	memory *parallel.Scratch

	packTask func(worker, i int)
}

// pack packs the keys and values of a call, whose workers have their memory.
func (x *sharedKeys) pack(f *attentionForward) {
	x.f, x.blocks = f, ceilDiv(f.Keys, attentionKeys)
	n := f.Segments * x.blocks
	x.borrow(n)
	f.Workers.Run(n, x.packTask)
}

// borrow gets memory for so many blocks.
func (x *sharedKeys) borrow(n int) {
	for len(x.keys) < n {
		x.keys, x.values = append(x.keys, Packed{}), append(x.values, Packed{})
	}
	block := min(x.f.Keys, attentionKeys)
	sizeK, sizeV := x.f.packedSize(x.f.Z, block), x.f.packedSize(block, x.f.H)
	x.memory = parallel.Borrow(n * (sizeK + sizeV))
	for i := range n {
		memory := x.memory.Data[i*(sizeK+sizeV):][:sizeK+sizeV]
		x.keys[i], x.values[i] = Packed{data: memory[:sizeK:sizeK]}, Packed{data: memory[sizeK:]}
	}
}

// packBlock packs block i of those of all segments.
func (x *sharedKeys) packBlock(worker, i int) {
	s, from := i/x.blocks, i%x.blocks*attentionKeys
	begin, end := x.f.workers[worker].runs.set(x.f.mask(s), from, min(from+attentionKeys, x.f.Keys))
	if begin < end {
		x.f.packKeys(&x.keys[i], &x.values[i], s, begin, end)
	}
}

// of returns the keys, transposed, and the values of the block of segment s that key is in; nil
// if they are not shared.
func (x *sharedKeys) of(s, key int) (keys, values *Packed) {
	if x.f == nil {
		return nil, nil
	}
	i := s*x.blocks + key/attentionKeys
	return &x.keys[i], &x.values[i]
}

// giveBack returns the memory, if there is any.
func (x *sharedKeys) giveBack() {
	if x.f == nil {
		return
	}
	clear(x.keys)
	clear(x.values)
	x.memory.Return()
	x.f, x.memory = nil, nil
}

// packKeys packs the keys, transposed, and the values from begin to end of segment s.
func (c *attentionCall) packKeys(keys, values *Packed, s, begin, end int) {
	n := end - begin
	c.pack(keys, c.Z, n, c.k.matrix(s, begin).T())
	c.pack(values, n, c.H, c.v.matrix(s, begin))
}

// packedSize is how many numbers pack takes for a k × n operand.
func (a *Attention) packedSize(k, n int) int {
	parts := partsInTiles(k, n)
	if a.BF16 {
		parts = 1
	}
	impl := implementationOf(parts)
	return packedSize(impl, groupingOf(impl, parts).rowsOf(k), n)
}
