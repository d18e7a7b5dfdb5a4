package tensor

import (
	"cmp"
	"fmt"
	"maps"
	"math/bits"
	"slices"

	"github.com/mega-go/mega/internal/cuda/device"
	"github.com/mega-go/mega/internal/parallel"
)

// A Pool hands out tensors and takes them back, so that the steps after the
// first allocate nothing. It is not safe for concurrent use; the zero value is
// ready.
type Pool struct {
	free    [][][]float32 // by slot of their capacity
	headers []*Tensor     // without memory
	held    int           // elements ever allocated and not dropped
	idle    int           // of those, the ones of free buffers on a device

	device device.Memory // nil for the host's memory

	// Addresses on the device that are free, by slot, from the highest down. The lowest is
	// the first to be used again, so that steps that take and return the same get the same,
	// whichever order they return it in, and can be replayed.
	addresses [][]device.Address
	own       map[device.Address]bool // all that it has from the device, free or not
}

// SetDevice makes a pool that has handed out nothing yet hand out memory of a device.
func (p *Pool) SetDevice(d device.Memory) { p.device = d }

// Get returns a tensor whose elements are undefined.
func (p *Pool) Get(shape ...int) *Tensor {
	var t *Tensor
	if last := len(p.headers) - 1; last >= 0 {
		t, p.headers = p.headers[last], p.headers[:last]
	} else {
		t = new(Tensor)
	}
	p.Fill(t, shape...)
	return t
}

// Put takes back a tensor that Get returned; it must not be used afterwards.
func (p *Pool) Put(t *Tensor) {
	p.Drain(t)
	p.headers = append(p.headers, t)
}

// Fill makes t, which is the caller's, a tensor whose elements are undefined.
func (p *Pool) Fill(t *Tensor, shape ...int) {
	t.set(nil, width(shape), shape)
	p.fill(t)
}

// FillLike is Fill for the shape of x with another last dimension.
func (p *Pool) FillLike(t, x *Tensor, cols int) {
	t.like(x, cols)
	p.fill(t)
}

func (p *Pool) fill(t *Tensor) {
	n := t.rows * t.stride
	i, c := class(n)
	t.slot = i
	if p.device != nil {
		p.fillOnDevice(t, c)
		return
	}
	for i >= len(p.free) {
		p.free = append(p.free, nil)
	}
	list := &p.free[i]
	if last := len(*list) - 1; last >= 0 {
		t.data, *list = (*list)[last][:n], (*list)[:last]
		return
	}
	p.held += c
	t.data = parallel.Aligned(c)[:n:c]
}

// fillOnDevice gives t memory for capacity numbers on the pool's device.
func (p *Pool) fillOnDevice(t *Tensor, capacity int) {
	for t.slot >= len(p.addresses) {
		p.addresses = append(p.addresses, nil)
	}
	list := &p.addresses[t.slot]
	if last := len(*list) - 1; last >= 0 {
		t.device, t.at, *list = p.device, (*list)[last], (*list)[:last]
		p.idle -= capacity
		return
	}
	at, err := p.device.Alloc(numberBytes * capacity)
	device.Must(p.device, fmt.Sprintf("allocate %d bytes for a tensor of shape %v", numberBytes*capacity, t.shape), err)
	if p.own == nil {
		p.own = make(map[device.Address]bool)
	}
	p.own[at] = true
	p.held += capacity
	t.device, t.at = p.device, at
}

// Drain takes back the memory of a tensor from Fill or Get, which has none then.
func (p *Pool) Drain(t *Tensor) {
	if t.device != nil {
		list := &p.addresses[t.slot]
		at, _ := slices.BinarySearchFunc(*list, t.at, func(a, b device.Address) int { return cmp.Compare(b, a) })
		*list = slices.Insert(*list, at, t.at)
		p.idle += capacity(t.slot)
		t.device, t.at = nil, 0
		return
	}
	list := &p.free[t.slot]
	*list = append(*list, t.data[:0])
	t.data = nil
}

// Held returns how many elements the pool has allocated, in use or not.
func (p *Pool) Held() int { return p.held }

// Taken returns how many elements of a device are in use.
func (p *Pool) Taken() int { return p.held - p.idle }

// Trim forgets the free buffers, for the garbage collector to take, and gives those of
// a device back to it.
func (p *Pool) Trim() {
	for slot, list := range p.addresses {
		for _, at := range list {
			p.giveBack(at)
			p.held -= capacity(slot)
			p.idle -= capacity(slot)
		}
	}
	clear(p.addresses)
	for _, list := range p.free {
		for _, memory := range list {
			p.held -= cap(memory)
		}
	}
	clear(p.free)
}

// Close gives a device back all memory of the pool, which hands out nothing any more: that
// of tensors too which were not put back, because a computation failed half-way or nobody
// asked for its result.
func (p *Pool) Close() {
	for _, at := range slices.Sorted(maps.Keys(p.own)) {
		p.giveBack(at)
	}
	p.held, p.idle = 0, 0
	clear(p.addresses)
}

// giveBack frees memory of the device.
func (p *Pool) giveBack(at device.Address) {
	delete(p.own, at)
	device.Must(p.device, "free memory", p.device.Free(at))
}

// class rounds n up to a capacity with four significant bits, so that buffers
// of nearly equal sizes (batches of varying length) serve one another at a
// waste of at most an eighth. slot numbers the capacities.
func class(n int) (slot, capacity int) {
	shift := max(0, bits.Len(uint(n))-significantBits)
	bits := (n + 1<<shift - 1) >> shift
	return shift<<(significantBits-1) + bits, bits << shift
}

const significantBits = 4

// capacity is that of a slot.
func capacity(slot int) int {
	shift := max(0, slot>>(significantBits-1)-1)
	return (slot - shift<<(significantBits-1)) << shift
}
