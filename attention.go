package mega

import (
	"fmt"
	"math"

	"github.com/mega-go/mega/autograd"
	"github.com/mega-go/mega/nn"
)

// GatedAttention is the Mega layer (paper section 3.2, equations 8-15;
// reference moving_average_gated_attention.py): a single attention head whose
// queries and keys come from the moving average of the input, between a reset
// gate on its result and an update gate on the residual.
type GatedAttention struct {
	config       BlockConfig
	gamma, beta  *nn.Parameter // [2, Z]: row 0 makes queries, row 1 keys
	norm         *nn.Norm
	move         *EMA
	vProj        *nn.Linear // D to H
	mxProj       *nn.Linear // D to u D, z Z, r H, hx D
	hProj        *nn.Linear // H to D
	bias         nn.PositionBias
	dropout      nn.Dropout
	valueDropout nn.Dropout
}

// projectionStd is the standard deviation weights start from
// (moving_average_gated_attention.py:93-105).
const projectionStd = 0.02

// NewGatedAttention registers the parameters in the reference's order.
func NewGatedAttention(p nn.Path, c BlockConfig) *GatedAttention {
	init := nn.Normal(0, projectionStd)
	d, h, z := c.EmbedDim, c.HiddenDim, c.ZDim
	a := &GatedAttention{
		config:       c,
		gamma:        p.Parameter("gamma", init, 2, z),
		beta:         p.Parameter("beta", nn.Constant(0), 2, z),
		norm:         nn.NewNorm(p.Sub("norm"), c.Norm, d, c.NormAffine),
		move:         NewEMA(p.Sub("move"), d, c.NDim, c.Bidirectional, c.Truncation),
		vProj:        nn.NewLinear(p.Sub("v_proj"), d, h, true, init),
		mxProj:       nn.NewLinear(p.Sub("mx_proj"), d, z+h+2*d, true, init),
		hProj:        nn.NewLinear(p.Sub("h_proj"), h, d, true, init),
		dropout:      nn.Dropout{P: c.Dropout, Feature: c.FeatureDropout},
		valueDropout: nn.Dropout{P: c.HiddenDropout, Feature: c.FeatureDropout},
	}
	if c.RelPosBias == RelPosRotary {
		a.bias = nn.NewRotaryBias(p.Sub("rel_pos_bias"), z)
	} else {
		a.bias = nn.NewSimpleBias(p.Sub("rel_pos_bias"), c.biasLength())
	}
	return a
}

// Forward maps x [B, L, D] to the same shape. L must be a multiple of the chunk
// or at most the chunk. mask [B·L], nil for none, is true at padding.
func (a *GatedAttention) Forward(t *autograd.Tape, x *autograd.Variable, mask []bool) (*autograd.Variable, error) {
	c := a.config
	chunk, err := chunkLength(x.Shape()[1], c.ChunkSize)
	if err != nil {
		return nil, err
	}
	bias, zero, err := a.bias.Forward(t, chunk)
	if err != nil {
		return nil, err
	}
	in := x
	if c.Prenorm {
		in = a.norm.Forward(t, x)
	}
	v := a.vProj.Forward(t, in, c.Activation)
	v = a.valueDropout.ForwardChunks(t, v, chunk)
	mx := a.dropout.Forward(t, a.move.Forward(t, in, mask))
	base := t.Split(a.mxProj.Forward(t, mx, autograd.Identity), c.EmbedDim, c.ZDim, c.HiddenDim, c.EmbedDim)
	u, z, r, hx := base[0], base[1], base[2], base[3]
	q, k := t.QueryKey(z, a.gamma.Variable, a.beta.Variable)
	h := t.Attention(q, k, v, autograd.AttentionConfig{
		Function: c.Attention, Queries: chunk, Keys: chunk, Causal: !c.Bidirectional, Scale: c.attentionScale(),
		Bias: bias, BiasZero: zero, Mask: mask, Dropout: c.AttentionDropout,
	})
	h = a.hProj.ForwardAdd(t, hx, t.SiLUMul(r, h), c.Activation)
	out := t.GatedResidual(x, u, a.dropout.Forward(t, h))
	if !c.Prenorm {
		out = a.norm.Forward(t, out)
	}
	return out, nil
}

// attentionScale is what q·k is multiplied by: z^-½ for softmax, 1 for the
// others, which divide by the number of keys (reference :130, :149).
func (b BlockConfig) attentionScale() float64 {
	if b.Attention == autograd.AttentionSoftmax {
		return 1 / math.Sqrt(float64(b.ZDim))
	}
	return 1
}

// chunkLength returns the length of the chunks that a sequence is cut into: a
// sequence not longer than a chunk is one chunk (reference :282-314).
func chunkLength(length, chunk int) (int, error) {
	if chunk < 0 || length <= chunk {
		return length, nil
	}
	if length%chunk != 0 {
		return 0, fmt.Errorf("a sequence of %d positions is no multiple of the chunk size %d", length, chunk)
	}
	return chunk, nil
}
