package main

func init() {
	families["gemm_int8"] = func() {
		for rows := 1; rows <= 6; rows++ {
			newIntKernel("AVX2", rows).emit()
		}
		for rows := 1; rows <= 14; rows++ {
			newIntKernel("AVX512", rows).emit()
		}
	}
}

// newIntKernel returns the strip kernel for panels of bytes with scales. It turns a
// row of B to float32 once for all rows of A. With one row of A, what takes time is to
// read B from memory, of which this is a quarter; the conversion fits in beside it.
// Dot products of bytes (VPDPBUSD) would not be faster there, and would need A rounded
// to bytes too.
func newIntKernel(isa string, rows int) *stripKernel {
	s := newStripKernel(isa, rows)
	s.isa, s.ints = "Int8"+isa, true
	return s
}
