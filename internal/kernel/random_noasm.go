//go:build (!amd64 && !arm64) || purego

package kernel

func philox(dst []uint32, first uint64, keys *[2 * philoxRounds]uint32) {
	philoxGeneric(dst, first, keys)
}

func dropoutApply(dst, x []float32, bits []uint32, threshold uint32, scale float32) {
	dropoutApplyGeneric(dst, x, bits, threshold, scale)
}
