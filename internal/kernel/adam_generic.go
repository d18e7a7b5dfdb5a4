package kernel

import "math"

func adamStepGeneric(w, grad, m, v []float32, p adamNumbers) {
	for i := range w {
		g := p.gradScale * grad[i]
		m[i] = p.beta1*m[i] + p.rest1*g
		v[i] = p.beta2*v[i] + p.rest2*(g*g)
		root := float32(math.Sqrt(float64(v[i])))
		w[i] = w[i] - p.decay*w[i] - p.step*(m[i]/(root+p.eps))
	}
}
