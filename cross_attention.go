package mega

import (
	"fmt"
	"slices"

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

// A crossState is what a CrossAttention carries of translations that are written
// piece by piece.
type crossState struct {
	sources  *autograd.AttentionState // keys and values, one source for each translation
	reach    int                      // columns of the longest source
	position int                      // of the next query
	queries  *autograd.Variable       // the last ones, [B·L, Z]
	bias     nn.KeptBias
}

// ready returns the layer with its linear layers made ready for sessions, but for
// those of sources.
func (a *CrossAttention) ready(linear func(*nn.Linear) *nn.Linear) *CrossAttention {
	r := *a
	r.qProj, r.hProj = linear(a.qProj), linear(a.hProj)
	return &r
}

// newCrossState returns the state of translations of sources that are yet to be read.
func newCrossState(rows int) *crossState {
	return &crossState{sources: &autograd.AttentionState{Texts: make([]*autograd.KeyValueCache, rows)}}
}

// read lets a state hold the encoded sources of a group.
func (a *CrossAttention) read(t *autograd.Tape, source *autograd.Variable, g sourceGroup, s *crossState) {
	keys, values := a.project(t, source)
	for i, c := range g.columns {
		from, to := i*g.length+c[0], i*g.length+c[1]
		k, v := autograd.RowRange(keys, from, to), autograd.RowRange(values, from, to)
		s.sources.Texts[g.rows[i]] = autograd.NewSource(t, k.Value(), v.Value(), c[0])
		s.reach = max(s.reach, c[1])
	}
	t.Release(keys)
	t.Release(values)
}

// project returns the keys [B, S, Z] and values [B, S, D] of encoded sources.
func (a *CrossAttention) project(t *autograd.Tape, source *autograd.Variable) (keys, values *autograd.Variable) {
	keys = a.kProj.Forward(t, source, autograd.Identity)
	values = a.valueDropout.Linear(t, a.vProj, source, a.config.Activation)
	return keys, values
}

// positionBias returns the bias for the next queries of translations whose state is
// s, and the position of the first.
func (a *CrossAttention) positionBias(t *autograd.Tape, queries int, s *crossState) (bias *autograd.Variable, zero int, err error) {
	bias, zero, err = s.bias.Forward(t, a.bias, max(s.position+queries, s.reach))
	if err != nil {
		return nil, 0, fmt.Errorf("attention to the source: %w", err)
	}
	return bias, zero - s.position, nil
}

// look returns what queries [B, L, Z] find in the sources: [B, L, D].
func (a *CrossAttention) look(t *autograd.Tape, q *autograd.Variable, source *Encoded, s *crossState) (*autograd.Variable, error) {
	c, queries := a.config, q.Shape()[1]
	options := autograd.AttentionConfig{
		Function: c.Attention, Queries: queries, Scale: c.attentionScale(), Dropout: c.AttentionDropout,
	}
	var keys, values *autograd.Variable
	var err error
	if s != nil {
		options.State = s.sources
		options.Bias, options.BiasZero, err = a.positionBias(t, queries, s)
	} else {
		keys, values = a.project(t, source.Output)
		options.Mask, options.Keys = source.Mask, keys.Shape()[1]
		options.Bias, options.BiasZero, err = a.bias.Forward(t, max(queries, options.Keys))
	}
	if err != nil {
		return nil, err
	}
	if s != nil {
		s.advance(t, q)
	}
	return t.Attention(q, keys, values, options), nil
}

// weights returns what the last query of a row gave each token of its source.
func (a *CrossAttention) weights(t *autograd.Tape, row int, s *crossState) []float32 {
	bias, zero, err := a.positionBias(t, 0, s)
	if err != nil {
		panic(err) // it has reached as far before
	}
	q := autograd.RowRange(s.queries, row, row+1)
	return slices.Clone(t.Attention(q, nil, nil, autograd.AttentionConfig{
		Function: a.config.Attention, Scale: a.config.attentionScale(), Bias: bias, BiasZero: zero + 1,
		State: &autograd.AttentionState{Texts: []*autograd.KeyValueCache{s.sources.Texts[row].Selecting()}},
	}).Value().Host())
}

// advance moves the state past queries [B, L, Z], which it keeps for weights.
func (s *crossState) advance(t *autograd.Tape, q *autograd.Variable) {
	if s.queries == nil || s.queries.Rows() != q.Rows() {
		s.queries = t.Keep(q)
	} else {
		t.Assign(s.queries, q)
	}
	s.position += q.Shape()[1]
}

// Forward maps x [B, L, D] to the same shape, looking at the encoded sources of
// the same batch, or with a state at the sources that holds.
func (a *CrossAttention) Forward(t *autograd.Tape, x *autograd.Variable, source *Encoded, s *crossState) (*autograd.Variable, error) {
	c := a.config
	in := x
	if c.Prenorm {
		in = a.norm.Forward(t, x)
	}
	base := t.Split(a.qProj.Forward(t, in, autograd.Identity), c.EmbedDim, c.EmbedDim, c.ZDim)
	u, r, q := base[0], base[1], base[2]
	h, err := a.look(t, q, source, s)
	if err != nil {
		return nil, err
	}
	out := a.dropout.LinearGate(t, x, u, nil, t.SiLUMul(r, h), a.hProj, c.Activation, 0)
	if !c.Prenorm {
		out = a.norm.Forward(t, out)
	}
	return out, nil
}
