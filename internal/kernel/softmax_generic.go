package kernel

import "math"

func expSubGeneric(dst, x []float32, c float32) float32 {
	var total float64
	for i, v := range x {
		dst[i] = float32(math.Exp(float64(v - c)))
		total += float64(dst[i])
	}
	return float32(total)
}

func sumExpSubGeneric(x []float32, c float32) float32 {
	var total float64
	for _, v := range x {
		total += math.Exp(float64(v - c))
	}
	return float32(total)
}
