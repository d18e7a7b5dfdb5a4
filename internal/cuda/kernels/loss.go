package kernels

// LogSoftmax sets dst to x - log Σ e^x of each row.
func LogSoftmax(d Device, dst, x Address, rows, cols, ldd, ldx int) error {
	return rowsOf(d, "log_softmax", rows, dst, x, int32(rows), int32(cols), int32(ldd), int32(ldx))
}

// LossTerms are what CrossEntropy says of a row.
type LossTerms struct {
	Largest float32 // of the row's numbers
	Sum     float32 // of e^(x - Largest)
	Target  float32 // the target's number
	Total   float32 // of the row's numbers
	Winners float32 // numbers that are larger than the target's, or as large and before it
}

// CrossEntropy sets logSums [rows] to log Σ e^x and terms to the LossTerms of each row, but
// for those whose target (int32) is ignore.
func CrossEntropy(d Device, terms, logSums, x, targets Address, ignore int32, rows, cols, ldx int) error {
	return rowsOf(d, "cross_entropy", rows, terms, logSums, x, targets, ignore, int32(rows), int32(cols), int32(ldx))
}

// CrossEntropyGrad sets dx = dloss (softmax(x) - (1-smoothing) onehot - smoothing/cols), and
// 0 in rows whose target is ignore. dloss is the address of one number.
func CrossEntropyGrad(d Device, dx, dloss, logSums, x, targets Address, ignore int32, rows, cols, lddx, ldx int, smoothing float64) error {
	return rowsOf(d, "cross_entropy_grad", rows, dx, dloss, logSums, x, targets, ignore, int32(rows), int32(cols), int32(lddx), int32(ldx),
		float32(1-smoothing), float32(smoothing/float64(max(1, cols))))
}
