package autograd

import (
	"github.com/mega-go/mega/internal/kernel"
	"github.com/mega-go/mega/tensor"
)

// EMAParameters are the learned numbers of a multi-dimensional damped moving
// average: Delta, Alpha, Beta [K, N, 1] and Gamma [K, N] with K = D, or 2D for
// both directions, and Omega [D]. All are leaves: the backward pass reads them
// where the forward pass did.
type EMAParameters struct {
	Delta, Alpha, Beta, Gamma, Omega *Variable
}

// EMAConfig says how a moving average runs.
type EMAConfig struct {
	States        int // N
	Bidirectional bool
	Truncation    int // steps it looks back, 0 or negative for all
}

func (p EMAParameters) list() []*Variable {
	return []*Variable{p.Delta, p.Alpha, p.Beta, p.Gamma, p.Omega}
}

// EMA returns Σ_n γ_n h_n/√N + ω x for x [B, L, D], where h is the damped
// average of paper equations 5 and 6: what the reference passes to silu
// (exponential_moving_average.py:175-214). Positions where mask [B·L] is true
// count as zero in the average; nil stands for none. x must not be a range of
// columns.
func (t *Tape) EMA(x *Variable, mask []bool, p EMAParameters, c EMAConfig) *Variable {
	checkEMA(t.value(x), p)
	start := t.start()
	batch, length, dim := x.shape[0], x.shape[1], x.shape[2]
	coef := t.borrowCoefficients()
	coef.Set(kernel.EMAShape{
		Channels: dim, States: c.States, Bidirectional: c.Bidirectional, Truncation: c.Truncation,
	}, t.emaNumbers(p))
	out := t.alloc(x.shape...)
	kernel.EMAForward(out.value.Data(), t.value(x).Data(), mask, batch, length, coef)
	reads := append(p.list(), x)
	if !t.wants(reads...) {
		t.coefficients = append(t.coefficients, coef)
		t.stop("ema", start)
		return out
	}
	t.push("ema", out, reads, func() {
		t.emaGrad(x, mask, p, out, coef)
		t.coefficients = append(t.coefficients, coef)
	})
	t.stop("ema", start)
	return out
}

// checkEMA panics on what an average cannot be computed from.
func checkEMA(x *tensor.Tensor, p EMAParameters) {
	if !x.Contiguous() {
		panic("autograd: EMA of a range of columns")
	}
	for _, v := range p.list() {
		if !v.leaf {
			panic("autograd: EMA with a parameter that is no leaf")
		}
	}
}

func (t *Tape) emaGrad(x *Variable, mask []bool, p EMAParameters, out *Variable, coef *kernel.EMACoefficients) {
	batch, length := x.shape[0], x.shape[1]
	grads := kernel.EMAParams{
		Delta: t.zeroedGrad(p.Delta).Data(), Alpha: t.zeroedGrad(p.Alpha).Data(), Beta: t.zeroedGrad(p.Beta).Data(),
		Gamma: t.zeroedGrad(p.Gamma).Data(), Omega: t.zeroedGrad(p.Omega).Data(),
	}
	ds := t.outGrad(out)
	t.addGrads(func(d []*tensor.Tensor) {
		kernel.EMABackward(d[0].Data(), &grads, ds.Data(), t.value(x).Data(), mask, batch, length, coef)
	}, x)
}

func (t *Tape) emaNumbers(p EMAParameters) kernel.EMAParams {
	return kernel.EMAParams{
		Delta: t.value(p.Delta).Data(), Alpha: t.value(p.Alpha).Data(), Beta: t.value(p.Beta).Data(),
		Gamma: t.value(p.Gamma).Data(), Omega: t.value(p.Omega).Data(),
	}
}

// borrowCoefficients returns coefficients to be set, used before if possible so
// that no memory is allocated.
func (t *Tape) borrowCoefficients() *kernel.EMACoefficients {
	if n := len(t.coefficients); n > 0 {
		c := t.coefficients[n-1]
		t.coefficients = t.coefficients[:n-1]
		return c
	}
	return new(kernel.EMACoefficients)
}
