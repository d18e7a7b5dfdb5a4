package nn

import (
	"math"

	"github.com/mega-go/mega/autograd"
)

// Embedding maps token ids to rows of a table [V, D].
type Embedding struct {
	Weight  *Parameter
	Scale   float32 // multiplies every row
	Padding int32   // the token whose row takes no gradient, or -1
}

// NewEmbedding registers weight [vocab, dim], drawn from N(0, dim^-½)
// (reference mega_lra_encoder.py:258-260; mega_lm.py:26-30). zeroPadding sets
// the padding row to zero, as the reference does in language models and
// translation but not in classifiers.
func NewEmbedding(p Path, vocab, dim int, padding int32, zeroPadding bool) *Embedding {
	init := Normal(0, 1/math.Sqrt(float64(dim)))
	if zeroPadding {
		init = WithZeroRow(init, int(padding))
	}
	return &Embedding{Weight: p.Parameter("weight", init, vocab, dim), Scale: 1, Padding: padding}
}

// Forward returns the rows of tokens [B, L]: [B, L, D].
func (e *Embedding) Forward(t *autograd.Tape, tokens []int32, batch, length int) *autograd.Variable {
	return t.Embedding(tokens, []int{batch, length}, e.Weight.Variable, e.Scale, e.Padding)
}

// RealEmbedding maps a real number x to x·w + b, with w, b [D]
// (reference real_number_embedding.py), or those of C channels to Σ_c x_c·w_c + b,
// with w [C, D].
type RealEmbedding struct {
	Weight, Bias *Parameter
}

// NewRealEmbedding registers weight ~ N(0,1) and bias ~ N(0,0.1).
func NewRealEmbedding(p Path, channels, dim int) *RealEmbedding {
	shape := []int{channels, dim}
	if channels == 1 { // as in the reference
		shape = shape[1:]
	}
	return &RealEmbedding{
		Weight: p.Parameter("weight", Normal(0, 1), shape...),
		Bias:   p.Parameter("bias", Normal(0, 0.1), dim),
	}
}

// Forward embeds numbers x [B, L], or [B, L, C]: [B, L, D].
func (e *RealEmbedding) Forward(t *autograd.Tape, x []float32, batch, length int) *autograd.Variable {
	return t.RealEmbedding(x, []int{batch, length}, e.Weight.Variable, e.Bias.Variable)
}
