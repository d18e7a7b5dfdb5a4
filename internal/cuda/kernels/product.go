package kernels

// A Matrix is one of each of a batch: element (i, j) of number z is at
// z·Batch + i·Row + j·Col.
type Matrix struct {
	At              Address
	Row, Col, Batch int
}

// from returns the matrices from number z on.
func (m Matrix) from(z int) Matrix {
	m.At += Address(4 * z * m.Batch)
	return m
}

// processors is how many blocks keep a large GPU busy, such as an H100 with its 132
// multiprocessors.
const processors = 128

// mostBlocks is how many blocks a grid has at most along y and z.
const mostBlocks = 65535

// An Epilogue says what a product P does before it is stored in C, as kernel.Epilogue:
//
//	V = P [+ Bias] [+ Base];  Pre = V;  C = Activation(V)
type Epilogue struct {
	Base       Matrix  // [m, n], such as C itself, whose Col is 1; At 0 for none
	Bias       Address // [n], added to every row; 0 for none
	Activation int     // the number of a kernel.Activation, 0 for none
	Pre        Address // unless 0, laid out as C, receives V
}

// arguments returns e as kernels take it.
func (e Epilogue) arguments() []any {
	return []any{e.Bias, e.Base.At, int64(e.Base.Row), int64(e.Base.Batch), e.Pre, int32(e.Activation)}
}

// from returns the epilogue of products from number z of c's on.
func (e Epilogue) from(z int, c Matrix) Epilogue {
	if e.Pre != 0 {
		e.Pre += Address(4 * z * c.Batch)
	}
	if e.Base.At != 0 {
		e.Base = e.Base.from(z)
	}
	return e
}

// A Format is what the factors of products are rounded to, to the nearest. Products of two
// are exact, and sums are float32.
type Format int

// The formats. Those that round use tensor cores.
const (
	Float32 Format = iota // as they are
	BF16                  // bfloat16: 8 bits of precision. Ties go to even
	TF32                  // 11 bits, with the exponents of float32. Ties go away from 0
)

// suffix is what names of kernels have for a format.
func (f Format) suffix() string { return [...]string{"", "_bf16", "_tf32"}[f] }

// Product sets C = A B, or what e makes of it, for each of batch products of [m, k] by
// [k, n], whose factors are rounded to a format. Col of c must be 1. Each element is one sum
// in an order that k alone decides, whichever kernel the sizes choose.
func Product(d Device, in Format, c, a, b Matrix, e Epilogue, batch, m, n, k int) error {
	switch {
	case in == Float32 && min(m, n) <= 2*smallTile:
		return product(d, "product_small", smallTile, c, a, b, e, batch, m, n, k)
	case large(batch, m, n):
		return product(d, "product"+in.suffix()+"_large", largeTile, c, a, b, e, batch, m, n, k)
	}
	return product(d, "product"+in.suffix(), tile, c, a, b, e, batch, m, n, k)
}

// large reports whether products have large blocks, and enough of them.
func large(batch, m, n int) bool {
	return min(m, n) >= largeTile && ceilDiv(m, largeTile)*ceilDiv(n, largeTile)*batch >= processors
}

// product launches a kernel whose blocks compute size rows and columns of C each.
func product(d Device, kernel string, size int, c, a, b Matrix, e Epilogue, batch, m, n, k int) error {
	if batch == 0 || m == 0 || n == 0 {
		return nil
	}
	if batch > mostBlocks {
		half := batch / 2
		if err := product(d, kernel, size, c, a, b, e, half, m, n, k); err != nil {
			return err
		}
		return product(d, kernel, size, c.from(half), a.from(half), b.from(half), e.from(half, c), batch-half, m, n, k)
	}
	return d.Launch(kernel, [3]int{ceilDiv(m, size), ceilDiv(n, size), batch}, [3]int{threads, 1, 1}, append([]any{c.At, a.At, b.At,
		int32(m), int32(n), int32(k), int64(a.Row), int64(a.Col), int64(a.Batch), int64(b.Row), int64(b.Col), int64(b.Batch),
		int64(c.Row), int64(c.Batch)}, e.arguments()...)...)
}
