package nn

import (
	"fmt"
	"strings"

	"github.com/mega-go/mega/autograd"
)

// normEpsilon is added to every variance or mean square; the reference passes
// 1e-5 to all its norms (sequence_norm.py:15).
const normEpsilon = 1e-5

// batchNormMomentum is torch.nn.BatchNorm1d's.
const batchNormMomentum = 0.1

// A NormType says how a Norm scales.
type NormType string

// The norms of the reference (sequence_norm.py).
const (
	LayerNorm     NormType = "layernorm"     // per row, mean 0 and variance 1
	ScaleNorm     NormType = "scalenorm"     // per row, mean square 1, one scalar
	RMSNorm       NormType = "rmsnorm"       // per row, mean square 1, a weight per channel
	BatchNorm     NormType = "batchnorm"     // per channel, over all rows of the batch
	SyncBatchNorm NormType = "syncbatchnorm" // batchnorm over all processes
)

// NormTypes lists the norms by the names that configurations use.
var NormTypes = []NormType{LayerNorm, ScaleNorm, RMSNorm, BatchNorm, SyncBatchNorm}

// ParseNormType returns the norm that the reference calls name.
func ParseNormType(name string) (NormType, error) {
	for _, n := range NormTypes {
		if string(n) == name {
			return n, nil
		}
	}
	var names []string
	for _, n := range NormTypes {
		names = append(names, string(n))
	}
	return "", fmt.Errorf("unknown norm %q, want one of %s", name, strings.Join(names, ", "))
}

// Norm is one of the norms over the channels of [..., D] (SequenceNorm in the
// reference).
type Norm struct {
	kind         NormType
	weight, bias *Parameter // nil where the norm has none
	mean, vari   *Buffer    // batch norm's running statistics
	batches      *Counter
	dim          int
}

// NewNorm registers a norm of the given type at p.norm, as the reference nests
// it. Without affine it has no parameters.
func NewNorm(p Path, kind NormType, dim int, affine bool) *Norm {
	p = p.Sub("norm")
	n := &Norm{kind: kind, dim: dim}
	if affine {
		switch kind {
		case ScaleNorm:
			n.weight = p.Parameter("scalar", Constant(1), 1)
		case RMSNorm:
			n.weight = p.Parameter("weight", Constant(1), dim)
		default:
			n.weight = p.Parameter("weight", Constant(1), dim)
			n.bias = p.Parameter("bias", Constant(0), dim)
		}
	}
	p.params.synchronised = p.params.synchronised || kind == SyncBatchNorm
	if kind == BatchNorm || kind == SyncBatchNorm {
		n.mean = p.Buffer("running_mean", 0, dim)
		n.vari = p.Buffer("running_var", 1, dim)
		n.batches = p.Counter("num_batches_tracked")
	}
	return n
}

// Forward normalises x [..., D].
func (n *Norm) Forward(t *autograd.Tape, x *autograd.Variable) *autograd.Variable {
	return n.Dropout(t, x, Dropout{})
}

// Dropout returns what dropout leaves of the normalised x [..., D].
func (n *Norm) Dropout(t *autograd.Tape, x *autograd.Variable, d Dropout) *autograd.Variable {
	if d.Feature || !n.overRows() {
		return d.Forward(t, n.forward(t, x, 0))
	}
	return n.forward(t, x, d.P)
}

// overRows reports whether the norm is one of each row.
func (n *Norm) overRows() bool { return n.mean == nil }

// forward normalises x, and a norm over rows is followed by dropout of probability drop.
func (n *Norm) forward(t *autograd.Tape, x *autograd.Variable, drop float64) *autograd.Variable {
	switch n.kind {
	case LayerNorm:
		return t.LayerNorm(x, variable(n.weight), variable(n.bias), normEpsilon, drop)
	case ScaleNorm:
		return t.ScaleNorm(x, variable(n.weight), normEpsilon, drop)
	case RMSNorm:
		return t.RMSNorm(x, variable(n.weight), normEpsilon, drop)
	}
	if !t.Training() {
		return t.BatchNormInference(x, variable(n.weight), variable(n.bias), n.mean.Tensor, n.vari.Tensor, normEpsilon)
	}
	n.batches.Value++
	if n.kind == SyncBatchNorm {
		return t.SyncBatchNorm(x, variable(n.weight), variable(n.bias), n.mean.Tensor, n.vari.Tensor, batchNormMomentum, normEpsilon)
	}
	return t.BatchNorm(x, variable(n.weight), variable(n.bias), n.mean.Tensor, n.vari.Tensor, batchNormMomentum, normEpsilon)
}

// variable returns a parameter's variable, nil for none.
func variable(p *Parameter) *autograd.Variable {
	if p == nil {
		return nil
	}
	return p.Variable
}
