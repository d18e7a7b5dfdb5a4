package mega

import (
	"fmt"

	"github.com/mega-go/mega/autograd"
	"github.com/mega-go/mega/nn"
)

// CrossAttention is the gated attention of a decoder to an encoder (reference
// gated_cross_attention.py): queries come from the decoder's own sequence,
// keys and values from the encoder's output; there is no moving average.
type CrossAttention struct {
	config       BlockConfig
	norm         *nn.Norm
	kProj        *nn.Linear // D to Z
	vProj        *nn.Linear // D to D
	qProj        *nn.Linear // D to u D, r D, q Z
	hProj        *nn.Linear // D to D
	bias         nn.PositionBias
	dropout      nn.Dropout
	valueDropout nn.Dropout
}

// NewCrossAttention registers the parameters in the reference's order.
// c.MaxPositions is the longest of either sequence.
func NewCrossAttention(p nn.Path, c BlockConfig) *CrossAttention {
	init := nn.Normal(0, projectionStd)
	d, z := c.EmbedDim, c.ZDim
	a := &CrossAttention{
		config:       c,
		norm:         nn.NewNorm(p.Sub("norm"), c.Norm, d, c.NormAffine),
		kProj:        nn.NewLinear(p.Sub("k_proj"), d, z, true, init),
		vProj:        nn.NewLinear(p.Sub("v_proj"), d, d, true, init),
		qProj:        nn.NewLinear(p.Sub("q_proj"), d, 2*d+z, true, init),
		hProj:        nn.NewLinear(p.Sub("h_proj"), d, d, true, init),
		dropout:      nn.Dropout{P: c.Dropout, Feature: c.FeatureDropout},
		valueDropout: nn.Dropout{P: c.HiddenDropout, Feature: c.FeatureDropout},
	}
	if c.RelPosBias == RelPosRotary {
		a.bias = nn.NewRotaryBias(p.Sub("rel_pos_bias"), z)
	} else {
		a.bias = nn.NewSimpleBias(p.Sub("rel_pos_bias"), c.MaxPositions)
	}
	return a
}

// An Encoded is what an encoder says of a batch of sources.
type Encoded struct {
	Output *autograd.Variable // [B, S, D]
	Mask   []bool             // [B·S], true at padding; nil for none
}

// Forward maps x [B, L, D] to the same shape, looking at the encoded sources of
// the same batch.
func (a *CrossAttention) Forward(t *autograd.Tape, x *autograd.Variable, source Encoded) (*autograd.Variable, error) {
	keys, values := a.project(t, source.Output)
	return a.attend(t, x, keys, values, source.Mask, 0)
}

// project returns the keys [B, S, Z] and values [B, S, D] of encoded sources.
func (a *CrossAttention) project(t *autograd.Tape, source *autograd.Variable) (keys, values *autograd.Variable) {
	keys = a.kProj.Forward(t, source, autograd.Identity)
	values = a.valueDropout.Forward(t, a.vProj.Forward(t, source, a.config.Activation))
	return keys, values
}

// attend is Forward on projected sources, for queries that begin at a position
// of their sequence.
func (a *CrossAttention) attend(t *autograd.Tape, x, keys, values *autograd.Variable, mask []bool, position int) (*autograd.Variable, error) {
	c := a.config
	queries, length := x.Shape()[1], keys.Shape()[1]
	bias, zero, err := a.bias.Forward(t, max(position+queries, length))
	if err != nil {
		return nil, fmt.Errorf("attention to the source: %w", err)
	}
	in := x
	if c.Prenorm {
		in = a.norm.Forward(t, x)
	}
	base := t.Split(a.qProj.Forward(t, in, autograd.Identity), c.EmbedDim, c.EmbedDim, c.ZDim)
	u, r, q := base[0], base[1], base[2]
	h := t.Attention(q, keys, values, autograd.AttentionConfig{
		Function: c.Attention, Queries: queries, Keys: length, Scale: c.attentionScale(),
		Bias: bias, BiasZero: zero - position, Mask: mask, Dropout: c.AttentionDropout,
	})
	h = a.hProj.Forward(t, t.SiLUMul(r, h), c.Activation)
	out := t.GatedResidual(x, u, a.dropout.Forward(t, h))
	if !c.Prenorm {
		out = a.norm.Forward(t, out)
	}
	return out, nil
}
