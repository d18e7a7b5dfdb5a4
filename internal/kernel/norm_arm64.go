//go:build !purego

package kernel

func layerNorm(y, x, weight, bias, mean, rstd []float32, rows, cols, ldy, ldx int, eps float32) {
	if current == NEON {
		layerNormNEON(at(y), at(x), at(weight), at(bias), at(mean), at(rstd), rows, cols, 4*ldy, 4*ldx, 1/float32(cols), eps)
		return
	}
	layerNormGeneric(y, x, weight, bias, mean, rstd, rows, cols, ldy, ldx, eps)
}

func layerNormPlain(y, x, mean, rstd []float32, rows, cols, ldy, ldx int, eps float32) {
	if current == NEON {
		layerNormPlainNEON(at(y), at(x), at(mean), at(rstd), rows, cols, 4*ldy, 4*ldx, 1/float32(cols), eps)
		return
	}
	layerNormPlainGeneric(y, x, mean, rstd, rows, cols, ldy, ldx, eps)
}

func layerNormGrad(dx, dweight, dbias, dy, x, weight, mean, rstd []float32, rows, cols, lddx, lddy, ldx int, accumulate bool) {
	if current == NEON {
		layerNormGradNEON(at(dx), at(dweight), at(dbias), at(dy), at(x), at(weight), at(mean), at(rstd), rows, cols, 4*lddx, 4*lddy, 4*ldx, 1/float32(cols), keepMask(accumulate))
		return
	}
	layerNormGradGeneric(dx, dweight, dbias, dy, x, weight, mean, rstd, rows, cols, lddx, lddy, ldx, accumulate)
}

func layerNormPlainGrad(dx, dy, x, mean, rstd []float32, rows, cols, lddx, lddy, ldx int, accumulate bool) {
	if current == NEON {
		layerNormPlainGradNEON(at(dx), at(dy), at(x), at(mean), at(rstd), rows, cols, 4*lddx, 4*lddy, 4*ldx, 1/float32(cols), keepMask(accumulate))
		return
	}
	layerNormPlainGradGeneric(dx, dy, x, mean, rstd, rows, cols, lddx, lddy, ldx, accumulate)
}

func rmsNorm(y, x, weight, rstd []float32, rows, cols, ldy, ldx int, eps float32) {
	if current == NEON {
		rmsNormNEON(at(y), at(x), at(weight), at(rstd), rows, cols, 4*ldy, 4*ldx, 1/float32(cols), eps)
		return
	}
	rmsNormGeneric(y, x, weight, rstd, rows, cols, ldy, ldx, eps)
}

func rmsNormGrad(dx, dweight, dy, x, weight, rstd []float32, rows, cols, lddx, lddy, ldx int, accumulate bool) {
	if current == NEON {
		rmsNormGradNEON(at(dx), at(dweight), at(dy), at(x), at(weight), at(rstd), rows, cols, 4*lddx, 4*lddy, 4*ldx, 1/float32(cols), keepMask(accumulate))
		return
	}
	rmsNormGradGeneric(dx, dweight, dy, x, weight, rstd, rows, cols, lddx, lddy, ldx, accumulate)
}

func scaleNorm(y, x []float32, scale float32, rstd []float32, rows, cols, ldy, ldx int, eps float32) {
	if current == NEON {
		scaleNormNEON(at(y), at(x), at(rstd), rows, cols, 4*ldy, 4*ldx, scale, 1/float32(cols), eps)
		return
	}
	scaleNormGeneric(y, x, scale, rstd, rows, cols, ldy, ldx, eps)
}

func scaleNormGrad(dx, dy, x []float32, scale float32, rstd []float32, rows, cols, lddx, lddy, ldx int, accumulate bool) float32 {
	if current == NEON {
		return scaleNormGradNEON(at(dx), at(dy), at(x), at(rstd), rows, cols, 4*lddx, 4*lddy, 4*ldx, scale, 1/float32(cols), keepMask(accumulate))
	}
	return scaleNormGradGeneric(dx, dy, x, scale, rstd, rows, cols, lddx, lddy, ldx, accumulate)
}
