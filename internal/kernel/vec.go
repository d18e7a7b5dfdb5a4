package kernel

import "fmt"

// The functions of this file work on whole slices, serially: callers spread
// rows over workers. All slices of a call have one length, any length, and a
// destination may be one of the sources. NaN and infinities come out as the
// formula has it.

// checkLengths panics unless all the lengths equal the first: slices that do
// not match are a mistake of the calling package, never of a user.
func checkLengths(n int, others ...int) {
	for _, o := range others {
		if o != n {
			panic(fmt.Sprintf("kernel: slices of lengths %d and %d do not match", n, o))
		}
	}
}

// Add sets dst[i] = a[i] + b[i].
func Add(dst, a, b []float32) {
	checkLengths(len(dst), len(a), len(b))
	add(dst, a, b)
}

// Mul sets dst[i] = a[i] b[i].
func Mul(dst, a, b []float32) {
	checkLengths(len(dst), len(a), len(b))
	mul(dst, a, b)
}

// Scale sets dst[i] = s a[i].
func Scale(dst, a []float32, s float32) {
	checkLengths(len(dst), len(a))
	scale(dst, a, s)
}

// Axpy adds s x[i] to dst[i].
func Axpy(dst []float32, s float32, x []float32) {
	checkLengths(len(dst), len(x))
	axpy(dst, s, x)
}

// AddScalar sets dst[i] = a[i] + s.
func AddScalar(dst, a []float32, s float32) {
	checkLengths(len(dst), len(a))
	addScalar(dst, a, s)
}

// Fill sets dst[i] = v.
func Fill(dst []float32, v float32) { fill(dst, v) }

// Exp sets dst[i] = e^x[i], with a relative error of at most 1.2e-7; results
// below 1.7e-38 become 0.
func Exp(dst, x []float32) {
	checkLengths(len(dst), len(x))
	exp(dst, x)
}

// sumBlock is how many elements are summed in float32; the sums of blocks are
// added in float64.
const sumBlock = 4096

// Dot returns Σ a[i] b[i], in an order that depends on nothing but their length and
// the implementation.
func Dot(a, b []float32) float32 {
	checkLengths(len(a), len(b))
	var total float64
	for len(a) > 0 {
		n := min(len(a), sumBlock)
		total += float64(dot(a[:n], b[:n]))
		a, b = a[n:], b[n:]
	}
	return float32(total)
}

// SumSquares returns Σ x[i]², multiplied and added in float64, in a fixed
// order: the squares of norms of gradients neither overflow nor vanish.
func SumSquares(x []float32) float64 { return sumSquares(x) }

// Max returns the greatest element of x: -Inf if there is none, NaN if any
// element is NaN.
func Max(x []float32) float32 { return maximum(x) }
