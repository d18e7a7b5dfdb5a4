package kernel

func columnSumsGeneric(dst, x []float32, rows, cols, ldx int) {
	for c := range cols {
		var total float64
		for r := range rows {
			total += float64(x[r*ldx+c])
		}
		dst[c] += float32(total)
	}
}

func columnMomentsGeneric(sum, squares []float64, x []float32, rows, cols, ldx int) {
	for r := range rows {
		for c, v := range x[r*ldx : r*ldx+cols] {
			sum[c] += float64(v)
			squares[c] += float64(v) * float64(v)
		}
	}
}

func columnAffineGeneric(y, x, scale, shift []float32, rows, cols, ldy, ldx int) {
	for r := range rows {
		mulAddToGeneric(y[r*ldy:r*ldy+cols], x[r*ldx:r*ldx+cols], scale, shift)
	}
}

func batchNormSumsGeneric(sumDy, sumDyX []float64, dy, x, mean []float32, rows, cols, lddy, ldx int) {
	for r := range rows {
		for c, d := range dy[r*lddy : r*lddy+cols] {
			sumDy[c] += float64(d)
			sumDyX[c] += float64(d) * float64(x[r*ldx+c]-mean[c])
		}
	}
}

func batchNormGradGeneric(dx, dy, x, mean, factor, meanDy, slope, rest []float32, rows, cols, lddx, lddy, ldx int, accumulate bool) {
	for r := range rows {
		for c, d := range dy[r*lddy : r*lddy+cols] {
			v := factor[c] * (d - meanDy[c] - (x[r*ldx+c]-mean[c])*slope[c] - rest[c])
			setOrAdd(&dx[r*lddx+c], float64(v), accumulate)
		}
	}
}
