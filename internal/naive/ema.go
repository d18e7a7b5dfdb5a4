package naive

import "math"

// EMA is the multi-dimensional damped exponential moving average of the paper.
// With σ the sigmoid, channel d keeps N averages
//
//	p = σ(delta), q = 1 − p·σ(alpha)
//	h_t = p·beta·x_t + q·h_{t−1}
//	y_t = Σ_n gamma_n/√N · h_{t,n}
//
// (exponential_moving_average.py:77, :37). The paper's α is delta here and its δ is alpha.
type EMA struct {
	// Delta, Alpha, Beta, Gamma are [K×N], K = D, or K = 2D for both directions:
	// the D rows that run forward, then the D that run backward (exponential_moving_average.py:201).
	Delta, Alpha, Beta, Gamma *Matrix
	Omega                     *Matrix // [1×D]
	// Truncation is the number of taps that the convolution keeps, when it is
	// positive and less than L. Step does not truncate.
	Truncation int
	// Shifted leaves lag 0 out of the backward direction, so that it counts once
	// and not twice (exponential_moving_average.py of XuezheMax/mega-image).
	Shifted bool
}

// coefficients returns p·beta, q and gamma/√N, each [K×N].
func (e EMA) coefficients() (input, decay, output *Matrix) {
	p := Sigmoid(e.Delta)
	decay = Offset(Scale(Mul(p, Sigmoid(e.Alpha)), -1), 1)
	return Mul(p, e.Beta), decay, Scale(e.Gamma, math.Sqrt(1/float64(e.Gamma.Cols)))
}

// Kernel returns the averages as taps of a convolution, [T×K] with
// T = min(L, Truncation): k_t = Σ_n p_n beta_n gamma_n/√N · q_n^t (exponential_moving_average.py:87).
func (e EMA) Kernel(length int) *Matrix {
	if e.Truncation > 0 {
		length = min(length, e.Truncation)
	}
	input, decay, output := e.coefficients()
	weight := Mul(input, output)
	taps := make([]*Matrix, length)
	for t := range taps {
		taps[t] = Transpose(RowSum(Mul(weight, Pow(decay, float64(t)))))
	}
	return ConcatRows(taps...)
}

// Forward returns silu(convolution(x·(1−mask)) + omega∘x) for one sequence x
// [L×D]: padding is left out of the convolution and not of the residual
// (exponential_moving_average.py:175, :179, :214). mask may be nil.
func (e EMA) Forward(x *Matrix, mask []bool) *Matrix {
	return e.forward(x, mask, e.Kernel(x.Rows))
}

func (e EMA) forward(x *Matrix, mask []bool, kernel *Matrix) *Matrix {
	return SiLU(Add(e.Convolution(zeroRows(x, mask), kernel), Mul(x, e.Omega)))
}

// Convolution returns the moving average alone of one sequence x [L×D]: the
// causal convolution with the kernel's first D columns and, where it has 2D, the
// anticausal one with the others, lag 0 in both unless Shifted (exponential_moving_average.py:200).
func (e EMA) Convolution(x, kernel *Matrix) *Matrix {
	d := x.Cols
	y := Convolve(x, Cols(kernel, 0, d), func(tap int) int { return tap })
	if kernel.Cols == d {
		return y
	}
	first := 0
	if e.Shifted {
		first = 1
	}
	return Add(y, Convolve(x, Cols(kernel, d, 2*d), func(tap int) int { return -tap - first }))
}

// Convolve returns y [L×D] with y[t,d] = Σ_j k[j,d]·x[t−lag(j),d] for x [L×D] and
// k [T×D], where x counts as 0 outside of its rows.
func Convolve(x, k *Matrix, lag func(tap int) int) *Matrix {
	y := New(x.Rows, x.Cols, nil)
	each := func(f func(t, j, from int)) {
		for t := range x.Rows {
			for j := range k.Rows {
				if from := t - lag(j); from >= 0 && from < x.Rows {
					f(t, j, from)
				}
			}
		}
	}
	each(func(t, j, from int) {
		out, tap := y.Row(t), k.Row(j)
		for d, v := range x.Row(from) {
			out[d] += tap[d] * v
		}
	})
	y.operands = []*Matrix{x, k}
	y.backward = func() {
		each(func(t, j, from int) {
			dy, dk, dx := y.gradRow(t), k.gradRow(j), x.gradRow(from)
			in, tap := x.Row(from), k.Row(j)
			for d, v := range dy {
				dx[d] += v * tap[d]
				dk[d] += v * in[d]
			}
		})
	}
	return y
}

// Step returns silu(y_t + omega∘x_t) and the state h_t [D×N] for one position x
// [1×D] and the state before it, nil at the start: the recurrence as it stands
// in EMA's comment, in the forward direction only (exponential_moving_average.py:147).
func (e EMA) Step(x, state *Matrix) (y, next *Matrix) {
	input, decay, output := e.coefficients()
	next = Mul(input, Transpose(x))
	if state != nil {
		next = Add(next, Mul(decay, state))
	}
	y = Transpose(RowSum(Mul(next, output)))
	return SiLU(Add(y, Mul(x, e.Omega))), next
}

// zeroRows returns x with the masked rows at 0; a nil mask masks none.
func zeroRows(x *Matrix, mask []bool) *Matrix {
	if mask == nil {
		return x
	}
	return Fill(x, 0, func(i, _ int) bool { return mask[i] })
}
