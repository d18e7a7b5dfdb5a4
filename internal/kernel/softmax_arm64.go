//go:build !purego

package kernel

func expSub(dst, x []float32, c float32) float32 {
	if current == NEON {
		return expSubNEON(at(dst), at(x), c, len(dst))
	}
	return expSubGeneric(dst, x, c)
}

func sumExpSub(x []float32, c float32) float32 {
	if current == NEON {
		return sumExpSubNEON(at(x), c, len(x))
	}
	return sumExpSubGeneric(x, c)
}
