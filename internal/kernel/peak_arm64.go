//go:build !purego

package kernel

// multiplyAdds runs a loop of multiply-adds and returns the number of operations.
func multiplyAdds(impl Implementation) (flops int) {
	if impl == NEON {
		peakNEON(probeTurns)
		return 2 * 4 * 48 * probeTurns
	}
	flops, _ = multiplyAddsGeneric(1)
	return flops
}

// readMemory adds up x, whose length is a multiple of 64, in some order.
func readMemory(impl Implementation, x []float32) float32 {
	if impl == Generic {
		return readMemoryGeneric(x)
	}
	return readNEON(len(x)/64, &x[0])
}
