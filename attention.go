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
	dropPath     nn.DropPath
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
		move:         NewEMA(p.Sub("move"), d, c.average()),
		vProj:        nn.NewLinear(p.Sub("v_proj"), d, h, true, init),
		mxProj:       nn.NewLinear(p.Sub("mx_proj"), d, z+h+2*d, true, init),
		hProj:        nn.NewLinear(p.Sub("h_proj"), h, d, true, init),
		dropout:      nn.Dropout{P: c.Dropout, Feature: c.FeatureDropout},
		valueDropout: nn.Dropout{P: c.HiddenDropout, Feature: c.FeatureDropout},
		dropPath:     nn.DropPath(c.DropPath),
	}
	if c.RelPosBias == RelPosRotary {
		a.bias = nn.NewRotaryBias(p.Sub("rel_pos_bias"), z)
	} else {
		a.bias = nn.NewSimpleBias(p.Sub("rel_pos_bias"), c.biasLength())
	}
	return a
}

// A gatedState is what a GatedAttention carries of texts that are read piece by
// piece.
type gatedState struct {
	average *autograd.EMAState
	keys    *autograd.AttentionState
	bias    nn.KeptBias
}

// ready returns the layer with what sessions need of its parameters, and its
// linear layers made ready.
func (a *GatedAttention) ready(linear func(*nn.Linear) *nn.Linear) *GatedAttention {
	r := *a
	r.move, r.vProj, r.mxProj, r.hProj = a.move.ready(), linear(a.vProj), linear(a.mxProj), linear(a.hProj)
	return &r
}

// begin returns the state of a ready layer at the beginning of several texts, which t
// reads.
func (a *GatedAttention) begin(t *autograd.Tape, texts int) *gatedState {
	s := &gatedState{average: a.move.beginning.Begin(t, texts), keys: &autograd.AttentionState{Chunk: a.config.ChunkSize}}
	for range texts {
		s.keys.Texts = append(s.keys.Texts, autograd.NewKeyValueCache(t, a.config.ZDim, a.config.HiddenDim))
	}
	return s
}

// positionBias returns the bias for length positions: those of sequences that begin
// here, cut into chunks, or the next ones of texts whose state is s.
func (a *GatedAttention) positionBias(t *autograd.Tape, length int, s *gatedState) (bias *autograd.Variable, zero, chunk int, err error) {
	if s != nil {
		bias, zero, err = s.bias.Forward(t, a.bias, s.keys.Reach(length))
		return bias, zero, length, err
	}
	if chunk, err = chunkLength(length, a.config.ChunkSize); err != nil {
		return nil, 0, 0, err
	}
	bias, zero, err = a.bias.Forward(t, chunk)
	return bias, zero, chunk, err
}

// Forward maps x [B, L, D] to the same shape. L must be a multiple of the chunk
// or at most the chunk. mask [B·L], nil for none, is true at padding. With a
// state, nil in training, x is the next positions of texts that are read piece
// by piece.
func (a *GatedAttention) Forward(t *autograd.Tape, x *autograd.Variable, mask []bool, s *gatedState) (*autograd.Variable, error) {
	c := a.config
	bias, zero, chunk, err := a.positionBias(t, x.Shape()[1], s)
	if err != nil {
		return nil, err
	}
	var average *autograd.EMAState
	var keys *autograd.AttentionState
	if s != nil {
		average, keys = s.average, s.keys
	}
	in := x
	if c.Prenorm {
		in = a.norm.Forward(t, x)
	}
	v := a.valueDropout.LinearChunks(t, a.vProj, in, c.Activation, chunk)
	mx := a.move.Forward(t, in, mask, average, a.dropout)
	base := t.Split(a.mxProj.Forward(t, mx, autograd.Identity), c.EmbedDim, c.ZDim, c.HiddenDim, c.EmbedDim)
	u, z, r, hx := base[0], base[1], base[2], base[3]
	q, k := t.QueryKey(z, a.gamma.Variable, a.beta.Variable)
	h := t.Attention(q, k, v, autograd.AttentionConfig{
		Function: c.Attention, Queries: chunk, Keys: chunk, Causal: !c.Bidirectional, Scale: c.attentionScale(),
		Bias: bias, BiasZero: zero, Mask: mask, Dropout: c.AttentionDropout, State: keys,
	})
	out := a.dropout.LinearGate(t, x, u, hx, t.SiLUMul(r, h), a.hProj, c.Activation, a.dropPath)
	if !c.Prenorm {
		out = a.norm.Forward(t, out)
	}
	return out, nil
}

// average returns the configuration of the block's moving average.
func (b BlockConfig) average() autograd.EMAConfig {
	return autograd.EMAConfig{
		States: b.NDim, Bidirectional: b.Bidirectional, Truncation: b.Truncation,
		Swapped: b.Swapped, Shifted: b.Shifted,
	}
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
