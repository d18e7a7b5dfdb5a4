package kernel

import "unsafe"

// emaSteps is the most steps that a kernel takes at once: few enough for the
// rows to stay in the first-level cache and for the drift of the rounded decays
// and the rounding of float32 sums to stay small.
const emaSteps = 64

// emaRows are equally spaced rows of a group's channels, in the order in which
// a scan meets them: row i begins at data[first+i*stride].
type emaRows struct {
	data          []float32
	first, stride int
}

// from returns the rows from i on.
func (r emaRows) from(i int) emaRows {
	r.first += i * r.stride
	return r
}

// row returns n channels of row i.
func (r emaRows) row(i, n int) []float32 { return r.data[r.first+i*r.stride:][:n] }

// at returns one channel of row i.
func (r emaRows) at(i, channel int) float32 { return r.data[r.first+i*r.stride+channel] }

// reversed returns the first n rows from the last to the first.
func (r emaRows) reversed(n int) emaRows {
	return emaRows{data: r.data, first: r.first + (n-1)*r.stride, stride: -r.stride}
}

// check panics unless there are that many rows of n channels, because kernels in
// assembly do not check.
func (r *emaRows) check(rows, n int) {
	last := r.first + (rows-1)*r.stride
	_, _ = r.data[min(r.first, last)], r.data[max(r.first, last)+n-1]
}

// emaNothing is any number of rows of zeros.
func emaNothing() emaRows { return emaRows{data: emaZeros[:]} }

var emaZeros [emaGroup]float32

// emaBlock is what the kernels of the two directions of a scan have in common.
// The order of the fields is known to _asm/ema.go.
type emaBlock struct {
	steps  int // at least 1, at most emaSteps
	lanes  int // channels; a multiple of the register's, in assembly
	plain  int // averages without truncation, the first ones
	lagged int // averages with truncation, the others

	half float32 // half of steps

	x   emaRows // what the averages take in
	lag emaRows // the same, a truncation earlier

	decay, drift, lagDecay []float32 // [N][16], of EMACoefficients

	scratch []float32 // [emaSteps][32], 64-byte aligned

	ahead emaAhead
}

// emaAhead is what a block asks for of the rows that the task takes a block
// later: of x and of y or ds, for each step one cache line. All groups of the
// task share its rows out, each taking some whole ones, since memory brings
// what is asked for in its order soonest.
type emaAhead struct {
	x, y  uintptr // addresses of the first lines, which need not exist
	left  int     // lines from there to the end of the row
	lines int     // of a row
	gap   int     // bytes from the end of a row to the beginning of the next
}

// share sets all but the addresses to the k-th share of n, and returns how far
// the first line is from the k-th group's channels in the present row, in
// numbers.
func (a *emaAhead) share(k, n, stride int) int {
	row, line := k*emaSteps/n, k*emaSteps%n
	a.left, a.lines, a.gap = n-line, n, 4*(stride-n*emaGroup)
	return (emaSteps+row)*stride + (line-k)*emaGroup
}

// address returns the address of the number that lies after others behind row i.
func (r *emaRows) address(i, after int) uintptr {
	return uintptr(unsafe.Pointer(unsafe.SliceData(r.data))) + uintptr(4*(r.first+i*r.stride+after))
}

// emaScan is a block of y_t = scale·from_t + Σ_n c_n g_n(t). y may be from.
type emaScan struct {
	emaBlock
	from   emaRows
	y      emaRows
	scale  []float32 // [16]
	output []float32 // c [N][16]
	state  []float32 // g [N][16]
}

// emaGradient is a block of the sums dc_n += Σ_t ds_t g_n(t) and
// dq_n += Σ_t ds_t w_n(t), w_n being g_n's derivative by q_n.
type emaGradient struct {
	emaBlock
	ds       emaRows
	lagSlope []float32 // K q^(K−1) [N][16]
	g, w     []float32 // [N][16]
	dc, dq   []float64 // [N][16]
}

// emaDot is a block of the sums Σ_t ds_t x_t of each channel.
type emaDot struct {
	steps, lanes int
	x, ds        emaRows
	sum          []float64 // [16]
}
