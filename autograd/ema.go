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
	// Swapped exchanges the parts of Alpha and Delta, and Shifted has the averages
	// from the right begin at the next step, as in the model of images
	// (exponential_moving_average.py:56-112 of XuezheMax/mega-image).
	Swapped, Shifted bool
}

func (p EMAParameters) list() []*Variable {
	return []*Variable{p.Delta, p.Alpha, p.Beta, p.Gamma, p.Omega}
}

// EMA returns Σ_n γ_n h_n/√N + ω x for x [B, L, D], where h is the damped
// average of paper equations 5 and 6: what the reference passes to silu
// (exponential_moving_average.py:175-214). Positions where mask [B·L] is true
// count as zero in the average; nil stands for none. x must not be a range of
// columns.
//
// With a state x is the next L positions of B texts, whose state moves past
// them; there is no truncation (exponential_moving_average.py:109-156) and no
// gradient. A nil state stands for sequences that begin here.
func (t *Tape) EMA(x *Variable, mask []bool, p EMAParameters, c EMAConfig, state *EMAState) *Variable {
	if !t.value(x).Contiguous() {
		panic("autograd: EMA of a range of columns")
	}
	start := t.start()
	out := t.allocLike(x)
	if state != nil {
		t.carries("EMA")
		t.ops.continueAverage(out.value, t.value(x), mask, x.shape[0], x.shape[1], state)
	} else {
		t.emaWhole(out, x, mask, p, c)
	}
	t.stop("ema", start)
	return out
}

// carries panics if the tape records an operation that goes on from a state:
// Backward would have to go back to before it.
func (t *Tape) carries(op string) {
	if t.record {
		panic("autograd: " + op + " from a state has no gradient")
	}
}

// emaWhole is EMA for sequences that begin here.
func (t *Tape) emaWhole(out, x *Variable, mask []bool, p EMAParameters, c EMAConfig) {
	reads := append(p.list(), x)
	record := t.wants(reads...)
	batch, length := x.shape[0], x.shape[1]
	saved := t.ops.ema(out.value, t.value(x), mask, batch, length, p, c, record)
	if !record {
		return
	}
	t.push("ema", out, reads, func() {
		var dparams [5]*tensor.Tensor
		for i, v := range p.list() {
			dparams[i] = t.zeroedGrad(v)
		}
		dy := t.outGrad(out)
		t.addGrads(func(d []*tensor.Tensor) {
			t.ops.emaGrad(d[0], dparams, dy, t.value(x), mask, batch, length, p, c, saved)
		}, x)
	})
}

func (h *host) ema(dst, x *tensor.Tensor, mask []bool, batch, length int, p EMAParameters, c EMAConfig, record bool) *kernel.EMACoefficients {
	coef := h.tape().borrowCoefficients()
	coef.Set(h.workers, c.shape(x.Cols()), p.numbers())
	kernel.EMAForward(h.workers, dst.Data(), x.Data(), mask, batch, length, coef)
	if !record {
		h.coefficients = append(h.coefficients, coef)
	}
	return coef
}

func (c EMAConfig) shape(channels int) kernel.EMAShape {
	return kernel.EMAShape{
		Channels: channels, States: c.States, Bidirectional: c.Bidirectional,
		Truncation: c.Truncation, Swapped: c.Swapped, Shifted: c.Shifted,
	}
}

func (h *host) emaGrad(dx *tensor.Tensor, dparams [5]*tensor.Tensor, dy, x *tensor.Tensor, mask []bool, batch, length int, _ EMAParameters, _ EMAConfig, saved *kernel.EMACoefficients) {
	grads := kernel.EMAParams{
		Delta: dparams[0].Data(), Alpha: dparams[1].Data(), Beta: dparams[2].Data(),
		Gamma: dparams[3].Data(), Omega: dparams[4].Data(),
	}
	kernel.EMABackward(h.workers, dx.Data(), &grads, dy.Data(), x.Data(), mask, batch, length, saved)
	h.coefficients = append(h.coefficients, saved)
}

// numbers returns the parameters' numbers. It panics if one is no leaf.
func (p EMAParameters) numbers() kernel.EMAParams {
	for _, v := range p.list() {
		if !v.leaf {
			panic("autograd: EMA with a parameter that is no leaf")
		}
	}
	return kernel.EMAParams{
		Delta: p.Delta.Value().Data(), Alpha: p.Alpha.Value().Data(), Beta: p.Beta.Value().Data(),
		Gamma: p.Gamma.Value().Data(), Omega: p.Omega.Value().Data(),
	}
}

func (h *host) continueAverage(dst, x *tensor.Tensor, mask []bool, batch, length int, s *EMAState) {
	kernel.EMAStep(h.workers, dst.Data(), x.Data(), mask, s.averages.Data(), batch, length, s.average.coefficients)
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
