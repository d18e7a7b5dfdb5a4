//go:build !purego

package kernel

import "unsafe"

// A stripFunc is an assembly kernel for strips of as many rows as its name says; strides
// and what concerns reading ahead are in bytes. cEnd is the address behind the rows of C, where
// those that ask for a row of C at a time begin again.
type stripFunc func(k int, a *float32, as, ks int, b *float32, bs int, c *float32, ldc, n int, bias *float32, add uint64, ahead, aheadStep, aheadLap int, cEnd uintptr)

// launch calls the kernel.
func (s *strip) launch(kernel stripFunc, a, b, bias *float32, add uint64) {
	cEnd := uintptr(unsafe.Pointer(&s.c[0])) + uintptr(4*s.m*s.ldc)
	kernel(s.k, a, 4*s.as, 4*s.ks, b, 4*s.bs, &s.c[0], 4*s.ldc, s.n, bias, add, 4*s.ahead.from, s.ahead.step, s.ahead.lap, cEnd)
}

// strips holds the kernels by their number of rows, of AVX-512 those of fewer than three.
var strips = [...][]stripFunc{
	AVX2: {
		1: gemmAVX2x1, 2: gemmAVX2x2, 3: gemmAVX2x3, 4: gemmAVX2x4, 5: gemmAVX2x5, 6: gemmAVX2x6,
	},
	AVX512: {1: gemmAVX512x1, 2: gemmAVX512x2},
}

// rowStrips holds AVX-512's kernels for three rows of A and more whose numbers lie one after
// the other, columnStrips those for rows that lie one number apart.
var (
	rowStrips = [...]stripFunc{
		3: gemmAVX512Rows3, 4: gemmAVX512Rows4, 5: gemmAVX512Rows5, 6: gemmAVX512Rows6,
		7: gemmAVX512Rows7, 8: gemmAVX512Rows8, 9: gemmAVX512Rows9, 10: gemmAVX512Rows10,
		11: gemmAVX512Rows11, 12: gemmAVX512Rows12, 13: gemmAVX512Rows13, 14: gemmAVX512Rows14,
	}
	columnStrips = [...]stripFunc{
		3: gemmAVX512Columns3, 4: gemmAVX512Columns4, 5: gemmAVX512Columns5, 6: gemmAVX512Columns6,
		7: gemmAVX512Columns7, 8: gemmAVX512Columns8, 9: gemmAVX512Columns9, 10: gemmAVX512Columns10,
		11: gemmAVX512Columns11, 12: gemmAVX512Columns12, 13: gemmAVX512Columns13, 14: gemmAVX512Columns14,
	}
)

// kernel returns what computes the strip, of which ks or as is 1.
func (s *strip) kernel(impl Implementation) stripFunc {
	switch {
	case impl != AVX512 || s.m < 3:
		return strips[impl][s.m]
	case s.ks == 1:
		return rowStrips[s.m]
	}
	return columnStrips[s.m]
}

func packRowsNative(impl Implementation, depth int, src *float32, stride int, dst *float32, panel, n int) {
	if impl == AVX512 {
		packRowsAVX512(depth, src, stride, dst, panel, n)
		return
	}
	packRowsAVX2(depth, src, stride, dst, panel, n)
}

func packRunsNative(impl Implementation, depth int, src *float32, stride int, dst *float32, pitch, panel int, starts *int, n int) {
	if impl == AVX512 {
		packRunsAVX512(depth, src, stride, dst, pitch, panel, starts, n)
		return
	}
	packRunsAVX2(depth, src, stride, dst, pitch, panel, starts, n)
}

// transposedRows is how many rows packTransposedNative takes at once.
const transposedRows = 8

func packTransposedNative(depth int, src *float32, stride int, dst *float32, pitch, n int) {
	packTransposedAVX2(depth, src, stride, dst, pitch, n)
}
