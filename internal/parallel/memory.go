package parallel

import (
	"math/bits"
	"sync"
	"sync/atomic"
	"unsafe"
)

// A Scratch is borrowed memory: for the length of a call, or as long as its holder lives
// if that says when it is done. What is never given back is the garbage collector's.
type Scratch struct {
	Data  []float32 // of the length asked for, 64-byte aligned, contents undefined
	whole []float32
}

// scratches holds returned memory, by the power of two that its size is. What
// no call has used for two collections goes back to the system.
var scratches [bits.UintSize]sync.Pool

// nothing is the memory for no numbers, which all share.
var nothing Scratch

// Borrow returns scratch memory for n numbers; Return gives it back. Once warm
// neither allocates. Tasks of Run borrow their own, or index memory that
// their call borrowed by worker.
func Borrow(n int) *Scratch {
	if n == 0 {
		return &nothing
	}
	class := bits.Len(uint(n - 1))
	s, _ := scratches[class].Get().(*Scratch)
	if s == nil {
		s = &Scratch{whole: Aligned(1 << class)}
	}
	s.Data = s.whole[:n]
	return s
}

// Cap returns how many numbers the memory takes: a power of two, 0 for none.
func (s *Scratch) Cap() int { return len(s.whole) }

// Return gives the memory back; it must not be used afterwards.
func (s *Scratch) Return() {
	if s.whole != nil {
		s.Data = nil
		scratches[bits.Len(uint(len(s.whole)-1))].Put(s)
	}
}

const (
	cacheLine = 64      // bytes
	page      = 4 << 10 // bytes
	hugePage  = 2 << 20 // bytes
)

// Aligned allocates n zeros that start on a cache line. Where there are
// megabytes of them it asks for huge pages: translating the addresses of
// ordinary ones takes a few percent of a product's time.
//
// Arrays of many pages begin at different lines of one: were they all to begin
// with a page, the same rows of several would compete for the few places that a
// first-level cache has for an address within the page.
func Aligned(n int) []float32 {
	boundary := uintptr(page)
	switch {
	case n == 0:
		return nil
	case 4*n < 16*page:
		return startingAt(cacheLine, n)
	case 4*n >= hugePage:
		boundary = hugePage
	}
	skip := int(arrays.Add(linesBetween)*cacheLine%page) / 4
	x := startingAt(boundary, skip+n)
	if boundary == hugePage {
		adviseHuge(x)
	}
	return x[skip:]
}

// arrays counts lines that arrays begin after the beginning of a page,
// linesBetween more each time.
var arrays atomic.Uint64

const linesBetween = 5

// startingAt allocates n > 0 zeros that start at a multiple of boundary bytes.
func startingAt(boundary uintptr, n int) []float32 {
	x := make([]float32, n+int(boundary)/4-1)
	skip := int(-uintptr(unsafe.Pointer(&x[0])) % boundary / 4)
	return x[skip : skip+n : skip+n]
}
