package kernel

import "math"

// meanAndRstd returns a row's mean and 1 / √(variance + eps).
func meanAndRstd(x []float32, eps float32) (mean, rstd float64) {
	mean = sumFloat64(x) / float64(len(x))
	var squares float64
	for _, v := range x {
		d := float64(v) - mean
		squares += d * d
	}
	return mean, 1 / math.Sqrt(squares/float64(len(x))+float64(eps))
}

func sumFloat64(x []float32) (total float64) {
	for _, v := range x {
		total += float64(v)
	}
	return total
}

func layerNormGeneric(y, x, weight, bias, mean, rstd []float32, rows, cols, ldy, ldx int, eps float32) {
	for r := range rows {
		y, x := y[r*ldy:r*ldy+cols], x[r*ldx:r*ldx+cols]
		m, s := meanAndRstd(x, eps)
		mean[r], rstd[r] = float32(m), float32(s)
		for c, v := range x {
			y[c] = float32((float64(v)-m)*s*float64(weight[c]) + float64(bias[c]))
		}
	}
}

func layerNormPlainGeneric(y, x, mean, rstd []float32, rows, cols, ldy, ldx int, eps float32) {
	for r := range rows {
		y, x := y[r*ldy:r*ldy+cols], x[r*ldx:r*ldx+cols]
		m, s := meanAndRstd(x, eps)
		mean[r], rstd[r] = float32(m), float32(s)
		for c, v := range x {
			y[c] = float32((float64(v) - m) * s)
		}
	}
}

func layerNormGradGeneric(dx, dweight, dbias, dy, x, weight, mean, rstd []float32, rows, cols, lddx, lddy, ldx int, accumulate bool) {
	for r := range rows {
		dx, dy, x := dx[r*lddx:r*lddx+cols], dy[r*lddy:r*lddy+cols], x[r*ldx:r*ldx+cols]
		m, s := float64(mean[r]), float64(rstd[r])
		var meanG, meanGX float64
		for c, d := range dy {
			xhat := (float64(x[c]) - m) * s
			dweight[c] += d * float32(xhat)
			dbias[c] += d
			g := float64(d) * float64(weight[c])
			meanG += g / float64(cols)
			meanGX += g * xhat / float64(cols)
		}
		for c, d := range dy {
			xhat := (float64(x[c]) - m) * s
			setOrAdd(&dx[c], s*(float64(d)*float64(weight[c])-meanG-xhat*meanGX), accumulate)
		}
	}
}

func layerNormPlainGradGeneric(dx, dy, x, mean, rstd []float32, rows, cols, lddx, lddy, ldx int, accumulate bool) {
	for r := range rows {
		dx, dy, x := dx[r*lddx:r*lddx+cols], dy[r*lddy:r*lddy+cols], x[r*ldx:r*ldx+cols]
		m, s := float64(mean[r]), float64(rstd[r])
		var meanG, meanGX float64
		for c, d := range dy {
			meanG += float64(d) / float64(cols)
			meanGX += float64(d) * (float64(x[c]) - m) * s / float64(cols)
		}
		for c, d := range dy {
			xhat := (float64(x[c]) - m) * s
			setOrAdd(&dx[c], s*(float64(d)-meanG-xhat*meanGX), accumulate)
		}
	}
}

// setOrAdd sets *dx to v, or adds it.
func setOrAdd(dx *float32, v float64, add bool) {
	if add {
		v += float64(*dx)
	}
	*dx = float32(v)
}

// rmsRstd returns 1 / √(mean(x²) + eps) of a row.
func rmsRstd(x []float32, eps float32) float64 {
	return 1 / math.Sqrt(sumSquaresGeneric(x)/float64(len(x))+float64(eps))
}

func rmsNormGeneric(y, x, weight, rstd []float32, rows, cols, ldy, ldx int, eps float32) {
	for r := range rows {
		y, x := y[r*ldy:r*ldy+cols], x[r*ldx:r*ldx+cols]
		s := rmsRstd(x, eps)
		rstd[r] = float32(s)
		for c, v := range x {
			y[c] = float32(float64(v) * s * float64(weight[c]))
		}
	}
}

func rmsNormGradGeneric(dx, dweight, dy, x, weight, rstd []float32, rows, cols, lddx, lddy, ldx int, accumulate bool) {
	for r := range rows {
		dx, dy, x := dx[r*lddx:r*lddx+cols], dy[r*lddy:r*lddy+cols], x[r*ldx:r*ldx+cols]
		s := float64(rstd[r])
		var meanGX float64
		for c, d := range dy {
			dyx := float64(d) * float64(x[c]) * s
			dweight[c] += float32(dyx)
			meanGX += dyx * float64(weight[c]) / float64(cols)
		}
		for c, d := range dy {
			setOrAdd(&dx[c], s*(float64(d)*float64(weight[c])-float64(x[c])*s*meanGX), accumulate)
		}
	}
}

func scaleNormGeneric(y, x []float32, scale float32, rstd []float32, rows, cols, ldy, ldx int, eps float32) {
	for r := range rows {
		y, x := y[r*ldy:r*ldy+cols], x[r*ldx:r*ldx+cols]
		s := rmsRstd(x, eps)
		rstd[r] = float32(s)
		for c, v := range x {
			y[c] = float32(float64(v) * s * float64(scale))
		}
	}
}

func scaleNormGradGeneric(dx, dy, x []float32, scale float32, rstd []float32, rows, cols, lddx, lddy, ldx int, accumulate bool) float32 {
	var dscale float64
	for r := range rows {
		dx, dy, x := dx[r*lddx:r*lddx+cols], dy[r*lddy:r*lddy+cols], x[r*ldx:r*ldx+cols]
		s := float64(rstd[r])
		var sum float64
		for c, d := range dy {
			sum += float64(d) * float64(x[c]) * s
		}
		dscale += sum
		for c, d := range dy {
			setOrAdd(&dx[c], s*float64(scale)*(float64(d)-float64(x[c])*s*sum/float64(cols)), accumulate)
		}
	}
	return float32(dscale)
}
