//go:build !purego

package kernel

import "unsafe"

// at returns where x begins, which may be nowhere if x is empty.
func at[T any](x []T) *T { return unsafe.SliceData(x) }

func add(dst, a, b []float32) {
	if current == NEON {
		addNEON(at(dst), at(a), at(b), len(dst))
		return
	}
	addGeneric(dst, a, b)
}

func mul(dst, a, b []float32) {
	if current == NEON {
		mulNEON(at(dst), at(a), at(b), len(dst))
		return
	}
	mulGeneric(dst, a, b)
}

func scale(dst, a []float32, s float32) {
	if current == NEON {
		scaleNEON(at(dst), at(a), s, len(dst))
		return
	}
	scaleGeneric(dst, a, s)
}

func axpy(dst []float32, s float32, x []float32) {
	if current == NEON {
		axpyNEON(at(dst), s, at(x), len(dst))
		return
	}
	axpyGeneric(dst, s, x)
}

func addScalar(dst, a []float32, s float32) {
	if current == NEON {
		addScalarNEON(at(dst), at(a), s, len(dst))
		return
	}
	addScalarGeneric(dst, a, s)
}

func fill(dst []float32, v float32) {
	if current == NEON {
		fillNEON(at(dst), v, len(dst))
		return
	}
	fillGeneric(dst, v)
}

func exp(dst, x []float32) {
	if current == NEON {
		expNEON(at(dst), at(x), len(dst))
		return
	}
	expGeneric(dst, x)
}

func dot(a, b []float32) float32 {
	if current == NEON {
		return dotNEON(at(a), at(b), len(a))
	}
	return dotGeneric(a, b)
}

func sumSquares(x []float32) float64 {
	if current == NEON {
		return sumSquaresNEON(at(x), len(x))
	}
	return sumSquaresGeneric(x)
}

func maximum(x []float32) float32 {
	if current == NEON {
		return maxNEON(at(x), len(x))
	}
	return maxGeneric(x)
}
