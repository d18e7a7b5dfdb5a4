package kernel

import "math"

// ColumnSums adds to dst, [cols], the sums of the columns of x, as the gradient
// of a bias needs them. x is [rows, cols] with ldx elements from row to row.
func ColumnSums(dst, x []float32, rows, cols, ldx int) {
	checkRows(rows, cols, len(x), ldx)
	checkLengths(cols, len(dst))
	const group = 16 // rows summed in registers, so that no sum is long
	for r := 0; r < rows; r += group {
		columnSums(dst, x[r*ldx:], min(group, rows-r), cols, ldx)
	}
}

// Batch norm normalises each column by the mean and variance over all rows of
// all sequences. Its passes, each over blocks of rows with the blocks' sums
// added in order, are:
//
//	ColumnMoments, ColumnStatistics      mean and variance
//	BatchNormAffine, ColumnAffine        y = x scale + shift
//	BatchNormSums, BatchNormCoefficients dweight, dbias and what dx needs
//	BatchNormGrad                        dx
//
// Sums are float64: squares of float32 numbers are exact there, so that even
// the raw moments of columns far from 0 give a sound variance.

// ColumnMoments adds to sum and squares, [cols], the sums of x and of x² over
// the rows of x, [rows, cols] with ldx elements from row to row.
func ColumnMoments(sum, squares []float64, x []float32, rows, cols, ldx int) {
	checkRows(rows, cols, len(x), ldx)
	checkLengths(cols, len(sum), len(squares))
	columnMoments(sum, squares, x, rows, cols, ldx)
}

// ColumnStatistics turns the sums of ColumnMoments over n rows into each
// column's mean, what rounding it took off, and (biased) variance.
func ColumnStatistics(mean, meanRest, variance []float32, sum, squares []float64, n int) {
	checkLengths(len(mean), len(meanRest), len(variance), len(sum), len(squares))
	for c := range mean {
		m := sum[c] / float64(n)
		mean[c] = float32(m)
		meanRest[c] = float32(m - float64(mean[c]))
		variance[c] = float32(max(0, squares[c]/float64(n)-m*m))
	}
}

// BatchNormAffine returns in scale and shift what ColumnAffine takes, and in
// rstd 1 / √(variance + eps): scale = weight rstd, shift = bias - mean scale.
// All slices are [cols].
func BatchNormAffine(scale, shift, rstd, mean, variance, weight, bias []float32, eps float32) {
	checkLengths(len(scale), len(shift), len(rstd), len(mean), len(variance), len(weight), len(bias))
	for c := range scale {
		s := 1 / math.Sqrt(float64(variance[c])+float64(eps))
		rstd[c] = float32(s)
		scale[c] = float32(s * float64(weight[c]))
		shift[c] = float32(float64(bias[c]) - float64(mean[c])*s*float64(weight[c]))
	}
}

// ColumnAffine sets y = x scale + shift, row by row; scale and shift are [cols].
// y may be x.
func ColumnAffine(y, x, scale, shift []float32, rows, cols, ldy, ldx int) {
	checkRows(rows, cols, len(y), ldy)
	checkRows(rows, cols, len(x), ldx)
	checkLengths(cols, len(scale), len(shift))
	columnAffine(y, x, scale, shift, rows, cols, ldy, ldx)
}

// BatchNormSums adds to sumDy and sumDyX, [cols], the sums of dy and of
// dy (x - mean) over the rows.
func BatchNormSums(sumDy, sumDyX []float64, dy, x, mean []float32, rows, cols, lddy, ldx int) {
	checkRows(rows, cols, len(dy), lddy)
	checkRows(rows, cols, len(x), ldx)
	checkLengths(cols, len(sumDy), len(sumDyX), len(mean))
	batchNormSums(sumDy, sumDyX, dy, x, mean, rows, cols, lddy, ldx)
}

// BatchNormCoefficients turns the sums of BatchNormSums over n rows into what
// BatchNormGrad takes:
//
//	factor = weight rstd
//	meanDy = sumDy / n
//	slope  = rstd² sumDyX / n
//	rest   = what rounding took off the mean of dx over the rows
//
// so that what dx adds up to, which is 0, is 0 to float64's precision: the
// gradient of a bias ahead of the norm. meanRest is what rounding took off mean.
// The gradients of bias and weight are sumDy and rstd sumDyX.
func BatchNormCoefficients(factor, meanDy, slope, rest, weight, rstd, meanRest []float32, sumDy, sumDyX []float64, n int) {
	checkLengths(len(factor), len(meanDy), len(slope), len(rest), len(weight), len(rstd), len(meanRest), len(sumDy), len(sumDyX))
	for c := range factor {
		s := float64(rstd[c])
		factor[c] = float32(float64(weight[c]) * s)
		meanDy[c] = float32(sumDy[c] / float64(n))
		slope[c] = float32(s * s * sumDyX[c] / float64(n))
		rest[c] = float32(sumDy[c]/float64(n) - float64(meanDy[c]) - float64(slope[c])*float64(meanRest[c]))
	}
}

// BatchNormGrad is the backward pass of batch norm in training, row by row:
//
//	dx = factor (dy - meanDy - (x - mean) slope - rest)
//
// dx is overwritten, or added to if accumulate says so. In evaluation, where
// the statistics are constants, dx is ColumnAffine of dy with shift 0.
func BatchNormGrad(dx, dy, x, mean, factor, meanDy, slope, rest []float32, rows, cols, lddx, lddy, ldx int, accumulate bool) {
	checkRows(rows, cols, len(dx), lddx)
	checkRows(rows, cols, len(dy), lddy)
	checkRows(rows, cols, len(x), ldx)
	checkLengths(cols, len(mean), len(factor), len(meanDy), len(slope), len(rest))
	batchNormGrad(dx, dy, x, mean, factor, meanDy, slope, rest, rows, cols, lddx, lddy, ldx, accumulate)
}
