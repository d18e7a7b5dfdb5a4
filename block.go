package mega

import (
	"github.com/mega-go/mega/autograd"
	"github.com/mega-go/mega/nn"
)

// Block is a gated attention, in a translator's decoder an attention to the
// source, and a feed-forward network (reference mega_sentence_encoder_layer.py,
// mega_layer.py).
type Block struct {
	attention   *GatedAttention
	cross       *CrossAttention // nil outside a translator's decoder
	feedForward *FeedForward    // nil if the configuration has none
	section     *nn.Section     // nil in sessions
}

// newBlock registers a block's parameters at mega_layer and nffn, and those of an
// attention to a source at cross_attn if it reaches any positions.
func newBlock(p nn.Path, c BlockConfig, reach int) *Block {
	b := &Block{}
	b.section = p.Section(func() {
		b.attention = NewGatedAttention(p.Sub("mega_layer"), c)
		if reach > 0 {
			wide := c
			wide.MaxPositions = reach
			b.cross = NewCrossAttention(p.Sub("cross_attn"), wide)
		}
		if c.FFNDim > 0 {
			b.feedForward = NewFeedForward(p.Sub("nffn"), c)
		}
	})
	return b
}

// A blockState is what a block carries of texts that are read piece by piece.
// The zero value stands for sequences that begin with what is read.
type blockState struct {
	gated *gatedState
	cross *crossState // nil outside a translator's decoder
}

// ready returns the block with what sessions need of its parameters.
func (b *Block) ready(linear func(*nn.Linear) *nn.Linear) *Block {
	r := &Block{attention: b.attention.ready(linear)}
	if b.cross != nil {
		r.cross = b.cross.ready(linear)
	}
	if b.feedForward != nil {
		r.feedForward = b.feedForward.ready(linear)
	}
	return r
}

// Forward maps x [B, L, D] to the same shape. mask [B·L], nil for none, is true
// at padding; source is nil except in a translator's decoder without a state.
func (b *Block) Forward(t *autograd.Tape, x *autograd.Variable, mask []bool, source *Encoded, s blockState) (*autograd.Variable, error) {
	b.section.Enter(t)
	x, err := scoped(t, x, func() (*autograd.Variable, error) { return b.attention.Forward(t, x, mask, s.gated) })
	if err == nil && b.cross != nil {
		x, err = consumed(t, x, func() (*autograd.Variable, error) { return b.cross.Forward(t, x, source, s.cross) })
	}
	if err == nil && b.feedForward != nil {
		x, err = consumed(t, x, func() (*autograd.Variable, error) { return b.feedForward.Forward(t, x), nil })
	}
	return x, err
}

// consumed is scoped for an x that nothing reads afterwards: in inference its
// memory is free again.
func consumed(t *autograd.Tape, x *autograd.Variable, layer func() (*autograd.Variable, error)) (*autograd.Variable, error) {
	out, err := scoped(t, x, layer)
	if err == nil {
		t.Release(x)
	}
	return out, err
}

// scoped runs a layer on x in a scope of the tape. If it fails the result is x.
func scoped(t *autograd.Tape, x *autograd.Variable, layer func() (*autograd.Variable, error)) (*autograd.Variable, error) {
	var err error
	out := t.Scope(func() *autograd.Variable {
		y, e := layer()
		if err = e; e != nil {
			return x
		}
		return y
	})
	return out, err
}
