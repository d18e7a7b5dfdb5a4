//go:build !purego

package kernel

// A stripFunc is an assembly kernel for strips of as many rows as its name says; strides
// are in bytes.
type stripFunc func(k int, a *float32, as, ks int, b *float32, bs int, c *float32, ldc, n int, bias *float32, add uint64)

// launch calls the kernel, which leaves it to the CPU to read ahead.
func (s *strip) launch(kernel stripFunc, a, b, bias *float32, add uint64) {
	kernel(s.k, a, 4*s.as, 4*s.ks, b, 4*s.bs, &s.c[0], 4*s.ldc, s.n, bias, add)
}

// strips holds the implementation's kernels by their number of rows.
var strips = [...][]stripFunc{
	NEON: {1: gemmNEONx1, 2: gemmNEONx2, 3: gemmNEONx3, 4: gemmNEONx4, 5: gemmNEONx5, 6: gemmNEONx6},
}

// kernel returns what computes the strip.
func (s *strip) kernel(impl Implementation) stripFunc { return strips[impl][s.m] }

func packRowsNative(_ Implementation, depth int, src *float32, stride int, dst *float32, panel, n int) {
	packRowsNEON(depth, src, stride, dst, panel, n)
}

func packRunsNative(_ Implementation, depth int, src *float32, stride int, dst *float32, pitch, panel int, starts *int, n int) {
	packRunsNEON(depth, src, stride, dst, pitch, panel, starts, n)
}

// transposedRows is how many rows packTransposedNative takes at once.
const transposedRows = 4

func packTransposedNative(depth int, src *float32, stride int, dst *float32, pitch, n int) {
	packTransposedNEON(depth, src, stride, dst, pitch, n)
}
