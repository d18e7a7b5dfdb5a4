package kernel

import "fmt"

// The norms work on matrices of rows by cols elements, row by row; ldx is the
// number of elements from one row of x to the next, and so for the others. mean
// and rstd hold one number a row, which the backward pass takes.
//
// In the backward passes dx is overwritten, or added to if accumulate says so;
// it may be dy or x otherwise. Gradients of weights are added to what is there:
// callers give each block of rows its own and add them in order, so that the
// result does not depend on the workers.

// checkRows panics unless rows of cols elements, ld apart, fit into size.
func checkRows(rows, cols, size, ld int) {
	if rows < 0 || cols < 0 || rows > 0 && ((rows > 1 && ld < cols) || (rows-1)*ld+cols > size) {
		panic(fmt.Sprintf("kernel: %d rows of %d elements, %d apart, do not fit into %d", rows, cols, ld, size))
	}
}

// keepMask returns the bits that kernels combine the old dx with.
func keepMask(accumulate bool) uint32 {
	if accumulate {
		return 0xffffffff
	}
	return 0
}

// LayerNorm normalises each row to mean 0 and variance 1:
//
//	mean = Σ x / cols
//	rstd = 1 / √(Σ (x - mean)² / cols + eps)
//	y    = (x - mean) rstd weight + bias
//
// weight and bias are [cols], or both nil for 1 and 0. y may be x.
func LayerNorm(y, x, weight, bias, mean, rstd []float32, rows, cols, ldy, ldx int, eps float32) {
	checkRows(rows, cols, len(y), ldy)
	checkRows(rows, cols, len(x), ldx)
	checkLengths(rows, len(mean), len(rstd))
	if weight == nil && bias == nil {
		layerNormPlain(y, x, mean, rstd, rows, cols, ldy, ldx, eps)
		return
	}
	checkLengths(cols, len(weight), len(bias))
	layerNorm(y, x, weight, bias, mean, rstd, rows, cols, ldy, ldx, eps)
}

// LayerNormGrad is the backward pass of LayerNorm. With x̂ = (x - mean) rstd and
// g = dy weight:
//
//	dx       = rstd (g - mean(g) - x̂ mean(g x̂))
//	dweight += Σ dy x̂, dbias += Σ dy, over rows
//
// weight, dweight and dbias are [cols], or all nil.
func LayerNormGrad(dx, dweight, dbias, dy, x, weight, mean, rstd []float32, rows, cols, lddx, lddy, ldx int, accumulate bool) {
	checkRows(rows, cols, len(dx), lddx)
	checkRows(rows, cols, len(dy), lddy)
	checkRows(rows, cols, len(x), ldx)
	checkLengths(rows, len(mean), len(rstd))
	if weight == nil && dweight == nil && dbias == nil {
		layerNormPlainGrad(dx, dy, x, mean, rstd, rows, cols, lddx, lddy, ldx, accumulate)
		return
	}
	checkLengths(cols, len(weight), len(dweight), len(dbias))
	layerNormGrad(dx, dweight, dbias, dy, x, weight, mean, rstd, rows, cols, lddx, lddy, ldx, accumulate)
}

// RMSNorm divides each row by the root of its mean square
// (fairseq/modules/rms_norm.py):
//
//	rstd = 1 / √(Σ x² / cols + eps)
//	y    = x rstd weight
//
// weight is [cols]; without weights it is ScaleNorm with scale 1. y may be x.
func RMSNorm(y, x, weight, rstd []float32, rows, cols, ldy, ldx int, eps float32) {
	checkRows(rows, cols, len(y), ldy)
	checkRows(rows, cols, len(x), ldx)
	checkLengths(rows, len(rstd))
	checkLengths(cols, len(weight))
	rmsNorm(y, x, weight, rstd, rows, cols, ldy, ldx, eps)
}

// RMSNormGrad is the backward pass of RMSNorm. With x̂ = x rstd and g = dy weight:
//
//	dx       = rstd (g - x̂ mean(g x̂))
//	dweight += Σ dy x̂, over rows
func RMSNormGrad(dx, dweight, dy, x, weight, rstd []float32, rows, cols, lddx, lddy, ldx int, accumulate bool) {
	checkRows(rows, cols, len(dx), lddx)
	checkRows(rows, cols, len(dy), lddy)
	checkRows(rows, cols, len(x), ldx)
	checkLengths(rows, len(rstd))
	checkLengths(cols, len(weight), len(dweight))
	rmsNormGrad(dx, dweight, dy, x, weight, rstd, rows, cols, lddx, lddy, ldx, accumulate)
}

// ScaleNorm is RMSNorm with one number, scale, for the weights of all columns
// (fairseq/modules/scale_norm.py:28): y = x rstd scale.
func ScaleNorm(y, x []float32, scale float32, rstd []float32, rows, cols, ldy, ldx int, eps float32) {
	checkRows(rows, cols, len(y), ldy)
	checkRows(rows, cols, len(x), ldx)
	checkLengths(rows, len(rstd))
	scaleNorm(y, x, scale, rstd, rows, cols, ldy, ldx, eps)
}

// ScaleNormGrad is the backward pass of ScaleNorm: dx as RMSNormGrad has it with
// g = dy scale. It returns the gradient of scale, Σ dy x̂ over all rows.
func ScaleNormGrad(dx, dy, x []float32, scale float32, rstd []float32, rows, cols, lddx, lddy, ldx int, accumulate bool) float32 {
	checkRows(rows, cols, len(dx), lddx)
	checkRows(rows, cols, len(dy), lddy)
	checkRows(rows, cols, len(x), ldx)
	checkLengths(rows, len(rstd))
	return scaleNormGrad(dx, dy, x, scale, rstd, rows, cols, lddx, lddy, ldx, accumulate)
}
