//go:build (!amd64 && !arm64) || purego

package kernel

func columnSums(dst, x []float32, rows, cols, ldx int) { columnSumsGeneric(dst, x, rows, cols, ldx) }

func columnMoments(sum, squares []float64, x []float32, rows, cols, ldx int) {
	columnMomentsGeneric(sum, squares, x, rows, cols, ldx)
}

func columnAffine(y, x, scale, shift []float32, rows, cols, ldy, ldx int) {
	columnAffineGeneric(y, x, scale, shift, rows, cols, ldy, ldx)
}

func batchNormSums(sumDy, sumDyX []float64, dy, x, mean []float32, rows, cols, lddy, ldx int) {
	batchNormSumsGeneric(sumDy, sumDyX, dy, x, mean, rows, cols, lddy, ldx)
}

func batchNormGrad(dx, dy, x, mean, factor, meanDy, slope, rest []float32, rows, cols, lddx, lddy, ldx int, accumulate bool) {
	batchNormGradGeneric(dx, dy, x, mean, factor, meanDy, slope, rest, rows, cols, lddx, lddy, ldx, accumulate)
}
