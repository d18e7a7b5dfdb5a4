package kernels

// Products of small results over many rows, as gradients of weights are: the blocks of C
// alone would not keep a device busy. Each then takes a part of the inner dimension, and
// the parts of a sum are added up in their order.

// A split is how the inner dimension of a product is cut.
type split struct {
	size  int // rows and columns of C of a block
	depth int // of a part; the last may have less
	parts int
}

// leastDepth is the least depth of a part: shorter ones would mostly write their sums.
const leastDepth = 256

// splitOf returns how C [m, n] over k is cut, into one part where that is best.
func splitOf(m, n, k int) split {
	s := split{size: tile, depth: k, parts: 1}
	if min(m, n) >= largeTile {
		s.size = largeTile
	}
	blocks := ceilDiv(m, s.size) * ceilDiv(n, s.size)
	parts := min(2*processors/max(1, blocks), k/leastDepth)
	if parts < 2 {
		return s
	}
	// Kernels take the inner dimension in steps: 32 is the longest, of bfloat16, and a multiple
	// of the others. So only the last part can end within a step.
	const step = 32
	s.depth = ceilDiv(ceilDiv(k, parts), step) * step
	s.parts = ceilDiv(k, s.depth)
	return s
}

// SplitParts returns how many numbers of memory SplitProduct needs for C [m, n] over k: 0
// where Product serves as well.
func SplitParts(m, n, k int) int {
	if s := splitOf(m, n, k); s.parts > 1 {
		return s.parts * m * n
	}
	return 0
}

// SplitProduct sets C = A B, or what e makes of it, for one product of [m, k] by [k, n],
// whose factors are rounded to a format. parts is memory of SplitParts numbers, of which
// there must be some. Each element is the sum of sums over parts of k, in an order that the
// shape decides.
func SplitProduct(d Device, in Format, c, a, b Matrix, parts Address, e Epilogue, m, n, k int) error {
	s := splitOf(m, n, k)
	kernel := "product" + in.suffix()
	if s.size == largeTile {
		kernel += "_large"
	}
	sums := Matrix{At: parts, Row: n, Col: 1, Batch: m * n}
	a.Batch, b.Batch = s.depth*a.Col, s.depth*b.Row
	whole, rest := k/s.depth, k%s.depth
	if err := product(d, kernel, s.size, sums, a, b, Epilogue{}, whole, m, n, s.depth); err != nil {
		return err
	}
	if rest > 0 {
		if err := product(d, kernel, s.size, sums.from(whole), a.from(whole), b.from(whole), Epilogue{}, 1, m, n, rest); err != nil {
			return err
		}
	}
	args := append([]any{c.At, parts, int32(s.parts), int32(m), int32(n), int64(c.Row)}, e.arguments()...)
	return elements(d, "product_sum", m*n, args...)
}
