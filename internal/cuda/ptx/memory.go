package ptx

import (
	"encoding/binary"
	"fmt"
	"slices"
	"sort"
)

// Where shared memory stands among addresses, and where a device's begins. Both are
// far from zero, so that a null pointer with an offset is caught.
const (
	sharedBase = 1 << 20
	globalBase = 1 << 36
	alignment  = 256 // of allocations, as cuMemAlloc gives them
)

// Memory is a device's global memory. Between two allocations lie at least 256 bytes
// that belong to neither.
type Memory struct {
	segments []*segment // by address
	end      uint64
	last     *segment // where the last access was
}

// NewMemory returns memory without allocations.
func NewMemory() *Memory { return &Memory{end: globalBase} }

// Alloc returns the address of n bytes, which hold nothing that may be read.
func (m *Memory) Alloc(n int) uint64 {
	s := newSegment(m.end, n)
	m.segments = append(m.segments, s)
	m.end += uint64(n+2*alignment-1) &^ (alignment - 1)
	return s.base
}

// Free ends an allocation. Accesses to it are faults from then on.
func (m *Memory) Free(address uint64) error {
	i := slices.IndexFunc(m.segments, func(s *segment) bool { return s.base == address })
	if i < 0 {
		return fmt.Errorf("ptx: %#x is no allocation", address)
	}
	m.segments, m.last = slices.Delete(m.segments, i, i+1), nil
	return nil
}

// Write copies data to an address.
func (m *Memory) Write(address uint64, data []byte) error {
	s := m.find(address, len(data))
	if s == nil {
		return fmt.Errorf("ptx: %d bytes at %#x are outside every allocation", len(data), address)
	}
	at := address - s.base
	copy(s.data[at:], data)
	for i := range data {
		s.known[at+uint64(i)] = true
	}
	return nil
}

// Read copies what is at an address to data. It is an error to read bytes that have
// never been written.
func (m *Memory) Read(data []byte, address uint64) error {
	s := m.find(address, len(data))
	if s == nil {
		return fmt.Errorf("ptx: %d bytes at %#x are outside every allocation", len(data), address)
	}
	at := int(address - s.base)
	if i := slices.Index(s.known[at:at+len(data)], false); i >= 0 {
		return fmt.Errorf("ptx: byte %d of %d at %#x was never written", i, len(data), address)
	}
	copy(data, s.data[at:])
	return nil
}

// find returns the allocation that n bytes lie in, nil if there is none.
func (m *Memory) find(address uint64, n int) *segment {
	if s := m.last; s != nil && s.holds(address, n) {
		return s
	}
	i := sort.Search(len(m.segments), func(i int) bool { return m.segments[i].base > address }) - 1
	if i < 0 || !m.segments[i].holds(address, n) {
		return nil
	}
	m.last = m.segments[i]
	return m.last
}

// A segment is bytes in a row, with what is known of each.
type segment struct {
	base     uint64
	data     []byte
	known    []bool // whether it has been written
	history  []history
	from, to uint64 // of the bytes whose history is not empty
}

// forget empties the history.
func (s *segment) forget() {
	if s.from < s.to {
		clear(s.history[s.from:s.to])
	}
	s.from, s.to = uint64(len(s.data)), 0
}

// accessed notes that bytes have a history.
func (s *segment) accessed(at uint64, size int) {
	s.from, s.to = min(s.from, at), max(s.to, at+uint64(size))
}

// newSegment returns n bytes of poison.
func newSegment(base uint64, n int) *segment {
	s := &segment{base: base, data: make([]byte, n), known: make([]bool, n), history: make([]history, n)}
	s.poison()
	return s
}

// poison forgets what the bytes hold.
func (s *segment) poison() {
	for i := range s.data {
		s.data[i] = 0xa5
	}
	clear(s.known)
	s.forget()
}

func (s *segment) holds(address uint64, n int) bool {
	at := address - s.base // a large number if address is below
	return at <= uint64(len(s.data)) && uint64(n) <= uint64(len(s.data))-at
}

// load returns the number of some bytes.
func (s *segment) load(at uint64, size int) uint64 {
	switch d := s.data[at:]; size {
	case 1:
		return uint64(d[0])
	case 2:
		return uint64(binary.LittleEndian.Uint16(d))
	case 4:
		return uint64(binary.LittleEndian.Uint32(d))
	}
	return binary.LittleEndian.Uint64(s.data[at:])
}

// store sets some bytes to a number.
func (s *segment) store(at uint64, size int, v uint64) {
	switch d := s.data[at:]; size {
	case 1:
		d[0] = byte(v)
	case 2:
		binary.LittleEndian.PutUint16(d, uint16(v))
	case 4:
		binary.LittleEndian.PutUint32(d, uint32(v))
	default:
		binary.LittleEndian.PutUint64(d, v)
	}
}

// A stamp says who accessed a byte: the block, how many barriers it had gone through,
// and the thread, or that there were several. The zero stamp is nobody.
type stamp uint64

const (
	stampThreadBits = 11
	stampEpochBits  = 21
	severalThreads  = 1<<stampThreadBits - 1
	severalBlocks   = 1<<32 - 1
	maxEpochs       = 1 << stampEpochBits
	maxBlocks       = severalBlocks - 1
)

func newStamp(block, epoch, thread int) stamp {
	return stamp(block+1)<<32 | stamp(epoch)<<stampThreadBits | stamp(thread)
}

// block returns the block's number from 1 on, or severalBlocks.
func (s stamp) block() int  { return int(s >> 32) }
func (s stamp) thread() int { return int(s & severalThreads) }

// phase is the block and its barriers.
func (s stamp) phase() stamp { return s >> stampThreadBits }

// disputes reports whether an access of another thread may come before or after
// one with stamp now, as the device pleases.
func (s stamp) disputes(now stamp) bool {
	switch {
	case s == 0 || s == now:
		return false
	case s.block() != now.block():
		return true
	}
	return s.phase() == now.phase() // not the thread's own: s != now
}

// with returns the stamp of readers s and one more.
func (s stamp) with(now stamp) stamp {
	switch {
	case s == 0 || s == now:
		return now
	case s.block() != now.block():
		return stamp(severalBlocks) << 32
	case s.phase() == now.phase():
		return now | severalThreads
	}
	return now // the earlier ones came before a barrier
}

// A history is who last wrote and read a byte in a launch.
type history struct{ wrote, read stamp }

// reads notes that bytes are read, and returns who else may have written them later
// or earlier, 0 if nobody. A read through the cache for constants (nc) allows no
// writer at all.
func (s *segment) reads(at uint64, size int, now stamp, constant bool) stamp {
	s.accessed(at, size)
	for i := range s.history[at : at+uint64(size)] {
		h := &s.history[at+uint64(i)]
		if h.wrote.disputes(now) || constant && h.wrote != 0 {
			return h.wrote
		}
		h.read = h.read.with(now)
	}
	return 0
}

// writes notes that bytes are written, and returns who else accessed them.
func (s *segment) writes(at uint64, size int, now stamp) stamp {
	s.accessed(at, size)
	for i := range s.history[at : at+uint64(size)] {
		h := &s.history[at+uint64(i)]
		if h.wrote.disputes(now) {
			return h.wrote
		}
		if h.read.disputes(now) {
			return h.read
		}
		h.wrote = now
		s.known[at+uint64(i)] = true
	}
	return 0
}
