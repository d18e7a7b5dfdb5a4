//go:build (amd64 || arm64) && !purego

package kernel

import "unsafe"

// emaLanes is the number of channels that the implementation's kernels take at
// once.
func emaLanes() int { return [...]int{Generic: 1, AVX2: 8, AVX512: 16, NEON: 4}[current] }

// emaFewSteps bounds the blocks for which correcting the drift before and after
// would be lost in rounding.
const emaFewSteps = 8

// emaDecayLanes is what the numbers that a kernel takes are a multiple of.
const emaDecayLanes = 8

func (a *emaScan) run() {
	if current == Generic {
		emaScanGeneric(a)
		return
	}
	a.from.check(a.steps, a.lanes)
	a.y.check(a.steps, a.lanes)
	a.emaBlock.check()
	args := (*byte)(unsafe.Pointer(a))
	if a.steps < emaFewSteps && a.lagged == 0 {
		emaStepNative(args)
	} else {
		emaScanNative(args)
	}
}

func (a *emaGradient) run() {
	if current == Generic {
		emaGradientGeneric(a)
		return
	}
	a.ds.check(a.steps, a.lanes)
	a.emaBlock.check()
	emaGradientNative((*byte)(unsafe.Pointer(a)))
}

func (a *emaDot) run() {
	if current == Generic {
		emaDotGeneric(a)
		return
	}
	a.x.check(a.steps, a.lanes)
	a.ds.check(a.steps, a.lanes)
	emaDotNative((*byte)(unsafe.Pointer(a)))
}

// check panics unless the rows are there, and completes the block.
func (b *emaBlock) check() {
	b.half = float32(b.steps) / 2
	b.x.check(b.steps, b.lanes)
	if b.lagged > 0 {
		b.lag.check(b.steps, b.lanes)
	}
}

// emaCopy copies n rows of at most 16 channels.
func emaCopy(to, from emaRows, n, lanes int) {
	if current == Generic {
		emaCopyGeneric(to, from, n, lanes)
		return
	}
	to.check(n, lanes)
	from.check(n, lanes)
	emaCopyNative(n, lanes, &to.data[to.first], 4*to.stride, &from.data[from.first], 4*from.stride)
}

// emaDecay is emaDecayGeneric, rounding aside.
func emaDecay(decay, p, a []float64, delta, alpha []float32) {
	n := len(decay)
	checkLengths(n, len(p), len(a), len(delta), len(alpha))
	if whole := n - n%emaDecayLanes; current != Generic && whole > 0 {
		emaDecayNative(whole, &decay[0], &p[0], &a[0], &delta[0], &alpha[0])
		decay, p, a, delta, alpha = decay[whole:], p[whole:], a[whole:], delta[whole:], alpha[whole:]
	}
	emaDecayGeneric(decay, p, a, delta, alpha)
}
