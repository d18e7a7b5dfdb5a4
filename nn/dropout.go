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

// ForwardChunks drops the values of an attention of B·L/chunk chunks. With
// Feature it drops whole chunks, as the reference does when it hands a 4-D
// tensor to dropout2d (moving_average_gated_attention.py:342).
func (d Dropout) ForwardChunks(t *autograd.Tape, x *autograd.Variable, chunk int) *autograd.Variable {
	if d.Feature {
		return t.FeatureDropout(x, x.Rows()/chunk, true, d.P)
	}
	return t.Dropout(x, d.P)
}
