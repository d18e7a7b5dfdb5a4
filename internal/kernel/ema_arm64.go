//go:build !purego

package kernel

func emaStepNative(a *byte) { emaStepNEON(a) }

func emaScanNative(a *byte) { emaScanNEON(a) }

func emaGradientNative(a *byte) { emaGradientNEON(a) }

func emaDotNative(a *byte) { emaDotNEON(a) }

func emaDecayNative(n int, decay, p, a *float64, delta, alpha *float32) {
	emaDecayNEON(n, decay, p, a, delta, alpha)
}

func emaCopyNative(n, lanes int, to *float32, toStride int, from *float32, fromStride int) {
	emaCopyNEON(n, lanes, to, toStride, from, fromStride)
}
