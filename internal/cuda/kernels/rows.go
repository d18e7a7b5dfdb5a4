package kernels

// CopyRows sets dst = src.
func CopyRows(d Device, dst, src Address, rows, cols, ldd, lds int) error {
	return elements(d, "copy_rows", rows*cols, dst, src, int32(rows), int32(cols), int32(ldd), int32(lds))
}

// MaskRows sets dst = src, and 0 in rows whose mask, a byte each, is not 0.
func MaskRows(d Device, dst, src, mask Address, rows, cols, ldd, lds int) error {
	return elements(d, "mask_rows", rows*cols, dst, src, mask, int32(rows), int32(cols), int32(ldd), int32(lds))
}

// GatherRows sets row r of dst to row index[r] (int32) of src.
func GatherRows(d Device, dst, src, index Address, rows, cols, ldd, lds int) error {
	return elements(d, "gather_rows", rows*cols, dst, src, index, int32(rows), int32(cols), int32(ldd), int32(lds))
}

// ScatterRows adds row r of src to row index[r] (int32) of dst. No row may be named twice.
func ScatterRows(d Device, dst, src, index Address, rows, cols, ldd, lds int) error {
	return elements(d, "scatter_rows", rows*cols, dst, src, index, int32(rows), int32(cols), int32(ldd), int32(lds))
}

// MeanPool sets dst [batch, cols] to the sums of x [batch, length, cols] over length,
// divided by lengths [batch].
func MeanPool(d Device, dst, x, lengths Address, batch, length, cols, ldx int) error {
	return elements(d, "mean_pool", batch*cols, dst, x, lengths, int32(batch), int32(length), int32(cols), int32(ldx))
}

// MeanPoolGrad sets the gradient of MeanPool's x.
func MeanPoolGrad(d Device, dx, dy, lengths Address, batch, length, cols, lddx int) error {
	return elements(d, "mean_pool_grad", batch*length*cols, dx, dy, lengths, int32(batch), int32(length), int32(cols), int32(lddx))
}

// EmbedReals sets dst [rows, cols] = x w + b for x [rows, channels] and w [channels, cols].
func EmbedReals(d Device, dst, x, w, b Address, rows, channels, cols int) error {
	return elements(d, "embed_reals", rows*cols, dst, x, w, b, int32(rows), int32(channels), int32(cols))
}

// QueryKey is kernel.SiLUScaleShift, with queries and keys side by side in rows of dst.
func QueryKey(d Device, dst, z, gamma, beta Address, rows, n, ldd, ldz int) error {
	return elements(d, "query_key", rows*n, dst, z, gamma, beta, int32(rows), int32(n), int32(ldd), int32(ldz))
}

// QueryKeyGrad sets dz and the gradients of gamma and beta [2, n]. parts is memory of
// 4·Parts(rows)·n numbers.
func QueryKeyGrad(d Device, dz, dgamma, dbeta, dy, z, gamma, parts Address, rows, n, lddz, lddy, ldz int) error {
	err := elements(d, "query_key_grad", rows*n, dz, dy, z, gamma, int32(rows), int32(n), int32(lddz), int32(lddy), int32(ldz))
	if err == nil {
		err = partsOf(d, "query_key_parts", rows, n, parts, dy, z, int32(rows), int32(n), int32(lddy), int32(ldz))
	}
	if err == nil {
		err = sumParts(d, dgamma, parts, Parts(rows), 2*n, 4*n, false)
	}
	if err == nil {
		err = sumParts(d, dbeta, parts+Address(8*n), Parts(rows), 2*n, 4*n, false)
	}
	return err
}

// ColumnProducts adds the sums of the columns of a b to dst [cols]. parts is memory of
// Parts(rows)·cols numbers.
func ColumnProducts(d Device, dst, a, b, parts Address, rows, cols, lda, ldb int) error {
	err := partsOf(d, "column_product_parts", rows, cols, parts, a, b, int32(rows), int32(cols), int32(lda), int32(ldb))
	if err == nil {
		err = SumParts(d, dst, parts, Parts(rows), cols)
	}
	return err
}

// BatchNormStatistics is kernel.BatchNormAffine: it sets stats [3, cols] to scale, shift
// and rstd. weight and bias may be 0, for 1 and 0.
func BatchNormStatistics(d Device, stats, mean, variance, weight, bias Address, cols int, eps float32) error {
	return elements(d, "batch_norm_statistics", cols, stats, mean, variance, weight, bias, int32(cols), eps)
}
