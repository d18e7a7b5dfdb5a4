//go:build !purego

package kernel

// A stripFunc is an assembly kernel for strips of as many rows as its name says; strides
// and what concerns reading ahead are in bytes.
type stripFunc func(k int, a *float32, as, ks int, b *float32, bs int, c *float32, ldc, n int, bias *float32, add uint64, ahead, aheadStep, aheadLap int)

// launch calls the kernel.
func (s *strip) launch(kernel stripFunc, a, b, bias *float32, add uint64) {
	kernel(s.k, a, 4*s.as, 4*s.ks, b, 4*s.bs, &s.c[0], 4*s.ldc, s.n, bias, add, 4*s.ahead.from, s.ahead.step, s.ahead.lap)
}

// strips holds each implementation's kernels by their number of rows.
var strips = [...][]stripFunc{
	AVX2: {
		1: gemmAVX2x1, 2: gemmAVX2x2, 3: gemmAVX2x3, 4: gemmAVX2x4, 5: gemmAVX2x5, 6: gemmAVX2x6,
	},
	AVX512: {
		1: gemmAVX512x1, 2: gemmAVX512x2, 3: gemmAVX512x3, 4: gemmAVX512x4, 5: gemmAVX512x5,
		6: gemmAVX512x6, 7: gemmAVX512x7, 8: gemmAVX512x8, 9: gemmAVX512x9, 10: gemmAVX512x10,
		11: gemmAVX512x11, 12: gemmAVX512x12, 13: gemmAVX512x13, 14: gemmAVX512x14,
	},
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
