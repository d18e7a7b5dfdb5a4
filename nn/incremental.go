package nn

import (
	"github.com/mega-go/mega/autograd"
	"github.com/mega-go/mega/tensor"
)

// The methods of this file are the layers' Forward for reading texts piece by
// piece, outside training and without a tape: see autograd.LinearInto.

// Into sets dst [R, out] to act(x wᵀ + b) for x [R, in].
func (l *Linear) Into(dst, x *tensor.Tensor, act autograd.Activation) {
	autograd.LinearInto(dst, x, l.Weight.Variable, variable(l.Bias), act)
}

// AddInto adds x wᵀ + b to dst.
func (l *Linear) AddInto(dst, x *tensor.Tensor) {
	autograd.LinearAddInto(dst, x, l.Weight.Variable, variable(l.Bias))
}

// A PackedLinear is a Linear made ready for many products with few rows: see
// autograd.PackedWeight.
type PackedLinear struct {
	weight *autograd.PackedWeight
	bias   *autograd.Variable // nil for none
}

// Pack returns l with its weight packed, in bfloat16 or float32.
func (l *Linear) Pack(bf16 bool) *PackedLinear {
	return &PackedLinear{autograd.PackWeight(l.Weight.Variable, bf16), variable(l.Bias)}
}

// Into is Linear's.
func (l *PackedLinear) Into(dst, x *tensor.Tensor, act autograd.Activation) {
	l.weight.LinearInto(dst, x, l.bias, act)
}

// AddInto is Linear's.
func (l *PackedLinear) AddInto(dst, x *tensor.Tensor) { l.weight.LinearAddInto(dst, x, l.bias) }

// Into sets dst to x [R, D] normalised; dst may be x.
func (n *Norm) Into(dst, x *tensor.Tensor) {
	weight, bias := variable(n.weight), variable(n.bias)
	switch n.kind {
	case LayerNorm:
		autograd.LayerNormInto(dst, x, weight, bias, normEpsilon)
	case ScaleNorm:
		autograd.ScaleNormInto(dst, x, weight, normEpsilon)
	case RMSNorm:
		autograd.RMSNormInto(dst, x, weight, normEpsilon)
	default:
		autograd.BatchNormInto(dst, x, weight, bias, n.mean.Tensor, n.vari.Tensor, normEpsilon)
	}
}

// Into sets the rows of dst [R, D] to the embeddings of R tokens.
func (e *Embedding) Into(dst *tensor.Tensor, tokens []int32) {
	autograd.EmbeddingInto(dst, tokens, e.Weight.Variable, e.Scale)
}

// Into sets the rows of dst [R, D] to the embeddings of R tokens. It allocates.
func (a *AdaptiveInput) Into(dst *tensor.Tensor, tokens []int32) {
	dst.Copy(a.Forward(autograd.NewTape(), tokens, len(tokens)).Value())
}

// TargetLogProbs returns the log-probability of each target for features x
// [R, D]. Unlike Loss it passes over none (reference adaptive_softmax.py:178).
func (s *AdaptiveSoftmax) TargetLogProbs(t *autograd.Tape, x *autograd.Variable, targets []int32) []float64 {
	classes := append([]int32(nil), targets...)
	inBand := make([]float64, len(targets))
	for i := range s.tails {
		positions, inner := s.bands.split(i+1, targets)
		if len(positions) == 0 {
			continue
		}
		found := autograd.TargetLogProbs(s.tailLogits(t, i, t.Rows(x, positions)), inner)
		for j, p := range positions {
			classes[p] = int32(s.bands[0] + i)
			inBand[p] = found[j]
		}
	}
	out := autograd.TargetLogProbs(s.headLogits(t, x), classes)
	for i, p := range inBand {
		out[i] += p
	}
	return out
}
