//go:build !purego

package kernel

func adamStep(w, grad, m, v []float32, p adamNumbers) {
	if current == NEON {
		adamStepNEON(at(w), at(grad), at(m), at(v),
			p.gradScale, p.beta1, p.rest1, p.beta2, p.rest2, p.eps, p.step, p.decay, len(w))
		return
	}
	adamStepGeneric(w, grad, m, v, p)
}
