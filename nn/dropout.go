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

// ending is an activation and then dropout, of single elements.
func (d Dropout) ending(act autograd.Activation) autograd.Ending {
	return autograd.Ending{Activation: act, Drop: d.P}
}

// Linear returns what dropout leaves of act(l(x)), for x [B, L, D].
func (d Dropout) Linear(t *autograd.Tape, l *Linear, x *autograd.Variable, act autograd.Activation) *autograd.Variable {
	if d.Feature || !d.Active(t) {
		return d.Forward(t, l.Forward(t, x, act))
	}
	return t.LinearFinish(x, l.Weight.Variable, variable(l.Bias), d.ending(act))
}

// LinearForProducts is Linear for a result that products read.
func (d Dropout) LinearForProducts(t *autograd.Tape, l *Linear, x *autograd.Variable, act autograd.Activation) *autograd.Variable {
	if !t.Defers() { // an epilogue is as good
		return d.Linear(t, l, x, act)
	}
	return d.ActivateForProducts(t, act, l.Forward(t, x, autograd.Identity))
}

// LinearChunks is Linear for the values of an attention of B·L/chunk chunks. With Feature it
// drops whole chunks, as the reference does when it hands a 4-D tensor to dropout2d
// (moving_average_gated_attention.py:342).
func (d Dropout) LinearChunks(t *autograd.Tape, l *Linear, x *autograd.Variable, act autograd.Activation, chunk int) *autograd.Variable {
	if d.Feature {
		v := l.Forward(t, x, act)
		return t.FeatureDropout(v, v.Rows()/chunk, true, d.P)
	}
	return d.Linear(t, l, x, act)
}

// ActivateForProducts returns what dropout leaves of act(x), for products to read, and an x that
// nothing else reads.
func (d Dropout) ActivateForProducts(t *autograd.Tape, act autograd.Activation, x *autograd.Variable) *autograd.Variable {
	if d.Feature {
		return d.Forward(t, t.FinishForProducts(x, autograd.Ending{Activation: act}))
	}
	return t.FinishForProducts(x, d.ending(act))
}

// Gate returns an update gate between a residual and what dropout, and then path, leave of
// act(h).
func (d Dropout) Gate(t *autograd.Tape, residual, u, h *autograd.Variable, act autograd.Activation, path DropPath) *autograd.Variable {
	if !d.Feature && !path.Active(t) {
		return t.GatedResidual(residual, u, h, d.ending(act))
	}
	return t.GatedResidual(residual, u, path.Forward(t, d.Forward(t, t.Activate(act, h))), autograd.Ending{})
}

// LinearGate is Gate with h = base + l(x), of which base may be nil.
func (d Dropout) LinearGate(t *autograd.Tape, residual, u, base, x *autograd.Variable, l *Linear, act autograd.Activation, path DropPath) *autograd.Variable {
	if !d.Feature && !path.Active(t) {
		return t.LinearGate(residual, u, base, x, l.Weight.Variable, variable(l.Bias), d.ending(act))
	}
	return d.Gate(t, residual, u, l.ForwardAdd(t, base, x, autograd.Identity), act, path)
}

// LinearResidual returns a residual plus what dropout, and then path, leave of l(x).
func (d Dropout) LinearResidual(t *autograd.Tape, residual, x *autograd.Variable, l *Linear, path DropPath) *autograd.Variable {
	if !path.Active(t) && !(d.Feature && d.Active(t)) {
		return t.LinearResidual(residual, x, l.Weight.Variable, variable(l.Bias), d.ending(autograd.Identity))
	}
	return t.Add(path.Forward(t, d.Forward(t, l.Forward(t, x, autograd.Identity))), residual)
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
