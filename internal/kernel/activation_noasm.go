//go:build (!amd64 && !arm64) || purego

package kernel

func activate(a Activation, dst, x []float32) { activateGeneric(a, dst, x) }

func activateGrad(a Activation, dx, dy, x []float32) { activateGradGeneric(a, dx, dy, x) }
