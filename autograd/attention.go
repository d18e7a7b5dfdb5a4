package autograd

import (
	"github.com/mega-go/mega/internal/kernel"
	"github.com/mega-go/mega/tensor"
)

// An AttentionFunction turns scores into attention weights.
type AttentionFunction = kernel.AttentionFunction

// The attention functions.
const (
	AttentionSoftmax = kernel.AttentionSoftmax
	AttentionReLU2   = kernel.AttentionReLU2
	AttentionLaplace = kernel.AttentionLaplace
)

// ParseAttentionFunction returns the function that the reference calls name.
func ParseAttentionFunction(name string) (AttentionFunction, error) {
	return kernel.ParseAttentionFunction(name)
}

// AttentionConfig says how queries meet keys.
type AttentionConfig struct {
	Function AttentionFunction
	Queries  int       // rows of q that share a segment, such as the positions of a chunk
	Keys     int       // rows of k and v in a segment
	Causal   bool      // hide key j from query i where j > i + Keys − Queries
	Scale    float64   // multiplies q·k
	Bias     *Variable // relative position bias, or nil
	BiasZero int       // query i and key j take Bias[BiasZero+j−i]
	Mask     []bool    // one for each key, true at padding; nil for none
	Dropout  float64   // of the attention weights, in training

	State *AttentionState // what is carried from positions before, nil for sequences that begin here
}

// Attention returns, segment by segment, the sum of values weighted by a
// function of the scores of queries with keys: q [S·Queries, Z], k [S·Keys, Z]
// and v [S·Keys, H] give [S·Queries, H], in q's outer shape. No matrix of scores
// is kept.
//
// With a state q, k and v are the next L positions of B texts, [B·L, Z] and
// [B·L, H], and c's Queries, Keys and Mask do not count: each text's queries
// meet what AttentionState says. There is no gradient then, and the products are
// float32 on any tape.
func (t *Tape) Attention(q, k, v *Variable, c AttentionConfig) *Variable {
	start := t.start()
	a := kernel.Attention{
		Function: c.Function, Queries: c.Queries, Keys: c.Keys,
		Z: q.Cols(), Causal: c.Causal, Scale: float32(c.Scale),
		Workers: t.workers,
	}
	if c.Bias != nil {
		a.Bias, a.BiasZero = t.value(c.Bias).Data(), c.BiasZero
	}
	var out *Variable
	if s := c.State; s != nil {
		t.carries("Attention")
		a.H = s.Texts[0].h
		out = t.allocCols(q, a.H)
		s.attend(t, a, out.value, t.value(q), t.optional(k), t.optional(v))
	} else {
		a.Segments, a.H, a.KeyMask, a.BF16 = q.Rows()/c.Queries, v.Cols(), c.Mask, t.bf16
		out = t.allocCols(q, a.H)
		t.attentionWhole(a, out, q, k, v, c)
	}
	t.stop("attention", start)
	return out
}

// optional is value for a variable that may be nil.
func (t *Tape) optional(v *Variable) *tensor.Tensor {
	if v == nil {
		return nil
	}
	return t.value(v)
}

// attentionWhole is Attention for sequences that begin here.
func (t *Tape) attentionWhole(a kernel.Attention, out, q, k, v *Variable, c AttentionConfig) {
	if t.drops(c.Dropout) {
		a.Dropout, a.Seed = float32(c.Dropout), t.nextSeed()
	}
	var stats *tensor.Tensor
	var logSums []float32
	record := t.wants(q, k, v, c.Bias)
	if record {
		stats = t.pool.Get(q.Rows())
		logSums = stats.Data()
	}
	a.Forward(attentionRows(out.value), attentionRows(t.value(q)), attentionRows(t.value(k)), attentionRows(t.value(v)), logSums)
	if record {
		t.pushMany("attention", []*Variable{out}, []*tensor.Tensor{stats}, []*Variable{q, k, v, out, c.Bias}, func() {
			t.attentionGrad(a, q, k, v, c.Bias, out, stats.Data())
		})
	}
}

// attentionGrad runs the kernel's backward.
func (t *Tape) attentionGrad(a kernel.Attention, q, k, v, bias, out *Variable, stats []float32) {
	var dbias []float32
	if bias != nil {
		a.Bias = t.value(bias).Data()
		if bias.needs {
			dbias = t.zeroedGrad(bias).Data()
		}
	}
	dout := t.outGrad(out)
	t.addGrads(func(d []*tensor.Tensor) {
		a.Backward(attentionRows(d[0]), attentionRows(d[1]), attentionRows(d[2]), dbias, attentionRows(dout),
			attentionRows(t.value(q)), attentionRows(t.value(k)), attentionRows(t.value(v)), attentionRows(out.value), stats)
	}, q, k, v)
}

func attentionRows(x *tensor.Tensor) kernel.Rows {
	return kernel.Rows{Data: x.Data(), Stride: x.Stride()}
}
