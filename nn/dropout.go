package nn

import "github.com/mega-go/mega/autograd"

// Dropout zeroes elements in training: independently, or with Feature whole
// channels of a sequence at a time (reference fairseq_dropout.py).
type Dropout struct {
	P       float64
	Feature bool
}

// Active reports whether anything will be dropped on this tape.
func (d Dropout) Active(t *autograd.Tape) bool { return t.Training() && d.P > 0 }

// Forward drops x [B, L, D].
func (d Dropout) Forward(t *autograd.Tape, x *autograd.Variable) *autograd.Variable {
	if d.Feature {
		return t.FeatureDropout(x, x.Shape()[0], false, d.P)
	}
	return t.Dropout(x, d.P)
}

// DropPath leaves out what a layer finds for a whole row of a batch with a
// probability in training, and divides the rest by 1 less it (stochastic depth,
// Huang et al. 2016, arXiv 1603.09382; timm/models/layers/drop.py of mega-image).
type DropPath float64

// Active reports whether anything may be left out on this tape.
func (d DropPath) Active(t *autograd.Tape) bool { return Dropout{P: float64(d)}.Active(t) }

// Forward drops rows of x [B, L, D].
func (d DropPath) Forward(t *autograd.Tape, x *autograd.Variable) *autograd.Variable {
	return t.FeatureDropout(x, x.Shape()[0], true, float64(d))
}

// ForwardChunks drops the values of an attention of B·L/chunk chunks. With
// Feature it drops whole chunks, as the reference does when it hands a 4-D
// tensor to dropout2d (moving_average_gated_attention.py:342).
func (d Dropout) ForwardChunks(t *autograd.Tape, x *autograd.Variable, chunk int) *autograd.Variable {
	if d.Feature {
		return t.FeatureDropout(x, x.Rows()/chunk, true, d.P)
	}
	return t.Dropout(x, d.P)
}
