package autograd

import (
	"slices"

	"github.com/mega-go/mega/internal/cuda/device"
	"github.com/mega-go/mega/internal/cuda/kernels"
	"github.com/mega-go/mega/tensor"
)

// A deviceAttention is attention that a device is about to compute: its matrix of scores
// [Segments, Queries, Keys] is in memory, which fused kernels would not need.
type deviceAttention struct {
	*deviceTape
	kernels.Scores
	call    attentionCall
	lengths device.Address // of segments, 0 for the number of keys that a query sees
}

func (d *deviceTape) newAttention(q *tensor.Tensor, c attentionCall) *deviceAttention {
	a := &deviceAttention{deviceTape: d, call: c, Scores: kernels.Scores{
		Segments: q.Rows() / c.Queries, Queries: c.Queries, Keys: c.Keys, Scale: float32(c.Scale), Causal: c.Causal,
	}}
	if c.bias != nil {
		a.Bias = d.in(c.bias) + device.Address(4*c.BiasZero)
	}
	if c.Mask != nil {
		a.Mask = d.putMask(a.hiddenKeys())
		if c.Function != AttentionSoftmax && !c.Causal {
			a.lengths = d.putFloats(a.keyLengths())
		}
	}
	return a
}

// hiddenKeys returns the mask, but for segments of padding alone under softmax: they stay
// as they are (kernel.Attention).
func (a *deviceAttention) hiddenKeys() []bool {
	if a.call.Function != AttentionSoftmax {
		return a.call.Mask
	}
	mask := slices.Clone(a.call.Mask)
	for segment := range slices.Chunk(mask, a.Keys) {
		if !slices.Contains(segment, false) {
			clear(segment)
		}
	}
	return mask
}

// keyLengths counts the keys of each segment that are not padding, at least 1.
func (a *deviceAttention) keyLengths() []float32 {
	var lengths []float32
	for segment := range slices.Chunk(a.call.Mask, a.Keys) {
		n := 0
		for _, hidden := range segment {
			if !hidden {
				n++
			}
		}
		lengths = append(lengths, float32(max(1, n)))
	}
	return lengths
}

// size is how many scores there are.
func (a *deviceAttention) size() int { return a.Segments * a.Queries * a.Keys }

// segments returns the rows of x as a matrix for each segment.
func segments(x *tensor.Tensor, rows int, transposed bool) kernels.Matrix {
	m := matrix(x, transposed)
	m.Batch = rows * x.Stride()
	return m
}

// scores returns a matrix over memory for scores, or its transposes.
func (a *deviceAttention) scores(at device.Address, transposed bool) kernels.Matrix {
	m := kernels.Matrix{At: at, Row: a.Keys, Col: 1, Batch: a.Queries * a.Keys}
	if transposed {
		m.Row, m.Col = m.Col, m.Row
	}
	return m
}

const attentionOp = "attention"

// multiply computes c = x y for each segment.
func (a *deviceAttention) multiply(c, x, y kernels.Matrix, m, n, k int) {
	a.must(attentionOp, a.product()(a, c, x, y, 0, a.Segments, m, n, k, false))
}

// weights computes the attention weights, and returns the scores too where the gradient
// of the function wants them: for softmax they are the weights.
func (a *deviceAttention) weights(q, k *tensor.Tensor) (weights, scores device.Address) {
	scores = a.get(a.size())
	a.multiply(a.scores(scores, false), segments(q, a.Queries, false), segments(k, a.Keys, true), a.Queries, a.Keys, q.Cols())
	if a.call.Function == AttentionSoftmax {
		a.must(attentionOp, a.SoftmaxWeights(a, scores))
		return scores, scores
	}
	weights = a.get(a.size())
	a.must(attentionOp, a.ElementWeights(a, int(a.call.activation()), weights, scores, a.lengths))
	return weights, scores
}

// activation is what an attention function other than softmax does to each score.
func (c attentionCall) activation() Activation {
	if c.Function == AttentionReLU2 {
		return ReLU2
	}
	return Laplace
}

