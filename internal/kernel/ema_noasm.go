//go:build (!amd64 && !arm64) || purego

package kernel

// emaLanes is the number of channels that the implementation's kernels take at
// once.
func emaLanes() int { return 1 }

func (a *emaScan) run() { emaScanGeneric(a) }

func (a *emaGradient) run() { emaGradientGeneric(a) }

func (a *emaDot) run() { emaDotGeneric(a) }

func emaCopy(to, from emaRows, n, lanes int) { emaCopyGeneric(to, from, n, lanes) }

func emaDecay(decay, p, a []float64, delta, alpha []float32) {
	emaDecayGeneric(decay, p, a, delta, alpha)
}
