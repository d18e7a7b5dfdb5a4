package kernel

import "math"

// SoftmaxRow sets dst[i] = e^x[i] / Σ e^x and returns log Σ e^x, with which
// ExpSubRow computes the same dst again. An element -Inf has exactly the
// probability 0. If all elements are -Inf, dst is all zeros and the result
// -Inf; an element that is NaN or +Inf makes NaN of the row. dst may be x.
func SoftmaxRow(dst, x []float32) float32 {
	checkLengths(len(dst), len(x))
	m := maximum(x)
	if m == negativeInfinity {
		fill(dst, 0)
		return m
	}
	total := expSubBlocks(dst, x, m)
	scale(dst, dst, float32(1/total))
	return float32(float64(m) + math.Log(total))
}

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

// SoftmaxGradRow is the backward pass of SoftmaxRow, p being its dst:
//
//	dx[i] = p[i] (dp[i] - Σ p dp)
//
// dx may be p or dp.
func SoftmaxGradRow(dx, p, dp []float32) {
	checkLengths(len(dx), len(p), len(dp))
	softmaxGradApply(dx, p, dp, Dot(p, dp))
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
