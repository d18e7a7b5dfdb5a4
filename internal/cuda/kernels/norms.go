package kernels

// LayerNorm is kernel.LayerNorm and then dropout: it sets y, and mean and rstd of each row.
// weight and bias may both be 0.
func LayerNorm(d Device, y, x, weight, bias, mean, rstd Address, rows, cols, ldy, ldx int, eps float32, drop Dropout) error {
	args := []any{y, x, weight, bias, mean, rstd, int32(rows), int32(cols), int32(ldy), int32(ldx), eps}
	return rowsOf(d, "layer_norm", rows, append(args, drop.arguments()...)...)
}

// LayerNormGrad sets dx, or adds to it. NormWeightGrad has the gradients of weights.
func LayerNormGrad(d Device, dx, dy, x, weight, mean, rstd Address, rows, cols, lddx, lddy, ldx int, accumulate bool, drop Dropout) error {
	args := []any{dx, dy, x, weight, mean, rstd, int32(rows), int32(cols), int32(lddx), int32(lddy), int32(ldx), flag(accumulate)}
	return rowsOf(d, "layer_norm_grad", rows, append(args, drop.arguments()...)...)
}

// RMSNorm is kernel.RMSNorm, and with one weight for all columns kernel.ScaleNorm, and then
// dropout.
func RMSNorm(d Device, y, x, weight Address, one bool, rstd Address, rows, cols, ldy, ldx int, eps float32, drop Dropout) error {
	args := []any{y, x, weight, 1 - flag(one), rstd, int32(rows), int32(cols), int32(ldy), int32(ldx), eps}
	return rowsOf(d, "rms_norm", rows, append(args, drop.arguments()...)...)
}

// RMSNormGrad sets dx, or adds to it.
func RMSNormGrad(d Device, dx, dy, x, weight Address, one bool, rstd Address, rows, cols, lddx, lddy, ldx int, accumulate bool, drop Dropout) error {
	args := []any{dx, dy, x, weight, 1 - flag(one), rstd, int32(rows), int32(cols), int32(lddx), int32(lddy), int32(ldx), flag(accumulate)}
	return rowsOf(d, "rms_norm_grad", rows, append(args, drop.arguments()...)...)
}

// NormWeightGrad sets dweight [cols] to Σ dy x̂ and dbias to Σ dy, unless that is 0, as
// the norms over rows have it, where dy is what dropout leaves; mean 0 stands for rows
// without one. parts is memory of 2·max(1, Parts(rows))·cols numbers.
func NormWeightGrad(d Device, dweight, dbias, dy, x, mean, rstd, parts Address, rows, cols, lddy, ldx int, drop Dropout) error {
	n := Parts(rows)
	biases := Address(0)
	if dbias != 0 {
		biases = parts + Address(4*n*cols)
	}
	args := []any{parts, biases, dy, x, mean, rstd, int32(rows), int32(cols), int32(lddy), int32(ldx)}
	err := partsOf(d, "norm_weight_parts", rows, cols, append(args, drop.arguments()...)...)
	if err == nil {
		err = sumParts(d, dweight, parts, n, cols, cols, false)
	}
	if err == nil && dbias != 0 {
		err = sumParts(d, dbias, biases, n, cols, cols, false)
	}
	return err
}

// NormScaleGrad is NormWeightGrad for a scale norm, which has one weight.
func NormScaleGrad(d Device, dscale, dy, x, rstd, parts Address, rows, cols, lddy, ldx int, drop Dropout) error {
	columns := parts + Address(4*max(1, Parts(rows))*cols)
	if err := NormWeightGrad(d, columns, 0, dy, x, 0, rstd, parts, rows, cols, lddy, ldx, drop); err != nil {
		return err
	}
	return sumParts(d, dscale, columns, cols, 1, 1, false)
}
