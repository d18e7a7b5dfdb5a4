// Package kernels holds the operations of the models as kernels for CUDA devices. They
// are written in CUDA C++ (*.cu) and compiled ahead of time to PTX (mega.ptx), which the
// driver of a device compiles for it when it is loaded. So neither a build nor a run
// needs a CUDA toolkit; go generate needs clang-22 alone.
//
// A function launches what its comment says on a Device and does not wait for it.
// Operands are addresses on the device, of float32 unless said otherwise. Matrices have
// rows of cols numbers, ld apart. The definitions are package kernel's, to which tests
// compare each of them.
package kernels

import _ "embed" // for PTX

//go:generate clang-22 -x cuda --cuda-device-only --cuda-gpu-arch=sm_80 -nocudainc -nocudalib -O3 -ffp-contract=off -fno-jump-tables -S -Xclang -target-feature -Xclang +ptx70 -o mega.ptx mega.cu

// PTX is the module of all kernels, for the driver of a device of compute capability
// 8.0 (Ampere, 2020) or later.
//
//go:embed mega.ptx
var PTX string

// A Device launches kernels, one after the other. Arguments are int32, uint32, int64,
// uint64 (for addresses too) or float32.
type Device interface {
	Launch(kernel string, grid, block [3]int, args ...any) error
}

// An Address is where something is on the device; 0 is nowhere.
type Address = uint64

// What the kernels are compiled for (common.h, product.cu).
const (
	threads   = 256 // of a block
	warps     = threads / 32
	tile      = 64
	smallTile = 16
	largeTile = 128

	// partRows is how many rows the blocks of a sum over rows take each.
	partRows = 128
)

func ceilDiv(a, b int) int { return (a + b - 1) / b }

// elements launches a kernel with a thread for each of n elements.
func elements(d Device, kernel string, n int, args ...any) error {
	if n == 0 {
		return nil
	}
	return d.Launch(kernel, [3]int{ceilDiv(n, threads), 1, 1}, [3]int{threads, 1, 1}, args...)
}

// rowsOf launches a kernel with a warp for each row.
func rowsOf(d Device, kernel string, rows int, args ...any) error {
	if rows == 0 {
		return nil
	}
	return d.Launch(kernel, [3]int{ceilDiv(rows, warps), 1, 1}, [3]int{threads, 1, 1}, args...)
}

// partsOf launches a kernel with a thread for each column of each part of the rows.
func partsOf(d Device, kernel string, rows, cols int, args ...any) error {
	if rows == 0 || cols == 0 {
		return nil
	}
	return d.Launch(kernel, [3]int{ceilDiv(cols, threads), Parts(rows), 1}, [3]int{threads, 1, 1}, append(args, int32(partRows))...)
}

// Parts returns into how many parts a sum over rows is cut: sums over columns need
// memory for as many rows of results.
func Parts(rows int) int { return ceilDiv(rows, partRows) }

// Add sets dst = a + b, of n numbers.
func Add(d Device, dst, a, b Address, n int) error { return elements(d, "add", n, dst, a, b, int64(n)) }

// Multiply sets dst = a b, of n numbers.
func Multiply(d Device, dst, a, b Address, n int) error {
	return elements(d, "multiply", n, dst, a, b, int64(n))
}

// Scale sets dst = s x.
func Scale(d Device, dst, x Address, s float32, n int) error {
	return elements(d, "scale", n, dst, x, s, int64(n))
}

// AddScaled adds s x to dst.
func AddScaled(d Device, dst, x Address, s float32, n int) error {
	return elements(d, "add_scaled", n, dst, x, s, int64(n))
}

// Fill sets dst to v.
func Fill(d Device, dst Address, v float32, n int) error {
	return elements(d, "fill", n, dst, v, int64(n))
}

// ColumnSums sets dst [cols] to the sums of x's columns. parts is memory of
// Parts(rows)·cols numbers.
func ColumnSums(d Device, dst, x, parts Address, rows, cols, ldx int) error {
	if err := partsOf(d, "column_parts", rows, cols, parts, x, int32(rows), int32(cols), int32(ldx)); err != nil {
		return err
	}
	return sumParts(d, dst, parts, Parts(rows), cols, cols, false)
}

// SumParts adds count parts of n numbers each to dst, in their order.
func SumParts(d Device, dst, parts Address, count, n int) error {
	return sumParts(d, dst, parts, count, n, n, true)
}

// sumParts sets dst to the sum of count parts of n numbers each, which begin apart numbers
// from one another, or adds it.
func sumParts(d Device, dst, parts Address, count, n, apart int, accumulate bool) error {
	return elements(d, "sum_parts", n, dst, parts, int32(count), int64(n), int64(apart), flag(accumulate))
}

