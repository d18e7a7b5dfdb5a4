package kernels

// PlaceRows sets row index[r] (int32) of dst to scale times row r of src. No row may be
// named twice.
func PlaceRows(d Device, dst, src, index Address, rows, cols, ldd, lds int, scale float32) error {
	return elements(d, "place_rows", rows*cols, dst, src, index, int32(rows), int32(cols), int32(ldd), int32(lds), scale)
}

// TakeRows sets row r of dst to scale times row index[r] (int32) of src.
func TakeRows(d Device, dst, src, index Address, rows, cols, ldd, lds int, scale float32) error {
	return elements(d, "take_rows", rows*cols, dst, src, index, int32(rows), int32(cols), int32(ldd), int32(lds), scale)
}

// AddColumn sets dst = x + column, which has one number for each row, ldc apart.
func AddColumn(d Device, dst, x, column Address, rows, cols, ldd, ldx, ldc int) error {
	return elements(d, "add_column", rows*cols, dst, x, column, int32(rows), int32(cols), int32(ldd), int32(ldx), int32(ldc))
}

// FeatureDropout drops each column of a group of length rows as one, with probability p in
// (0, 1), and divides by 1-p otherwise; with whole set it drops each group as one. The
// words of seed decide that decide it on the CPU.
func FeatureDropout(d Device, dst, x Address, rows, cols, ldd, ldx, length int, whole bool, seed Address, p float32) error {
	args := []any{dst, x, int32(rows), int32(cols), int32(ldd), int32(ldx), int32(max(1, length)), flag(whole)}
	return elements(d, "feature_dropout", rows*cols, append(args, Dropout{seed, p}.arguments()...)...)
}
