//go:build !purego

package kernel

func philox(dst []uint32, first uint64, keys *[2 * philoxRounds]uint32) {
	if current == NEON {
		philoxNEON(at(dst), len(dst)/philoxGroup, first, &keys[0])
		return
	}
	philoxGeneric(dst, first, keys)
}

func dropoutApply(dst, x []float32, bits []uint32, threshold uint32, scale float32) {
	if current == NEON {
		dropoutApplyNEON(at(dst), at(x), at(bits), threshold, scale, len(dst))
		return
	}
	dropoutApplyGeneric(dst, x, bits, threshold, scale)
}
