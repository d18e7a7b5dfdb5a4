package mega

import (
	"github.com/mega-go/mega/autograd"
	"github.com/mega-go/mega/nn"
)

// FeedForward is the position-wise network after the attention (reference
// normalized_feedforward_network.py): x + fc2(act(fc1(x))), normalised before
// or after.
type FeedForward struct {
	config   BlockConfig
	norm     *nn.Norm
	fc1, fc2 *nn.Linear
	dropout  nn.Dropout
	hidden   nn.Dropout
	dropPath nn.DropPath
}

// NewFeedForward registers the parameters in the reference's order.
func NewFeedForward(p nn.Path, c BlockConfig) *FeedForward {
	init := nn.Normal(0, projectionStd)
	return &FeedForward{
		config:   c,
		dropPath: nn.DropPath(c.DropPath),
		norm:     nn.NewNorm(p.Sub("norm"), c.Norm, c.EmbedDim, c.NormAffine),
		fc1:      nn.NewLinear(p.Sub("fc1"), c.EmbedDim, c.FFNDim, true, init),
		fc2:      nn.NewLinear(p.Sub("fc2"), c.FFNDim, c.EmbedDim, true, init),
		dropout:  nn.Dropout{P: c.Dropout, Feature: c.FeatureDropout},
		hidden:   nn.Dropout{P: c.ActivationDropout, Feature: c.FeatureDropout},
	}
}

// ready returns the layer with its linear layers made ready for sessions.
func (f *FeedForward) ready(linear func(*nn.Linear) *nn.Linear) *FeedForward {
	r := *f
	r.fc1, r.fc2 = linear(f.fc1), linear(f.fc2)
	return &r
}

// Forward maps x [B, L, D] to the same shape.
func (f *FeedForward) Forward(t *autograd.Tape, x *autograd.Variable) *autograd.Variable {
	in := x
	if f.config.Prenorm {
		in = f.norm.Forward(t, x)
	}
	y := f.hidden.LinearForProducts(t, f.fc1, in, f.config.Activation)
	out := f.dropout.LinearResidual(t, x, y, f.fc2, f.dropPath)
	if !f.config.Prenorm {
		out = f.norm.Forward(t, out)
	}
	return out
}
