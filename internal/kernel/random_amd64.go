//go:build !purego

package kernel

func philox(dst []uint32, first uint64, keys *[2 * philoxRounds]uint32) {
	switch current {
	case AVX512:
		philoxAVX512(at(dst), len(dst)/philoxGroup, first, &keys[0])
	case AVX2:
		philoxAVX2(at(dst), len(dst)/philoxGroup, first, &keys[0])
	default:
		philoxGeneric(dst, first, keys)
	}
}

func dropoutApply(dst, x []float32, bits []uint32, threshold uint32, scale float32) {
	switch current {
	case AVX512:
		dropoutApplyAVX512(at(dst), at(x), at(bits), threshold, scale, len(dst))
	case AVX2:
		dropoutApplyAVX2(at(dst), at(x), at(bits), threshold, scale, len(dst))
	default:
		dropoutApplyGeneric(dst, x, bits, threshold, scale)
	}
}