// ColumnMoments adds Σ x and Σ x² of each column to moments, float64 [2, cols]. parts is
// memory of 2·Parts(rows)·cols float64s.
func ColumnMoments(d Device, moments, x, parts Address, rows, cols, ldx int) error {
	if err := partsOf(d, "column_moment_parts", rows, cols, parts, x, int32(rows), int32(cols), int32(ldx)); err != nil {
		return err
	}
	return elements(d, "sum_parts_double", 2*cols, moments, parts, int32(Parts(rows)), int64(2*cols))
}

// BatchNormSums adds Σ dy and Σ dy (x - mean) of each column to sums, float64 [2, cols].
// parts is as for ColumnMoments.
func BatchNormSums(d Device, sums, dy, x, mean, parts Address, rows, cols, lddy, ldx int) error {
	if err := partsOf(d, "batch_norm_parts", rows, cols, parts, dy, x, mean, int32(rows), int32(cols), int32(lddy), int32(ldx)); err != nil {
		return err
	}
	return elements(d, "sum_parts_double", 2*cols, sums, parts, int32(Parts(rows)), int64(2*cols))
}

// ColumnAffine sets y = x scale + shift, of each column.
func ColumnAffine(d Device, y, x, scale, shift Address, rows, cols, ldy, ldx int) error {
	return elements(d, "column_affine", rows*cols, y, x, scale, shift, int32(rows), int32(cols), int32(ldy), int32(ldx))
}

// BatchNormGrad sets dx = factor (dy - meanDy - (x - mean) slope - rest) of each column,
// or adds it.
func BatchNormGrad(d Device, dx, dy, x, mean, factor, meanDy, slope, rest Address, rows, cols, lddx, lddy, ldx int, accumulate bool) error {
	return elements(d, "batch_norm_grad", rows*cols, dx, dy, x, mean, factor, meanDy, slope, rest,
		int32(rows), int32(cols), int32(lddx), int32(lddy), int32(ldx), flag(accumulate))
}

// Embed sets row i of dst to scale times the row of table that tokens[i] (int32) names.
func Embed(d Device, dst, table, tokens Address, rows, cols int, scale float32) error {
	return elements(d, "embed", rows*cols, dst, table, tokens, int32(rows), int32(cols), scale)
}

// EmbedGrad adds scale·dy's rows to the rows of table that tokens name. index holds the
// int32s of a TokenIndex, one array after the other.
func EmbedGrad(d Device, table, dy Address, t *TokenIndex, index Address, cols int, scale float32) error {
	if len(t.Tokens) == 0 || cols == 0 {
		return nil
	}
	starts := index + Address(4*len(t.Tokens))
	order := starts + Address(4*len(t.Starts))
	return d.Launch("embed_grad", [3]int{len(t.Tokens), ceilDiv(cols, threads), 1}, [3]int{threads, 1, 1},
		table, dy, index, starts, order, int32(cols), scale)
}

// A TokenIndex lists where each token occurs, so that a block can add up its gradient
// in order. How long its lists are depends on how many tokens there are, and not on which.
type TokenIndex struct {
	Tokens []int32 // that occur, rising, and then 0 for as many more as could
	Starts []int32 // of each token in Order, and the end of the last
	Order  []int32 // positions
}

// NewTokenIndex indexes tokens, those outside [0, vocabulary) and padding left out.
func NewTokenIndex(tokens []int32, vocabulary int, padding int32) *TokenIndex {
	counts := make([]int32, vocabulary)
	for _, t := range tokens {
		if t >= 0 && int(t) < vocabulary && t != padding {
			counts[t]++
		}
	}
	x := &TokenIndex{Starts: []int32{0}}
	next := make([]int32, vocabulary)
	for t, n := range counts {
		if n > 0 {
			end := x.Starts[len(x.Starts)-1]
			next[t] = end
			x.Tokens, x.Starts = append(x.Tokens, int32(t)), append(x.Starts, end+n)
		}
	}
	end := x.Starts[len(x.Starts)-1]
	for len(x.Tokens) < min(len(tokens), vocabulary) {
		x.Tokens, x.Starts = append(x.Tokens, 0), append(x.Starts, end)
	}
	x.Order = make([]int32, len(tokens)) // those beyond end are not read
	for i, t := range tokens {
		if t >= 0 && int(t) < vocabulary && t != padding {
			x.Order[next[t]] = int32(i)
			next[t]++
		}
	}
	return x
}

// flag returns a bool as kernels take it.
func flag(b bool) int32 {
	if b {
		return 1
	}
	return 0
}
