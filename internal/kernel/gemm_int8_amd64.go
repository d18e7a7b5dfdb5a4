//go:build !purego

package kernel

// intStrips holds each implementation's kernels by their number of rows.
var intStrips = [...][]intStripFunc{
	AVX2: {
		1: gemmInt8AVX2x1, 2: gemmInt8AVX2x2, 3: gemmInt8AVX2x3, 4: gemmInt8AVX2x4, 5: gemmInt8AVX2x5, 6: gemmInt8AVX2x6,
	},
	AVX512: {
		1: gemmInt8AVX512x1, 2: gemmInt8AVX512x2, 3: gemmInt8AVX512x3, 4: gemmInt8AVX512x4, 5: gemmInt8AVX512x5,
		6: gemmInt8AVX512x6, 7: gemmInt8AVX512x7, 8: gemmInt8AVX512x8, 9: gemmInt8AVX512x9, 10: gemmInt8AVX512x10,
		11: gemmInt8AVX512x11, 12: gemmInt8AVX512x12, 13: gemmInt8AVX512x13, 14: gemmInt8AVX512x14,
	},
}
