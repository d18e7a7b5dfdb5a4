package autograd

import (
	"math"

	"github.com/mega-go/mega/internal/kernel"
)

// The functions of this file serve searches, which choose tokens on the host:
// they work on log-probabilities that have left the tape.

// Max returns the greatest of x: −Inf if there is none, NaN if any is NaN.
func Max(x []float32) float32 { return kernel.Max(x) }

// AddScaled adds s·x[i] to dst[i].
func AddScaled(dst []float32, s float32, x []float32) { kernel.Axpy(dst, s, x) }

// Temper multiplies each row of logarithms by factor and normalises it again.
func Temper(x []float32, rows int, factor float32) {
	kernel.Scale(x, x, factor)
	cols := len(x) / rows
	for r := range rows {
		row := x[r*cols:][:cols]
		kernel.LogSoftmaxRow(row, row)
	}
}

// LogAddExp sets a to log(exp a + exp b), relative to the larger of the two:
// log1p(exp(−|a − b|)) is what it gains. scratch is of their length and is
// overwritten.
func LogAddExp(a, b, scratch []float32) {
	for i := range scratch {
		scratch[i] = -abs32(a[i] - b[i])
	}
	kernel.Exp(scratch, scratch)
	for i, g := range scratch {
		if high := max(a[i], b[i]); math.IsInf(float64(high), -1) {
			a[i] = high
		} else {
			a[i] = high + float32(math.Log1p(float64(g)))
		}
	}
}

func abs32(x float32) float32 { return math.Float32frombits(math.Float32bits(x) &^ (1 << 31)) }
