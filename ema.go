package mega

import (
	"github.com/mega-go/mega/autograd"
	"github.com/mega-go/mega/nn"
)

// EMA is the multi-dimensional damped moving average (paper section 3.1;
// reference exponential_moving_average.py): every channel is expanded into N
// dimensions, each a damped average with its own decay, and projected back.
//
//	p = σ(δ), q = 1 − p·σ(α), h_t = p β x_t + q h_{t−1}, y_t = Σ_n γ_n h_t / √N
//	out = dropout(silu(y + ω x))
//
// Bidirectional averages have a second set of parameters that runs from the
// right; both include the present step. The model of images has a variant of it
// (autograd.EMAConfig).
type EMA struct {
	parameters autograd.EMAParameters
	config     autograd.EMAConfig
	beginning  *autograd.EMAState // of a layer made ready for sessions, else nil
}

// NewEMA registers the parameters for D channels (initial values:
// exponential_moving_average.py:59-72).
func NewEMA(p nn.Path, dim int, c autograd.EMAConfig) *EMA {
	rows, states := dim, c.States
	if c.Bidirectional {
		rows = 2 * dim
	}
	delta := p.Parameter("delta", nn.Normal(0, 0.2), rows, states, 1)
	alpha := p.Parameter("alpha", nn.Normal(0, 0.2), rows, states, 1)
	beta := p.Parameter("beta", nn.AlternatingNormal(0.02), rows, states, 1)
	gamma := p.Parameter("gamma", nn.Normal(0, 1), rows, states)
	omega := p.Parameter("omega", nn.Normal(0, 1), dim)
	return &EMA{
		parameters: autograd.EMAParameters{
			Delta: delta.Variable, Alpha: alpha.Variable, Beta: beta.Variable,
			Gamma: gamma.Variable, Omega: omega.Variable,
		},
		config: c,
	}
}

// Forward averages x [B, L, D]. Positions where mask [B·L] is true are padding:
// the average does not see them. With a state, otherwise nil, it continues from it.
func (e *EMA) Forward(t *autograd.Tape, x *autograd.Variable, mask []bool, state *autograd.EMAState, drop nn.Dropout) *autograd.Variable {
	return drop.ActivateForProducts(t, autograd.SiLU, t.EMA(x, mask, e.parameters, e.config, state))
}

// ready returns the layer with what sessions need of its parameters. A bidirectional
// one, which reads sources whole, needs nothing.
func (e *EMA) ready() *EMA {
	r := *e
	if !e.config.Bidirectional {
		r.beginning = autograd.NewEMAState(e.parameters, e.config)
	}
	return &r
}
