package naive

import "math"

// Bias gives the relative position bias of n positions, [n×n], or of n queries
// and keys up to n (paper, b_rel; relative_positional_bias.py).
type Bias func(n int) *Matrix

// SimpleBias is one learned number an offset: bias[i,j] = w[M−1+j−i] for w
// [1×(2M−1)] (relative_positional_bias.py:26). n may not exceed M.
func SimpleBias(w *Matrix) Bias {
	m := (w.Cols + 1) / 2
	return func(n int) *Matrix {
		if n > m {
			panic("naive: sequence is longer than the relative position bias")
		}
		return Gather(w, n, n, func(i, j int) int { return m - 1 + j - i })
	}
}

// RotaryBias is bias[i,j] = ⟨R_i·alpha, R_j·beta⟩ for alpha and beta [1×Z], where
// R_m turns the pair (x_k, x_{k+Z/2}) by the angle m·10000^(−k/(Z/2))
// (relative_positional_bias.py:66; Su et al. 2021).
func RotaryBias(alpha, beta *Matrix) Bias {
	return func(n int) *Matrix { return MatMul(rotate(alpha, n), Transpose(rotate(beta, n))) }
}

// rotate returns the n×Z rows R_0·x … R_{n−1}·x of x [1×Z].
func rotate(x *Matrix, n int) *Matrix {
	half := x.Cols / 2
	angle := func(m, k int) float64 { return float64(m) * math.Pow(10000, -float64(k)/float64(half)) }
	sin := FromFunc(n, half, func(m, k int) float64 { return math.Sin(angle(m, k)) })
	cos := FromFunc(n, half, func(m, k int) float64 { return math.Cos(angle(m, k)) })
	x1, x2 := Cols(x, 0, half), Cols(x, half, x.Cols)
	return ConcatCols(Sub(Mul(x1, cos), Mul(x2, sin)), Add(Mul(x2, cos), Mul(x1, sin)))
}
