//go:build !purego

package kernel

import "unsafe"

// at returns where x begins, which may be nowhere if x is empty.
func at[T any](x []T) *T { return unsafe.SliceData(x) }

func add(dst, a, b []float32) {
	switch current {
	case AVX512:
		addAVX512(at(dst), at(a), at(b), len(dst))
	case AVX2:
		addAVX2(at(dst), at(a), at(b), len(dst))
	default:
		addGeneric(dst, a, b)
	}
}

func mul(dst, a, b []float32) {
	switch current {
	case AVX512:
		mulAVX512(at(dst), at(a), at(b), len(dst))
	case AVX2:
		mulAVX2(at(dst), at(a), at(b), len(dst))
	default:
		mulGeneric(dst, a, b)
	}
}

func scale(dst, a []float32, s float32) {
	switch current {
	case AVX512:
		scaleAVX512(at(dst), at(a), s, len(dst))
	case AVX2:
		scaleAVX2(at(dst), at(a), s, len(dst))
	default:
		scaleGeneric(dst, a, s)
	}
}

func axpy(dst []float32, s float32, x []float32) {
	switch current {
	case AVX512:
		axpyAVX512(at(dst), s, at(x), len(dst))
	case AVX2:
		axpyAVX2(at(dst), s, at(x), len(dst))
	default:
		axpyGeneric(dst, s, x)
	}
}

func addScalar(dst, a []float32, s float32) {
	switch current {
	case AVX512:
		addScalarAVX512(at(dst), at(a), s, len(dst))
	case AVX2:
		addScalarAVX2(at(dst), at(a), s, len(dst))
	default:
		addScalarGeneric(dst, a, s)
	}
}

func fill(dst []float32, v float32) {
	switch current {
	case AVX512:
		fillAVX512(at(dst), v, len(dst))
	case AVX2:
		fillAVX2(at(dst), v, len(dst))
	default:
		fillGeneric(dst, v)
	}
}

func exp(dst, x []float32) {
	switch current {
	case AVX512:
		expAVX512(at(dst), at(x), len(dst))
	case AVX2:
		expAVX2(at(dst), at(x), len(dst))
	default:
		expGeneric(dst, x)
	}
}

func dot(a, b []float32) float32 {
	switch current {
	case AVX512:
		return dotAVX512(at(a), at(b), len(a))
	case AVX2:
		return dotAVX2(at(a), at(b), len(a))
	}
	return dotGeneric(a, b)
}

func sumSquares(x []float32) float64 {
	switch current {
	case AVX512:
		return sumSquaresAVX512(at(x), len(x))
	case AVX2:
		return sumSquaresAVX2(at(x), len(x))
	}
	return sumSquaresGeneric(x)
}

func maximum(x []float32) float32 {
	switch current {
	case AVX512:
		return maxAVX512(at(x), len(x))
	case AVX2:
		return maxAVX2(at(x), len(x))
	}
	return maxGeneric(x)
}
