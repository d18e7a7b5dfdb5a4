//go:build !purego

package kernel

// strips holds the implementation's kernels by their number of rows.
var strips = [...][]stripFunc{
	NEON: {1: gemmNEONx1, 2: gemmNEONx2, 3: gemmNEONx3, 4: gemmNEONx4, 5: gemmNEONx5, 6: gemmNEONx6},
}

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
