//go:build !purego

package kernel

func columnSums(dst, x []float32, rows, cols, ldx int) {
	switch current {
	case AVX512:
		columnSumsAVX512(at(dst), at(x), rows, cols, 4*ldx)
	case AVX2:
		columnSumsAVX2(at(dst), at(x), rows, cols, 4*ldx)
	default:
		columnSumsGeneric(dst, x, rows, cols, ldx)
	}
}

func columnMoments(sum, squares []float64, x []float32, rows, cols, ldx int) {
	switch current {
	case AVX512:
		columnMomentsAVX512(at(sum), at(squares), at(x), rows, cols, 4*ldx)
	case AVX2:
		columnMomentsAVX2(at(sum), at(squares), at(x), rows, cols, 4*ldx)
	default:
		columnMomentsGeneric(sum, squares, x, rows, cols, ldx)
	}
}

func columnAffine(y, x, scale, shift []float32, rows, cols, ldy, ldx int) {
	switch current {
	case AVX512:
		columnAffineAVX512(at(y), at(x), at(scale), at(shift), rows, cols, 4*ldy, 4*ldx)
	case AVX2:
		columnAffineAVX2(at(y), at(x), at(scale), at(shift), rows, cols, 4*ldy, 4*ldx)
	default:
		columnAffineGeneric(y, x, scale, shift, rows, cols, ldy, ldx)
	}
}

func batchNormSums(sumDy, sumDyX []float64, dy, x, mean []float32, rows, cols, lddy, ldx int) {
	switch current {
	case AVX512:
		batchNormSumsAVX512(at(sumDy), at(sumDyX), at(dy), at(x), at(mean), rows, cols, 4*lddy, 4*ldx)
	case AVX2:
		batchNormSumsAVX2(at(sumDy), at(sumDyX), at(dy), at(x), at(mean), rows, cols, 4*lddy, 4*ldx)
	default:
		batchNormSumsGeneric(sumDy, sumDyX, dy, x, mean, rows, cols, lddy, ldx)
	}
}

func batchNormGrad(dx, dy, x, mean, factor, meanDy, slope, rest []float32, rows, cols, lddx, lddy, ldx int, accumulate bool) {
	switch current {
	case AVX512:
		batchNormGradAVX512(at(dx), at(dy), at(x), at(mean), at(factor), at(meanDy), at(slope), at(rest), rows, cols, 4*lddx, 4*lddy, 4*ldx, keepMask(accumulate))
	case AVX2:
		batchNormGradAVX2(at(dx), at(dy), at(x), at(mean), at(factor), at(meanDy), at(slope), at(rest), rows, cols, 4*lddx, 4*lddy, 4*ldx, keepMask(accumulate))
	default:
		batchNormGradGeneric(dx, dy, x, mean, factor, meanDy, slope, rest, rows, cols, lddx, lddy, ldx, accumulate)
	}
}
