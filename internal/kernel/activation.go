package kernel

import (
	"fmt"
	"strings"
)

// An Activation is one of the elementwise functions that the reference's
// models apply between matrix products, or to attention scores.
type Activation int

const (
	Identity Activation = iota // x
	Sigmoid                    // σ(x) = 1 / (1 + e^-x)
	SiLU                       // x σ(x)
	GELU                       // x Φ(x) = x (1 + erf(x/√2)) / 2, the exact form
	ReLU                       // max(x, 0)
	ReLU2                      // max(x, 0)²
	Tanh                       // tanh(x)
	Laplace                    // (1 + erf((x - 0.707107) / (0.282095 √2))) / 2
	GELUTanh                   // x (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2
)

// laplaceMean and laplaceDeviation are the constants of the reference's
// laplace (fairseq/utils.py:455), six digits of √½ and √(1/4π) as there.
const (
	laplaceMean      = 0.707107
	laplaceDeviation = 0.282095
)

// activationNames holds each activation's name as the reference spells it
// (fairseq/utils.py:490); "linear" is the identity and "gelu_accurate" the
// approximation by tanh.
var activationNames = [...]string{
	Identity: "linear",
	Sigmoid:  "sigmoid",
	SiLU:     "silu",
	GELU:     "gelu",
	ReLU:     "relu",
	ReLU2:    "relu2",
	Tanh:     "tanh",
	Laplace:  "laplace",
	GELUTanh: "gelu_accurate",
}

// ParseActivation returns the activation that the reference calls name. It
// also takes "gelu_fast", the reference's old name for "gelu_accurate".
func ParseActivation(name string) (Activation, error) {
	for a, n := range activationNames {
		if n == name {
			return Activation(a), nil
		}
	}
	if name == "gelu_fast" {
		return GELUTanh, nil
	}
	return Identity, fmt.Errorf("unknown activation %q: want one of %s", name, strings.Join(activationNames[:], ", "))
}

// String returns the reference's name of a, which ParseActivation takes.
func (a Activation) String() string {
	if a < 0 || int(a) >= len(activationNames) {
		return fmt.Sprintf("Activation(%d)", int(a))
	}
	return activationNames[a]
}

// Activate sets dst[i] = a(x[i]). dst may be x.
//
// The error is at most 2e-7 of the value for sigmoid, silu and tanh, 1e-7 of the
// value plus 1e-7 for both kinds of gelu, and 1e-7 for laplace. A sigmoid below
// 2e-38 may come out as 0, and silu as if it had. silu and gelu of -Inf are NaN,
// as in the reference.
func Activate(a Activation, dst, x []float32) {
	checkLengths(len(dst), len(x))
	activate(a, dst, x)
}

// ActivateGrad sets dx[i] = dy[i] a'(x[i]), where x is what the activation was
// applied to. dx may be dy or x.
//
// The error of a' is at most 3e-7 of the value for sigmoid and tanh, 2e-7 of the
// value plus 5e-8 for silu, 1e-7 of the value plus 1e-7 for both kinds of gelu,
// and 3e-7 for laplace, whose derivative reaches 1.4. At infinities a' is its
// limit.
func ActivateGrad(a Activation, dx, dy, x []float32) {
	checkLengths(len(dx), len(dy), len(x))
	activateGrad(a, dx, dy, x)
}
