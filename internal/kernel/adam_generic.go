package kernel

import "math"

// adamStepGeneric rounds every product by a conversion, so that no compiler fuses it with
// the addition that follows: its bits are the same on every machine and, by the kernels
// for them, on CUDA devices.
func adamStepGeneric(w, grad, m, v []float32, p adamNumbers) {
	for i := range w {
		g := float32(p.gradScale * grad[i])
		m[i] = float32(p.beta1*m[i]) + float32(p.rest1*g)
		v[i] = float32(p.beta2*v[i]) + float32(p.rest2*float32(g*g))
		root := float32(math.Sqrt(float64(v[i])))
		w[i] = w[i] - float32(p.decay*w[i]) - float32(p.step*(m[i]/(root+p.eps)))
	}
}
