//go:build (!amd64 && !arm64) || purego

package kernel

func layerNorm(y, x, weight, bias, mean, rstd []float32, rows, cols, ldy, ldx int, eps float32) {
	layerNormGeneric(y, x, weight, bias, mean, rstd, rows, cols, ldy, ldx, eps)
}

func layerNormPlain(y, x, mean, rstd []float32, rows, cols, ldy, ldx int, eps float32) {
	layerNormPlainGeneric(y, x, mean, rstd, rows, cols, ldy, ldx, eps)
}

func layerNormGrad(dx, dweight, dbias, dy, x, weight, mean, rstd []float32, rows, cols, lddx, lddy, ldx int, accumulate bool) {
	layerNormGradGeneric(dx, dweight, dbias, dy, x, weight, mean, rstd, rows, cols, lddx, lddy, ldx, accumulate)
}

func layerNormPlainGrad(dx, dy, x, mean, rstd []float32, rows, cols, lddx, lddy, ldx int, accumulate bool) {
	layerNormPlainGradGeneric(dx, dy, x, mean, rstd, rows, cols, lddx, lddy, ldx, accumulate)
}

func rmsNorm(y, x, weight, rstd []float32, rows, cols, ldy, ldx int, eps float32) {
	rmsNormGeneric(y, x, weight, rstd, rows, cols, ldy, ldx, eps)
}

func rmsNormGrad(dx, dweight, dy, x, weight, rstd []float32, rows, cols, lddx, lddy, ldx int, accumulate bool) {
	rmsNormGradGeneric(dx, dweight, dy, x, weight, rstd, rows, cols, lddx, lddy, ldx, accumulate)
}

func scaleNorm(y, x []float32, scale float32, rstd []float32, rows, cols, ldy, ldx int, eps float32) {
	scaleNormGeneric(y, x, scale, rstd, rows, cols, ldy, ldx, eps)
}

func scaleNormGrad(dx, dy, x []float32, scale float32, rstd []float32, rows, cols, lddx, lddy, ldx int, accumulate bool) float32 {
	return scaleNormGradGeneric(dx, dy, x, scale, rstd, rows, cols, lddx, lddy, ldx, accumulate)
}
