//go:build (!amd64 && !arm64) || purego

package kernel

func add(dst, a, b []float32) { addGeneric(dst, a, b) }

func mul(dst, a, b []float32) { mulGeneric(dst, a, b) }

func scale(dst, a []float32, s float32) { scaleGeneric(dst, a, s) }

func axpy(dst []float32, s float32, x []float32) { axpyGeneric(dst, s, x) }

func addScalar(dst, a []float32, s float32) { addScalarGeneric(dst, a, s) }

func fill(dst []float32, v float32) { fillGeneric(dst, v) }

func exp(dst, x []float32) { expGeneric(dst, x) }

func dot(a, b []float32) float32 { return dotGeneric(a, b) }

func sumSquares(x []float32) float64 { return sumSquaresGeneric(x) }

func maximum(x []float32) float32 { return maxGeneric(x) }
