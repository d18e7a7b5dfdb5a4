package nn

import "github.com/mega-go/mega/autograd"

// Linear is y = act(x wᵀ + b), with w [out, in] and b [out].
type Linear struct {
	Weight, Bias *Parameter // Bias is nil where there is none
}

// NewLinear registers weight, filled by init, and a zero bias if bias is set.
func NewLinear(p Path, in, out int, bias bool, init Initializer) *Linear {
	l := &Linear{Weight: p.Parameter("weight", init, out, in)}
	if bias {
		l.Bias = p.Parameter("bias", Constant(0), out)
	}
	return l
}

// Pack returns the layer with its weight packed for many products with few rows: see
// autograd.Pack. It does not learn, and does not see l's weight change.
func (l *Linear) Pack(in autograd.Precision) *Linear {
	return &Linear{Weight: l.Weight.Pack(in), Bias: l.Bias}
}

// Forward maps x [..., in] to [..., out].
func (l *Linear) Forward(t *autograd.Tape, x *autograd.Variable, act autograd.Activation) *autograd.Variable {
	return t.Linear(x, l.Weight.Variable, variable(l.Bias), act)
}

// ForwardAdd maps x [..., in] to act(base + x wᵀ + b), with base [..., out].
func (l *Linear) ForwardAdd(t *autograd.Tape, base, x *autograd.Variable, act autograd.Activation) *autograd.Variable {
	return t.LinearAdd(base, x, l.Weight.Variable, variable(l.Bias), act)
}
