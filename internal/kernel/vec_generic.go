package kernel

import "math"

func addGeneric(dst, a, b []float32) {
	for i := range dst {
		dst[i] = a[i] + b[i]
	}
}

func mulGeneric(dst, a, b []float32) {
	for i := range dst {
		dst[i] = a[i] * b[i]
	}
}

func mulAddToGeneric(dst, x, scale, shift []float32) {
	for i := range dst {
		dst[i] = x[i]*scale[i] + shift[i]
	}
}

func scaleGeneric(dst, a []float32, s float32) {
	for i := range dst {
		dst[i] = s * a[i]
	}
}

func axpyGeneric(dst []float32, s float32, x []float32) {
	for i := range dst {
		dst[i] += s * x[i]
	}
}

func addScalarGeneric(dst, a []float32, s float32) {
	for i := range dst {
		dst[i] = a[i] + s
	}
}

func fillGeneric(dst []float32, v float32) {
	for i := range dst {
		dst[i] = v
	}
}

func expGeneric(dst, x []float32) {
	for i := range dst {
		dst[i] = float32(math.Exp(float64(x[i])))
	}
}

func dotGeneric(a, b []float32) float32 {
	var total float64
	for i := range a {
		total += float64(a[i]) * float64(b[i])
	}
	return float32(total)
}

func sumSquaresGeneric(x []float32) float64 {
	var total float64
	for _, v := range x {
		total += float64(v) * float64(v)
	}
	return total
}

func maxGeneric(x []float32) float32 {
	m := float32(math.Inf(-1))
	for _, v := range x {
		m = max(m, v)
	}
	return m
}
