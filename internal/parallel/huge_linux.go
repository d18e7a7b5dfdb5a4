package parallel

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// adviseHuge asks for huge pages under x, which starts on a huge page's
// boundary. It is advice, and refusal does no harm.
func adviseHuge(x []float32) {
	b := unsafe.Slice((*byte)(unsafe.Pointer(&x[0])), 4*len(x))
	_ = unix.Madvise(b[:len(b)/hugePage*hugePage], unix.MADV_HUGEPAGE)
}
