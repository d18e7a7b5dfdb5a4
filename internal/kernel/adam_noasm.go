//go:build (!amd64 && !arm64) || purego

package kernel

func adamStep(w, grad, m, v []float32, p adamNumbers) { adamStepGeneric(w, grad, m, v, p) }
