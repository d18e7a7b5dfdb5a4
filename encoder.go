package mega

import (
	"fmt"

	"github.com/mega-go/mega/autograd"
	"github.com/mega-go/mega/nn"
)

// Encoder is the bidirectional stack under a Classifier, with the pooling that
// turns a sequence into one vector (reference mega_lra_encoder.py,
// mega_scraw_encoder.py).
type Encoder struct {
	stack
	config ClassifierConfig
}

// NewEncoder registers the parameters in the reference's order. The
// configuration must be valid.
func NewEncoder(p nn.Path, c ClassifierConfig) (*Encoder, error) {
	block, err := c.block()
	if err != nil {
		return nil, err
	}
	options := c.stackOptions()
	embed := p.Sub("embed_tokens")
	if !c.Tokens() {
		reals := nn.NewRealEmbedding(embed, c.Channels(), c.EncoderEmbedDim)
		e := &Encoder{newStack(p, block, options), c}
		e.embedReals(reals)
		return e, nil
	}
	tokens := nn.NewEmbedding(embed.Sub("embed"), c.VocabSize, c.EncoderEmbedDim, Pad, false)
	e := &Encoder{newStack(p, block, options), c}
	e.embedTokens(tokens)
	return e, nil
}

func (c ClassifierConfig) stackOptions() stackOptions {
	return stackOptions{
		layers: c.EncoderLayers, inputDim: c.EncoderEmbedDim,
		normalizeEmbed: c.NormalizeEmbedding, finalAffine: true,
	}
}

// Forward returns one vector a row of the input: the mean over its true length,
// or its first position, [B, D].
func (e *Encoder) Forward(t *autograd.Tape, in *Input) (*autograd.Variable, error) {
	if in.Length > e.config.MaxPositions {
		return nil, fmt.Errorf("input of %d positions, but the model reads at most max_positions = %d", in.Length, e.config.MaxPositions)
	}
	x, _, err := e.forward(t, in, nil)
	if err != nil {
		return nil, err
	}
	if e.config.SenRepType == SenRepMean {
		return t.MeanPool(x, in.floatLengths()), nil
	}
	first := make([]int32, in.Rows)
	for i := range first {
		first[i] = int32(i * in.Length)
	}
	return t.Rows(x, first), nil
}
