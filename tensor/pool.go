package tensor

import (
	"math/bits"

	"github.com/mega-go/mega/internal/parallel"
)

// A Pool hands out tensors and takes them back, so that the steps after the
// first allocate nothing. It is not safe for concurrent use; the zero value is
// ready.
type Pool struct {
	free map[int][][]float32 // by capacity
	held int                 // elements ever allocated and not dropped
}

// Get returns a tensor whose elements are undefined.
func (p *Pool) Get(shape ...int) *Tensor {
	n := Size(shape)
	c := class(n)
	if list := p.free[c]; len(list) > 0 {
		buf := list[len(list)-1]
		p.free[c] = list[:len(list)-1]
		return FromSlice(buf[:n:c], shape...)
	}
	p.held += c
	return FromSlice(parallel.Aligned(c)[:n], shape...)
}

// Put takes back a tensor that Get returned; it must not be used afterwards.
func (p *Pool) Put(t *Tensor) {
	if p.free == nil {
		p.free = make(map[int][][]float32)
	}
	c := cap(t.data)
	p.free[c] = append(p.free[c], t.data[:0])
	t.data = nil
}

// Held returns how many elements the pool has allocated, in use or not.
func (p *Pool) Held() int { return p.held }

// Trim forgets the free buffers, for the garbage collector to take.
func (p *Pool) Trim() {
	for c, list := range p.free {
		p.held -= c * len(list)
	}
	clear(p.free)
}

// class rounds n up to a capacity with four significant bits, so that buffers
// of nearly equal sizes (batches of varying length) serve one another at a
// waste of at most an eighth.
func class(n int) int {
	const significant = 4
	shift := max(0, bits.Len(uint(n))-significant)
	unit := 1 << shift
	return (n + unit - 1) / unit * unit
}
