//go:build !purego

package kernel

func layerNorm(y, x, weight, bias, mean, rstd []float32, rows, cols, ldy, ldx int, eps float32) {
	switch current {
	case AVX512:
		layerNormAVX512(at(y), at(x), at(weight), at(bias), at(mean), at(rstd), rows, cols, 4*ldy, 4*ldx, 1/float32(cols), eps)
	case AVX2:
		layerNormAVX2(at(y), at(x), at(weight), at(bias), at(mean), at(rstd), rows, cols, 4*ldy, 4*ldx, 1/float32(cols), eps)
	default:
		layerNormGeneric(y, x, weight, bias, mean, rstd, rows, cols, ldy, ldx, eps)
	}
}

func layerNormPlain(y, x, mean, rstd []float32, rows, cols, ldy, ldx int, eps float32) {
	switch current {
	case AVX512:
		layerNormPlainAVX512(at(y), at(x), at(mean), at(rstd), rows, cols, 4*ldy, 4*ldx, 1/float32(cols), eps)
	case AVX2:
		layerNormPlainAVX2(at(y), at(x), at(mean), at(rstd), rows, cols, 4*ldy, 4*ldx, 1/float32(cols), eps)
	default:
		layerNormPlainGeneric(y, x, mean, rstd, rows, cols, ldy, ldx, eps)
	}
}

func layerNormGrad(dx, dweight, dbias, dy, x, weight, mean, rstd []float32, rows, cols, lddx, lddy, ldx int, accumulate bool) {
	switch current {
	case AVX512:
		layerNormGradAVX512(at(dx), at(dweight), at(dbias), at(dy), at(x), at(weight), at(mean), at(rstd), rows, cols, 4*lddx, 4*lddy, 4*ldx, 1/float32(cols), keepMask(accumulate))
	case AVX2:
		layerNormGradAVX2(at(dx), at(dweight), at(dbias), at(dy), at(x), at(weight), at(mean), at(rstd), rows, cols, 4*lddx, 4*lddy, 4*ldx, 1/float32(cols), keepMask(accumulate))
	default:
		layerNormGradGeneric(dx, dweight, dbias, dy, x, weight, mean, rstd, rows, cols, lddx, lddy, ldx, accumulate)
	}
}

func layerNormPlainGrad(dx, dy, x, mean, rstd []float32, rows, cols, lddx, lddy, ldx int, accumulate bool) {
	switch current {
	case AVX512:
		layerNormPlainGradAVX512(at(dx), at(dy), at(x), at(mean), at(rstd), rows, cols, 4*lddx, 4*lddy, 4*ldx, 1/float32(cols), keepMask(accumulate))
	case AVX2:
		layerNormPlainGradAVX2(at(dx), at(dy), at(x), at(mean), at(rstd), rows, cols, 4*lddx, 4*lddy, 4*ldx, 1/float32(cols), keepMask(accumulate))
	default:
		layerNormPlainGradGeneric(dx, dy, x, mean, rstd, rows, cols, lddx, lddy, ldx, accumulate)
	}
}

func rmsNorm(y, x, weight, rstd []float32, rows, cols, ldy, ldx int, eps float32) {
	switch current {
	case AVX512:
		rmsNormAVX512(at(y), at(x), at(weight), at(rstd), rows, cols, 4*ldy, 4*ldx, 1/float32(cols), eps)
	case AVX2:
		rmsNormAVX2(at(y), at(x), at(weight), at(rstd), rows, cols, 4*ldy, 4*ldx, 1/float32(cols), eps)
	default:
		rmsNormGeneric(y, x, weight, rstd, rows, cols, ldy, ldx, eps)
	}
}

func rmsNormGrad(dx, dweight, dy, x, weight, rstd []float32, rows, cols, lddx, lddy, ldx int, accumulate bool) {
	switch current {
	case AVX512:
		rmsNormGradAVX512(at(dx), at(dweight), at(dy), at(x), at(weight), at(rstd), rows, cols, 4*lddx, 4*lddy, 4*ldx, 1/float32(cols), keepMask(accumulate))
	case AVX2:
		rmsNormGradAVX2(at(dx), at(dweight), at(dy), at(x), at(weight), at(rstd), rows, cols, 4*lddx, 4*lddy, 4*ldx, 1/float32(cols), keepMask(accumulate))
	default:
		rmsNormGradGeneric(dx, dweight, dy, x, weight, rstd, rows, cols, lddx, lddy, ldx, accumulate)
	}
}

func scaleNorm(y, x []float32, scale float32, rstd []float32, rows, cols, ldy, ldx int, eps float32) {
	switch current {
	case AVX512:
		scaleNormAVX512(at(y), at(x), at(rstd), rows, cols, 4*ldy, 4*ldx, scale, 1/float32(cols), eps)
	case AVX2:
		scaleNormAVX2(at(y), at(x), at(rstd), rows, cols, 4*ldy, 4*ldx, scale, 1/float32(cols), eps)
	default:
		scaleNormGeneric(y, x, scale, rstd, rows, cols, ldy, ldx, eps)
	}
}

func scaleNormGrad(dx, dy, x []float32, scale float32, rstd []float32, rows, cols, lddx, lddy, ldx int, accumulate bool) float32 {
	switch current {
	case AVX512:
		return scaleNormGradAVX512(at(dx), at(dy), at(x), at(rstd), rows, cols, 4*lddx, 4*lddy, 4*ldx, scale, 1/float32(cols), keepMask(accumulate))
	case AVX2:
		return scaleNormGradAVX2(at(dx), at(dy), at(x), at(rstd), rows, cols, 4*lddx, 4*lddy, 4*ldx, scale, 1/float32(cols), keepMask(accumulate))
	}
	return scaleNormGradGeneric(dx, dy, x, scale, rstd, rows, cols, lddx, lddy, ldx, accumulate)
}