// dropped returns the weights, or gradients, that dropout leaves of x.
func (a *deviceAttention) dropped(x device.Address) device.Address {
	if a.call.drop == 0 {
		return x
	}
	dst := a.get(a.size())
	a.must(attentionOp, kernels.Dropout(a, dst, x, a.size(), a.seedAt(a.call.seed), 0, a.call.drop))
	return dst
}

func (d *deviceTape) attention(dst, q, k, v *tensor.Tensor, c attentionCall) {
	a := d.newAttention(q, c)
	p, _ := a.weights(q, k)
	a.multiply(segments(dst, a.Queries, false), a.scores(a.dropped(p), false), segments(v, a.Keys, false), a.Queries, v.Cols(), a.Keys)
	d.end(attentionOp, nil)
}

func (d *deviceTape) attentionGrad(dq, dk, dv, dbias, dy, q, k, v, _ *tensor.Tensor, c attentionCall) {
	a := d.newAttention(q, c)
	p, scores := a.weights(q, k)
	a.multiply(segments(dv, a.Keys, false), a.scores(a.dropped(p), true), segments(dy, a.Queries, false), a.Keys, v.Cols(), a.Queries)
	ds := d.get(a.size())
	a.multiply(a.scores(ds, false), segments(dy, a.Queries, false), segments(v, a.Keys, true), a.Queries, a.Keys, v.Cols())
	ds = a.dropped(ds)
	if c.Function == AttentionSoftmax {
		d.must(attentionOp, a.SoftmaxWeightsGrad(a, ds, p))
	} else {
		d.must(attentionOp, a.ElementWeightsGrad(a, int(c.activation()), ds, scores, a.lengths))
	}
	if dbias != nil {
		d.must(attentionOp, a.BiasGrad(a, dbias.Address()+device.Address(4*c.BiasZero), ds, d.get(a.BiasParts())))
	}
	if c.Function == AttentionSoftmax {
		d.must(attentionOp, kernels.Scale(d, ds, ds, a.Scale, a.size()))
	} else {
		d.must(attentionOp, a.ScaleRows(a, ds, a.lengths))
	}
	a.multiply(segments(dq, a.Queries, false), a.scores(ds, false), segments(k, a.Keys, false), a.Queries, q.Cols(), a.Keys)
	a.multiply(segments(dk, a.Keys, false), a.scores(ds, true), segments(q, a.Queries, false), a.Keys, q.Cols(), a.Queries)
	d.end("the gradient of attention", nil)
}

// rotaryTable returns the address of a table of cosines and sines.
func (d *deviceTape) rotaryTable(chunk, z int) device.Address {
	key := [2]int{chunk, z}
	if at, ok := d.tables[key]; ok {
		return at
	}
	table := rotaryTable(nil, chunk, z).Clone()
	table.Move(d)
	d.tables[key] = table.Address()
	return table.Address()
}

func (d *deviceTape) rotaryBias(dst, alpha, beta *tensor.Tensor, chunk int) {
	z := alpha.Cols()
	d.end("a rotary bias", kernels.RotaryBias(d, d.out(dst), d.rotaryTable(chunk, z), d.in(alpha), d.in(beta), 2*chunk-1, z))
}

func (d *deviceTape) rotaryBiasGrad(dalpha, dbeta, dy, alpha, beta *tensor.Tensor, chunk int) {
	z, rows := alpha.Cols(), 2*chunk-1
	const op = "the gradient of a rotary bias"
	table := kernels.Matrix{At: d.rotaryTable(chunk, z), Row: z, Col: 1}
	dw := kernels.Matrix{At: d.get(z), Row: z, Col: 1}
	d.must(op, kernels.Product(d, dw, kernels.Matrix{At: d.in(dy), Row: rows, Col: 1}, table, 0, 1, 1, z, rows, false))
	d.end(op, kernels.RotaryBiasGrad(d, d.out(dalpha), d.out(dbeta), dw.At, d.in(alpha), d.in(beta), z))
}

func (d *deviceTape) logSoftmax(dst, x *tensor.Tensor) {
	d.end("log-softmax", kernels.LogSoftmax(d, dst.Address(), x.Address(), x.Rows(), x.Cols(), dst.Stride(), x.Stride()))
}
