package naive

import (
	"fmt"
	"math"
)

// Mean and standard deviation of the Laplace attention function, with the six
// digits that the reference has (utils.py:455) and not √½ and √(1/4π) of the
// paper: trained weights depend on them.
const (
	LaplaceMu    = 0.707107
	LaplaceSigma = 0.282095
)

// Sigmoid returns σ(x) = 1 / (1 + e^−x).
func Sigmoid(x *Matrix) *Matrix {
	return Map(x, func(x float64) (y, dy float64) {
		y = sigmoid(x)
		return y, y * (1 - y)
	})
}

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

// SiLU returns x·σ(x), the φ_silu of the paper.
func SiLU(x *Matrix) *Matrix {
	return Map(x, func(x float64) (y, dy float64) {
		s := sigmoid(x)
		return x * s, s * (1 + x*(1-s))
	})
}

// ReLU returns max(x, 0).
func ReLU(x *Matrix) *Matrix {
	return Map(x, func(x float64) (y, dy float64) {
		if x <= 0 {
			return 0, 0
		}
		return x, 1
	})
}

// GELU returns x·Φ(x) = ½ x (1 + erf(x/√2)), the exact form (gelu.py:24).
func GELU(x *Matrix) *Matrix {
	return Map(x, func(x float64) (y, dy float64) {
		phi := 0.5 * (1 + math.Erf(x/math.Sqrt2))
		return x * phi, phi + x*math.Exp(-x*x/2)/math.Sqrt(2*math.Pi)
	})
}

// GELUTanh returns ½ x (1 + tanh(√(2/π)(x + 0.044715 x³))), which the reference
// calls gelu_accurate (gelu.py:15).
func GELUTanh(x *Matrix) *Matrix {
	a := math.Sqrt(2 / math.Pi)
	return Map(x, func(x float64) (y, dy float64) {
		t := math.Tanh(a * (x + 0.044715*x*x*x))
		return 0.5 * x * (1 + t), 0.5*(1+t) + 0.5*x*(1-t*t)*a*(1+3*0.044715*x*x)
	})
}

// ReLU2 returns max(x, 0)², the attention function f_relu² (utils.py:444).
func ReLU2(x *Matrix) *Matrix {
	r := ReLU(x)
	return Mul(r, r)
}

// Laplace returns ½ (1 + erf((x − μ)/(σ√2))), the attention function f_laplace
// (utils.py:455).
func Laplace(x *Matrix) *Matrix {
	return Map(x, func(x float64) (y, dy float64) {
		t := (x - LaplaceMu) / (LaplaceSigma * math.Sqrt2)
		return 0.5 * (1 + math.Erf(t)), math.Exp(-t*t) / (LaplaceSigma * math.Sqrt(2*math.Pi))
	})
}

// Softmax returns e^x / Σ e^x over each row. A row of −Inf alone gives NaN.
func Softmax(x *Matrix) *Matrix {
	e := Exp(Sub(x, rowMax(x)))
	return Div(e, RowSum(e))
}

// LogSoftmax returns x − log Σ e^x over each row.
func LogSoftmax(x *Matrix) *Matrix {
	d := Sub(x, rowMax(x))
	return Sub(d, Log(RowSum(Exp(d))))
}

// rowMax returns the largest element of each row as a constant: Softmax and
// LogSoftmax do not depend on what is subtracted.
func rowMax(x *Matrix) *Matrix {
	return FromFunc(x.Rows, 1, func(i, _ int) float64 {
		m := math.Inf(-1)
		for _, v := range x.Row(i) {
			m = math.Max(m, v)
		}
		return m
	})
}

// Activation returns the function with the reference's name (utils.py:490).
func Activation(name string) (func(*Matrix) *Matrix, error) {
	switch name {
	case "silu":
		return SiLU, nil
	case "relu":
		return ReLU, nil
	case "gelu":
		return GELU, nil
	case "gelu_accurate", "gelu_fast":
		return GELUTanh, nil
	case "linear":
		return func(x *Matrix) *Matrix { return x }, nil
	}
	return nil, fmt.Errorf("naive: unknown activation %q", name)
}
