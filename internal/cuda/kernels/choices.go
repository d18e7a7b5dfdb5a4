package kernels

// Argmax sets out [rows] (int32) to the column of each row's largest number, the first of
// equals. A row that begins with NaN has 0; other NaN is never the largest.
func Argmax(d Device, out, x Address, rows, cols, ldx int) error {
	return rowsOf(d, "argmax", rows, out, x, int32(rows), int32(cols), int32(ldx))
}

// Ranks sets out [rows] (int32) to how many numbers of each row are greater than the one
// that its target (int32) names.
func Ranks(d Device, out, x, targets Address, rows, cols, ldx int) error {
	return rowsOf(d, "ranks", rows, out, x, targets, int32(rows), int32(cols), int32(ldx))
}

// A SoftTerm is what SoftCrossEntropy says of a row, in float64, whose loss is
// Targets·ln(Sum) - Product.
type SoftTerm struct {
	Sum     float64 // of e^(x - M), M being the row's largest number
	Targets float64 // their sum
	Product float64 // sum of target·(x - M)
}

// SoftCrossEntropy sets terms to the SoftTerm of each row of x under targets, weights of
// its classes [rows, cols], and stats [rows, 2] to what the gradient needs.
func SoftCrossEntropy(d Device, terms, stats, x, targets Address, rows, cols, ldx, ldt int) error {
	return rowsOf(d, "soft_cross_entropy", rows, terms, stats, x, targets, int32(rows), int32(cols), int32(ldx), int32(ldt))
}

// SoftCrossEntropyGrad sets dx to the gradient of the sum of all rows' losses times dloss,
// the address of one number.
func SoftCrossEntropyGrad(d Device, dx, dloss, terms, stats, x, targets Address, rows, cols, lddx, ldx, ldt int) error {
	return rowsOf(d, "soft_cross_entropy_grad", rows, dx, dloss, terms, stats, x, targets,
		int32(rows), int32(cols), int32(lddx), int32(ldx), int32(ldt))
}
