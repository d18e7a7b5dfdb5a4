package kernel

import (
	"math/bits"
	"sync"
	"unsafe"
)

// A Scratch is memory borrowed for the length of a call.
type Scratch struct {
	Data  []float32 // of the length asked for, 64-byte aligned, contents undefined
	whole []float32
}

// scratches holds returned memory, by the power of two that its size is. What
// no call has used for two collections goes back to the system.
var scratches [bits.UintSize]sync.Pool

// Borrow returns scratch memory for n numbers; Return gives it back. Once warm
// neither allocates. Tasks of Parallel borrow their own, or index memory that
// their call borrowed by worker.
func Borrow(n int) *Scratch {
	class := bits.Len(uint(max(n, 1) - 1))
	s, _ := scratches[class].Get().(*Scratch)
	if s == nil {
		s = &Scratch{whole: aligned(1 << class)}
	}
	s.Data = s.whole[:n]
	return s
}

// Return gives the memory back; it must not be used afterwards.
func (s *Scratch) Return() {
	s.Data = nil
	scratches[bits.Len(uint(len(s.whole)-1))].Put(s)
}

// aligned allocates n numbers that start on a cache line.
func aligned(n int) []float32 {
	const line = 64 / 4
	if n == 0 {
		return nil
	}
	x := make([]float32, n+line-1)
	skip := -uintptr(unsafe.Pointer(&x[0])) / 4 % line
	return x[skip : int(skip)+n : int(skip)+n]
}
