//go:build !purego

package kernel

func columnSums(dst, x []float32, rows, cols, ldx int) {
	if current == NEON {
		columnSumsNEON(at(dst), at(x), rows, cols, 4*ldx)
		return
	}
	columnSumsGeneric(dst, x, rows, cols, ldx)
}

func columnMoments(sum, squares []float64, x []float32, rows, cols, ldx int) {
	if current == NEON {
		columnMomentsNEON(at(sum), at(squares), at(x), rows, cols, 4*ldx)
		return
	}
	columnMomentsGeneric(sum, squares, x, rows, cols, ldx)
}

func columnAffine(y, x, scale, shift []float32, rows, cols, ldy, ldx int) {
	if current == NEON {
		columnAffineNEON(at(y), at(x), at(scale), at(shift), rows, cols, 4*ldy, 4*ldx)
		return
	}
	columnAffineGeneric(y, x, scale, shift, rows, cols, ldy, ldx)
}

func batchNormSums(sumDy, sumDyX []float64, dy, x, mean []float32, rows, cols, lddy, ldx int) {
	if current == NEON {
		batchNormSumsNEON(at(sumDy), at(sumDyX), at(dy), at(x), at(mean), rows, cols, 4*lddy, 4*ldx)
		return
	}
	batchNormSumsGeneric(sumDy, sumDyX, dy, x, mean, rows, cols, lddy, ldx)
}

func batchNormGrad(dx, dy, x, mean, factor, meanDy, slope, rest []float32, rows, cols, lddx, lddy, ldx int, accumulate bool) {
	if current == NEON {
		batchNormGradNEON(at(dx), at(dy), at(x), at(mean), at(factor), at(meanDy), at(slope), at(rest), rows, cols, 4*lddx, 4*lddy, 4*ldx, keepMask(accumulate))
		return
	}
	batchNormGradGeneric(dx, dy, x, mean, factor, meanDy, slope, rest, rows, cols, lddx, lddy, ldx, accumulate)
}
