//go:build !purego

package kernel

func adamStep(w, grad, m, v []float32, p adamNumbers) {
	switch current {
	case AVX512:
		adamStepAVX512(at(w), at(grad), at(m), at(v),
			p.gradScale, p.beta1, p.rest1, p.beta2, p.rest2, p.eps, p.step, p.decay, len(w))
	case AVX2:
		adamStepAVX2(at(w), at(grad), at(m), at(v),
			p.gradScale, p.beta1, p.rest1, p.beta2, p.rest2, p.eps, p.step, p.decay, len(w))
	default:
		adamStepGeneric(w, grad, m, v, p)
	}
}
