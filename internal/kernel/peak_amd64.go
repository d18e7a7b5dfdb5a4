//go:build !purego

package kernel

// multiplyAdds runs a loop of multiply-adds and returns the number of operations.
func multiplyAdds(impl Implementation) (flops int) {
	const perTurn = 48
	switch impl {
	case AVX2:
		peakAVX2(probeTurns)
		return 2 * 8 * perTurn * probeTurns
	case AVX512:
		peakAVX512(probeTurns)
		return 2 * 16 * perTurn * probeTurns
	case AMX:
		const tiles, products = 4, 6 // a turn, and for one of float32 numbers
		peakAMX(probeTurns)
		return 2 * 16 * 16 * tileTerms * tiles * probeTurns / products
	}
	flops, _ = multiplyAddsGeneric(1)
	return flops
}

// readMemory adds up x, whose length is a multiple of 64, in some order.
func readMemory(impl Implementation, x []float32) float32 {
	if impl == Generic {
		return readMemoryGeneric(x)
	}
	return readAVX2(len(x)/64, &x[0])
}
