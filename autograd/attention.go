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
	var out *Variable
	if c.State != nil {
		t.carries("Attention")
		out = t.allocCols(q, c.State.Texts[0].h)
		t.ops.continueAttention(out.value, t.value(q), t.optional(k), t.optional(v), attentionCall{AttentionConfig: c, bias: t.optional(c.Bias)})
	} else {
		out = t.allocCols(q, v.Cols())
		t.attentionWhole(out, q, k, v, c)
	}
	t.stop("attention", start)
	return out
}

// kernel returns what the kernels know of c.
func (c AttentionConfig) kernel(bias *tensor.Tensor) kernel.Attention {
	a := kernel.Attention{Function: c.Function, Queries: c.Queries, Keys: c.Keys, Causal: c.Causal, Scale: float32(c.Scale)}
	if bias != nil {
		a.Bias, a.BiasZero = bias.Data(), c.BiasZero
	}
	return a
}

// optional is value for a variable that may be nil.
func (t *Tape) optional(v *Variable) *tensor.Tensor {
	if v == nil {
		return nil
	}
	return t.value(v)
}

// An attentionCall is attention to sequences that begin here.
type attentionCall struct {
	AttentionConfig
	bias  *tensor.Tensor // Bias's value, or nil
	drop  float32        // what drops out
	seed  uint64         // and by which numbers
	stats *tensor.Tensor // [rows of queries] that the backward pass reads, nil if there is none
}

// attentionWhole is Attention for sequences that begin here.
func (t *Tape) attentionWhole(out, q, k, v *Variable, c AttentionConfig) {
	a := attentionCall{AttentionConfig: c, bias: t.optional(c.Bias)}
	if t.drops(c.Dropout) {
		a.drop, a.seed = float32(c.Dropout), t.nextSeed()
	}
	record := t.wants(q, k, v, c.Bias)
	if record {
		a.stats = t.pool.Get(q.Rows())
	}
	t.ops.attention(out.value, t.value(q), t.value(k), t.value(v), a)
	if record {
		t.pushMany("attention", []*Variable{out}, []*tensor.Tensor{a.stats}, []*Variable{q, k, v, out, c.Bias}, func() {
			t.attentionGrad(q, k, v, out, a)
		})
	}
}

func (t *Tape) attentionGrad(q, k, v, out *Variable, a attentionCall) {
	var dbias *tensor.Tensor
	if bias := a.Bias; bias != nil {
		a.bias = t.value(bias)
		if bias.needs {
			dbias = t.zeroedGrad(bias)
		}
	}
	dout := t.outGrad(out)
	t.addGrads(func(d []*tensor.Tensor) {
		t.ops.attentionGrad(d[0], d[1], d[2], dbias, dout, t.value(q), t.value(k), t.value(v), t.value(out), a)
	}, q, k, v)
}

// wholeAttention returns what the kernels know of attention by queries q to values v.
func (h *host) wholeAttention(q, v *tensor.Tensor, c attentionCall) kernel.Attention {
	a := c.kernel(c.bias)
	a.Segments, a.Z, a.H, a.KeyMask = q.Rows()/c.Queries, q.Cols(), v.Cols(), c.Mask
	a.Dropout, a.Seed = c.drop, c.seed
	a.BF16, a.Workers = h.bf16, h.workers
	return a
}

func (h *host) attention(dst, q, k, v *tensor.Tensor, c attentionCall) {
	a := h.wholeAttention(q, v, c)
	a.Forward(attentionRows(dst), attentionRows(q), attentionRows(k), attentionRows(v), optionalData(c.stats))
}

func (h *host) attentionGrad(dq, dk, dv, dbias, dy, q, k, v, out *tensor.Tensor, c attentionCall) {
	a := h.wholeAttention(q, v, c)
	a.Backward(attentionRows(dq), attentionRows(dk), attentionRows(dv), optionalData(dbias), attentionRows(dy),
		attentionRows(q), attentionRows(k), attentionRows(v), attentionRows(out), c.stats.Data())
}

func attentionRows(x *tensor.Tensor) kernel.Rows {
	return kernel.Rows{Data: x.Data(), Stride: x.Stride()}
}
