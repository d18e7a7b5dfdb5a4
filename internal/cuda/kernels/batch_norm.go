package kernels

// ColumnStatistics is kernel.ColumnStatistics, of the sums of ColumnMoments over count
// rows: it sets mean, rest and variance [cols].
func ColumnStatistics(d Device, mean, rest, variance, sums Address, count, cols int) error {
	return elements(d, "column_statistics", cols, mean, rest, variance, sums, float64(count), int32(cols))
}

// UpdateRunning moves running [n] towards factor·value by momentum.
func UpdateRunning(d Device, running, value Address, factor, momentum float32, n int) error {
	return elements(d, "update_running", n, running, value, factor, momentum, int32(n))
}

// BatchNormCoefficients is kernel.BatchNormCoefficients, of the sums of BatchNormSums over
// count rows. weight may be 0, for 1.
func BatchNormCoefficients(d Device, factor, meanDy, slope, rest, weight, rstd, meanRest, sums Address, count, cols int) error {
	return elements(d, "batch_norm_coefficients", cols, factor, meanDy, slope, rest, weight, rstd, meanRest, sums, float64(count), int32(cols))
}

// BatchNormWeightGrad adds the gradients of weight and bias [cols], either of which may be
// 0, given the sums of BatchNormSums.
func BatchNormWeightGrad(d Device, dweight, dbias, rstd, sums Address, cols int) error {
	return elements(d, "batch_norm_weight_grad", cols, dweight, dbias, rstd, sums, int32(cols))
}
