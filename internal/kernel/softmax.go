package kernel

import "math"

var negativeInfinity = float32(math.Inf(-1))

// ExpSubRow sets dst[i] = e^(x[i]-c) and returns the sum of dst, in a fixed
// order. dst may be x.
func ExpSubRow(dst, x []float32, c float32) float32 {
	checkLengths(len(dst), len(x))
	return float32(expSubBlocks(dst, x, c))
}

func expSubBlocks(dst, x []float32, c float32) float64 {
	var total float64
	for len(x) > 0 {
		n := min(len(x), sumBlock)
		total += float64(expSub(dst[:n], x[:n], c))
		dst, x = dst[n:], x[n:]
	}
	return total
}

// LogSumExp returns log Σ e^x[i], -Inf if there is no element above that.
func LogSumExp(x []float32) float32 {
	m := maximum(x)
	if m == negativeInfinity {
		return m
	}
	var total float64
	for len(x) > 0 {
		n := min(len(x), sumBlock)
		total += float64(sumExpSub(x[:n], m))
		x = x[n:]
	}
	return float32(float64(m) + math.Log(total))
}

// LogSoftmaxRow sets dst[i] = x[i] - log Σ e^x and returns that logarithm. If
// all elements are -Inf, so are dst and the result. dst may be x.
func LogSoftmaxRow(dst, x []float32) float32 {
	checkLengths(len(dst), len(x))
	l := LogSumExp(x)
	if l == negativeInfinity {
		fill(dst, l)
		return l
	}
	addScalar(dst, x, -l)
	return l
}
