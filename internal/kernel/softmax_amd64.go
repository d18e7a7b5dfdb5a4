//go:build !purego

package kernel

func expSub(dst, x []float32, c float32) float32 {
	switch current {
	case AVX512:
		return expSubAVX512(at(dst), at(x), c, len(dst))
	case AVX2:
		return expSubAVX2(at(dst), at(x), c, len(dst))
	}
	return expSubGeneric(dst, x, c)
}

func sumExpSub(x []float32, c float32) float32 {
	switch current {
	case AVX512:
		return sumExpSubAVX512(at(x), c, len(x))
	case AVX2:
		return sumExpSubAVX2(at(x), c, len(x))
	}
	return sumExpSubGeneric(x, c)
}
