//go:build !purego

package kernel

func emaStepNative(a *byte) {
	if current == AVX512 {
		emaStepAVX512(a)
	} else {
		emaStepAVX2(a)
	}
}

func emaScanNative(a *byte) {
	if current == AVX512 {
		emaScanAVX512(a)
	} else {
		emaScanAVX2(a)
	}
}

func emaGradientNative(a *byte) {
	if current == AVX512 {
		emaGradientAVX512(a)
	} else {
		emaGradientAVX2(a)
	}
}

func emaDotNative(a *byte) {
	if current == AVX512 {
		emaDotAVX512(a)
	} else {
		emaDotAVX2(a)
	}
}

func emaDecayNative(n int, decay, p, a *float64, delta, alpha *float32) {
	if current == AVX512 {
		emaDecayAVX512(n, decay, p, a, delta, alpha)
	} else {
		emaDecayAVX2(n, decay, p, a, delta, alpha)
	}
}

func emaCopyNative(n, lanes int, to *float32, toStride int, from *float32, fromStride int) {
	emaCopyAVX2(n, lanes, to, toStride, from, fromStride)
}
