package kernel

import "math"

// value returns a(x); see the constants for the formulas.
func (a Activation) value(x float64) float64 {
	switch a {
	case Sigmoid:
		return 1 / (1 + math.Exp(-x))
	case SiLU:
		return x / (1 + math.Exp(-x))
	case GELU:
		return x * math.Erfc(-x/math.Sqrt2) / 2
	case ReLU:
		return relu(x)
	case ReLU2:
		return relu(x) * relu(x)
	case Tanh:
		return math.Tanh(x)
	case Laplace:
		return math.Erfc(-(x-laplaceMean)/(laplaceDeviation*math.Sqrt2)) / 2
	case GELUTanh:
		u, _ := geluTanhArgument(x)
		return x / (1 + math.Exp(-u))
	}
	return x
}

// derivative returns a'(x), zero at the corners of ReLU and ReLU2, and at
// infinities the limit.
func (a Activation) derivative(x float64) float64 {
	if a == SiLU || a == GELU || a == GELUTanh {
		x = max(-100, min(x, 100)) // all but constant beyond
	}
	switch a {
	case Sigmoid:
		return sigmoidDerivative(x)
	case SiLU:
		return 1/(1+math.Exp(-x)) + x*sigmoidDerivative(x)
	case GELU:
		return math.Erfc(-x/math.Sqrt2)/2 + x*math.Exp(-x*x/2)/math.Sqrt(2*math.Pi)
	case ReLU:
		return step(x)
	case ReLU2:
		return 2 * relu(x)
	case Tanh:
		return 4 * sigmoidDerivative(2*x)
	case Laplace:
		z := (x - laplaceMean) / (laplaceDeviation * math.Sqrt2)
		return math.Exp(-z*z) / (laplaceDeviation * math.Sqrt(2*math.Pi))
	case GELUTanh:
		u, du := geluTanhArgument(x)
		return 1/(1+math.Exp(-u)) + x*du*sigmoidDerivative(u)
	}
	return 1
}

// relu returns max(x, 0), and NaN for NaN.
func relu(x float64) float64 {
	if x < 0 {
		return 0
	}
	return x
}

// step returns 0 for x <= 0 and 1 otherwise, NaN included, as the reference's
// gradient of relu does.
func step(x float64) float64 {
	if x <= 0 {
		return 0
	}
	return 1
}

// sigmoidDerivative returns σ(x) (1 - σ(x)) = e / (1 + e)², e = exp(-|x|).
func sigmoidDerivative(x float64) float64 {
	e := math.Exp(-math.Abs(x))
	return e / ((1 + e) * (1 + e))
}

// geluTanhArgument returns u = 2 √(2/π) (x + 0.044715 x³) and du/dx: the
// approximation of GELU by tanh is x σ(u), since (1 + tanh(u/2)) / 2 = σ(u).
func geluTanhArgument(x float64) (u, du float64) {
	c := 2 * math.Sqrt(2/math.Pi)
	return c * (x + 0.044715*x*x*x), c * (1 + 3*0.044715*x*x)
}

func activateGeneric(a Activation, dst, x []float32) {
	for i, v := range x {
		dst[i] = float32(a.value(float64(v)))
	}
}

func activateGradGeneric(a Activation, dx, dy, x []float32) {
	for i, v := range x {
		dx[i] = dy[i] * float32(a.derivative(float64(v)))
	}
}
