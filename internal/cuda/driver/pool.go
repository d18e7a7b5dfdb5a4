package driver

import (
	"cmp"
	"fmt"
	"math/bits"
	"slices"
)

// A pool keeps memory that was freed, to give it out again: of the blocks of a size, the
// one at the lowest address comes first. So steps that begin with the same blocks kept,
// and allocate and free alike, get the same addresses, and a captured graph can be
// replayed. (If the block that was freed last came first, the order of frees would turn
// that of addresses around from step to step.)
type pool struct {
	sizes map[uint64]int   // of each block that is in use, by its address
	kept  map[int][]uint64 // blocks that are not, by their size, from the highest address down
	used  int              // bytes in use
	spare int              // bytes kept
	peak  int              // the most bytes ever in use
}

func newPool() pool { return pool{sizes: make(map[uint64]int), kept: make(map[int][]uint64)} }

// block returns the size of the block that n bytes get: the next multiple of an eighth
// of the power of two below, and of 256.
func block(n int) int {
	n = max(n, 1)
	unit := max(256, 1<<max(0, bits.Len(uint(n-1))-4))
	return (n + unit - 1) / unit * unit
}

// take returns a kept block, if there is one.
func (p *pool) take(size int) (uint64, bool) {
	blocks := p.kept[size]
	if len(blocks) == 0 {
		return 0, false
	}
	address := blocks[len(blocks)-1]
	p.kept[size] = blocks[:len(blocks)-1]
	p.spare -= size
	p.use(address, size)
	return address, true
}

func (p *pool) use(address uint64, size int) {
	p.sizes[address] = size
	p.used += size
	p.peak = max(p.peak, p.used)
}

// put keeps a block that is in use, and reports whether there is one.
func (p *pool) put(address uint64) bool {
	size, known := p.sizes[address]
	if !known {
		return false
	}
	delete(p.sizes, address)
	at, _ := slices.BinarySearchFunc(p.kept[size], address, func(a, b uint64) int { return cmp.Compare(b, a) })
	p.kept[size] = slices.Insert(p.kept[size], at, address)
	p.used -= size
	p.spare += size
	return true
}

// drop forgets the blocks that are kept, and returns them.
func (p *pool) drop() []uint64 {
	var all []uint64
	for _, blocks := range p.kept {
		all = append(all, blocks...)
	}
	clear(p.kept)
	p.spare = 0
	slices.Sort(all)
	return all
}

// all returns all blocks.
func (p *pool) all() []uint64 {
	all := p.drop()
	for address := range p.sizes {
		all = append(all, address)
	}
	slices.Sort(all)
	return all
}

// Alloc returns the address of n bytes, at a multiple of 256. They hold anything.
func (s *Stream) Alloc(n int) (uint64, error) {
	if err := s.ready(); err != nil {
		return 0, err
	}
	if n < 0 {
		return 0, fmt.Errorf("cuda: %v: %d bytes of memory", s.info, n)
	}
	size := block(n)
	if address, found := s.pool.take(size); found {
		return address, nil
	}
	var address uint64
	r := s.calls.alloc(&address, uintptr(size))
	if r == outOfMemory && s.pool.spare > 0 && len(s.graphs) == 0 && !s.capturing {
		if err := s.trim(); err != nil {
			return 0, err
		}
		r = s.calls.alloc(&address, uintptr(size))
	}
	if r == outOfMemory {
		return 0, s.driver.fail(s.info.String(), "taking memory", "cuMemAlloc_v2", r, s.shortage(size))
	}
	if r != success {
		return 0, s.fail("taking memory", "cuMemAlloc_v2", r)
	}
	s.pool.use(address, size)
	return address, nil
}

// trim gives kept memory back to the driver, once nothing uses it any more. Graphs would:
// their kernels have its addresses.
func (s *Stream) trim() error {
	if err := s.wait("waiting for memory"); err != nil {
		return err
	}
	var first error
	for _, address := range s.pool.drop() {
		if err := s.fail("giving memory back", "cuMemFree_v2", s.calls.free(address)); first == nil {
			first = err
		}
	}
	return first
}

// shortage says what memory there is.
func (s *Stream) shortage(size int) string {
	words := fmt.Sprintf("%s wanted, %s in use, %s kept", amount(size), amount(s.pool.used), amount(s.pool.spare))
	var free, total uintptr
	if s.calls.memory(&free, &total) == success {
		words += fmt.Sprintf(", %s of the device's %s free", amount(int(free)), amount(int(total)))
	}
	return words
}

// amount returns an amount of memory as text.
func amount(n int) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
}

// Free ends the use of memory that Alloc returned. Work that was given to the stream
// before may still use it.
func (s *Stream) Free(address uint64) error {
	if err := s.ready(); err != nil {
		return err
	}
	if !s.pool.put(address) {
		return fmt.Errorf("cuda: %v: %#x is no memory in use", s.info, address)
	}
	return nil
}

// Used returns how many bytes are in use, and the most that ever were.
func (s *Stream) Used() (now, peak int) { return s.pool.used, s.pool.peak }
