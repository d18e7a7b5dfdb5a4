package naive

import "math"

// CrossAttention is the gated attention of a decoder's positions X to an
// encoder's output C:
//
//	u, r, Q = σ(XW_u), silu(XW_r), XW_q of norm(X), in this order
//	K = C·W_k, V = act(C·W_v), O = f(Q·Kᵀ/τ + b)·V
//	Ĥ = act((O∘r)·W_h), Y = X + u∘(Ĥ − X)
//
// (gated_cross_attention.py:212, :287). C is not normalised.
type CrossAttention struct {
	Norm       *Norm
	Prenorm    bool
	Q          Projection // D to 2D+Z
	K          Projection // D to Z
	V, H       Projection // D to D
	Bias       Bias
	Activation func(*Matrix) *Matrix
	Function   string // softmax, relu2 or laplace
}

// Forward returns Y [B·L×D] for x [B·L×D] and the encoder's output [B·S×D] with
// its masks [B][S].
func (c *CrossAttention) Forward(x, encoded *Matrix, masks [][]bool) *Matrix {
	q := x
	if c.Prenorm {
		q = c.Norm.Apply(q)
	}
	base := c.Q.Apply(q)
	d := x.Cols
	u, r := Sigmoid(Cols(base, 0, d)), SiLU(Cols(base, d, 2*d))
	q = Cols(base, 2*d, base.Cols)
	k, v := c.K.Apply(encoded), c.Activation(c.V.Apply(encoded))

	length := x.Rows / len(masks)
	bias := c.bias(length, len(masks[0]))
	attended := perSequence(masks, func(b, from, to int) *Matrix {
		weights := c.weights(Rows(q, b*length, (b+1)*length), Rows(k, from, to), bias, masks[b])
		return MatMul(weights, Rows(v, from, to))
	})
	y := interpolate(x, c.Activation(c.H.Apply(Mul(attended, r))), u)
	if !c.Prenorm {
		y = c.Norm.Apply(y)
	}
	return y
}

// bias returns the bias of length queries and keys keys, both counted from 0,
// padding on the left of a source included (gated_cross_attention.py:114).
func (c *CrossAttention) bias(length, keys int) *Matrix {
	return Rows(Cols(c.Bias(max(length, keys)), 0, keys), 0, length)
}

// weights returns the attention weights [L×S] of q [L×Z] to k [S×Z]. A source of
// padding alone gives NaN: there is no guard (gated_cross_attention.py:104, :142).
func (c *CrossAttention) weights(q, k, bias *Matrix, pads []bool) *Matrix {
	padded := func(_, j int) bool { return pads[j] }
	if c.Function == "softmax" {
		scores := MatMul(Scale(q, 1/math.Sqrt(float64(q.Cols))), Transpose(k))
		return Softmax(Fill(Add(scores, bias), math.Inf(-1), padded))
	}
	count := float64(k.Rows - countTrue(pads))
	scores := Add(Div(MatMul(q, Transpose(k)), constant(1, 1, count)), bias)
	return Fill(elementFunction(c.Function)(scores), 0, padded)
}
