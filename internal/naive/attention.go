package naive

import (
	"fmt"
	"math"
)

// AttentionOptions choose the form of Attention.
type AttentionOptions struct {
	Function string // softmax, relu2 or laplace
	Causal   bool   // a query sees keys up to its own position only
	Chunk    int    // positions in a chunk; 0 or less means all in one
}

// Attention returns f(q·kᵀ/τ + b)·v for one sequence, q and k [L×Z], v [L×H],
// each chunk on its own (moving_average_gated_attention.py:290). bias, [c×c] for chunks of c positions,
// and mask, [L], may be nil. L must be a multiple of the chunk unless it is less
// (moving_average_gated_attention.py:300).
func Attention(q, k, v, bias *Matrix, mask []bool, o AttentionOptions) *Matrix {
	c := ChunkLength(q.Rows, o.Chunk)
	var chunks []*Matrix
	for from := 0; from < q.Rows; from += c {
		to := from + c
		var pads []bool
		if mask != nil {
			pads = mask[from:to]
		}
		chunks = append(chunks, attendChunk(Rows(q, from, to), Rows(k, from, to), Rows(v, from, to), bias, pads, o))
	}
	return ConcatRows(chunks...)
}

// ChunkLength returns the number of positions of each chunk of a sequence of
// length positions.
func ChunkLength(length, chunk int) int {
	if chunk <= 0 || length < chunk {
		return length
	}
	if length%chunk != 0 {
		panic(fmt.Sprintf("naive: length %d is not a multiple of the chunk, %d", length, chunk))
	}
	return chunk
}

func attendChunk(q, k, v, bias *Matrix, pads []bool, o AttentionOptions) *Matrix {
	if o.Function == "softmax" {
		return MatMul(softmaxWeights(q, k, bias, pads, o.Causal), v)
	}
	return MatMul(elementWeights(q, k, bias, pads, o), v)
}

// softmaxWeights returns softmax(q·kᵀ/√Z + b) with −Inf where a key is padding
// or lies after a causal query. A chunk whose keys are all padding is left
// unmasked, or its rows would be NaN (moving_average_gated_attention.py:149, :157).
func softmaxWeights(q, k, bias *Matrix, pads []bool, causal bool) *Matrix {
	scores := MatMul(Scale(q, 1/math.Sqrt(float64(q.Cols))), Transpose(k))
	if bias != nil {
		scores = Add(scores, bias)
	}
	allPads := countTrue(pads) == k.Rows
	return Softmax(Fill(scores, math.Inf(-1), func(i, j int) bool {
		return causal && j > i || pads != nil && pads[j] && !allPads
	}))
}

// elementWeights returns f(q·kᵀ/n + b) for the functions that act on each score
// alone, with 0 where a key is padding or lies after a causal query. n is the
// number of keys that are not padding, at least 1, or for causal attention the
// row's index + 1, padding included (moving_average_gated_attention.py:108, :117, :130).
func elementWeights(q, k, bias *Matrix, pads []bool, o AttentionOptions) *Matrix {
	count := FromFunc(q.Rows, 1, func(i, _ int) float64 {
		if o.Causal {
			return float64(i + 1)
		}
		return float64(max(k.Rows-countTrue(pads), 1))
	})
	scores := Div(MatMul(q, Transpose(k)), count)
	if bias != nil {
		scores = Add(scores, bias)
	}
	return Fill(elementFunction(o.Function)(scores), 0, func(i, j int) bool {
		return o.Causal && j > i || pads != nil && pads[j]
	})
}

func elementFunction(name string) func(*Matrix) *Matrix {
	switch name {
	case "relu2":
		return ReLU2
	case "laplace":
		return Laplace
	}
	panic("naive: unknown attention function " + name)
}

func countTrue(mask []bool) int {
	n := 0
	for _, v := range mask {
		if v {
			n++
		}
	}
	return n
}

// Projection is a linear layer, y = x·Weightᵀ + Bias.
type Projection struct {
	Weight *Matrix // [out×in]
	Bias   *Matrix // [1×out], or nil
}

// Apply returns the projection of every row of x [R×in].
func (p Projection) Apply(x *Matrix) *Matrix { return Linear(x, p.Weight, p.Bias) }

// GatedAttention is the paper's moving average equipped gated attention:
//
//	X' = EMA(norm X)
//	Z = silu(X'·W_z), Q = gamma_0∘Z + beta_0, K = gamma_1∘Z + beta_1
//	V = act(norm(X)·W_v), O = f(Q·Kᵀ/τ + b_rel)·V
//	r = silu(X'·W_r), u = σ(X'·W_u)
//	Ĥ = act(X'·W_h + (r∘O)·U_h)
//	Y = u∘Ĥ + (1 − u)∘X
//
// The norm is ahead of all (Prenorm) or behind it, and X in the last line is
// never normalised (moving_average_gated_attention.py:219, :346).
type GatedAttention struct {
	Norm        *Norm
	Prenorm     bool
	EMA         EMA
	V           Projection // D to H
	MX          Projection // D to D+Z+H+D: u, z, r, hx in this order
	H           Projection // H to D
	Gamma, Beta *Matrix    // [2×Z]: the row of q, then the row of k
	Bias        Bias
	Activation  func(*Matrix) *Matrix
	Attention   AttentionOptions
}

// Forward returns Y for a batch x [B·L×D] with its masks [B][L].
func (g *GatedAttention) Forward(x *Matrix, masks [][]bool) *Matrix {
	normed := g.normBefore(x)
	v := g.Activation(g.V.Apply(normed))
	length := len(masks[0])
	kernel := g.EMA.Kernel(length)
	mx := perSequence(masks, func(b, from, to int) *Matrix {
		return g.EMA.forward(Rows(normed, from, to), masks[b], kernel)
	})
	gates := g.gates(mx)
	bias := g.Bias(ChunkLength(length, g.Attention.Chunk))
	h := perSequence(masks, func(b, from, to int) *Matrix {
		return Attention(Rows(gates.q, from, to), Rows(gates.k, from, to), Rows(v, from, to), bias, masks[b], g.Attention)
	})
	return g.output(x, h, gates)
}

func (g *GatedAttention) normBefore(x *Matrix) *Matrix {
	if g.Prenorm {
		return g.Norm.Apply(x)
	}
	return x
}

// gates are what the projection of X' splits into, of R rows each.
type gates struct {
	u, q, k, r, hx *Matrix
}

// gates projects mx [R×D] and splits it (moving_average_gated_attention.py:222).
func (g *GatedAttention) gates(mx *Matrix) gates {
	base := g.MX.Apply(mx)
	d, z, h := mx.Cols, g.Gamma.Cols, g.V.Weight.Rows
	zr := SiLU(Cols(base, d, d+z+h)) // silu whatever the activation is
	shared := Cols(zr, 0, z)
	return gates{
		u:  Sigmoid(Cols(base, 0, d)),
		q:  Add(Mul(shared, Rows(g.Gamma, 0, 1)), Rows(g.Beta, 0, 1)),
		k:  Add(Mul(shared, Rows(g.Gamma, 1, 2)), Rows(g.Beta, 1, 2)),
		r:  Cols(zr, z, z+h),
		hx: Cols(base, d+z+h, base.Cols),
	}
}

// output returns Y from the input x [R×D] and what was attended to, h [R×H].
func (g *GatedAttention) output(x, h *Matrix, s gates) *Matrix {
	candidate := g.Activation(Add(s.hx, g.H.Apply(Mul(h, s.r))))
	y := interpolate(x, candidate, s.u)
	if !g.Prenorm {
		y = g.Norm.Apply(y)
	}
	return y
}

// interpolate returns x + u∘(h − x).
func interpolate(x, h, u *Matrix) *Matrix { return Add(x, Mul(u, Sub(h, x))) }

// perSequence returns the rows that f gives for each sequence b of a batch, whose
// rows are from to to−1 of the batch's.
func perSequence(masks [][]bool, f func(b, from, to int) *Matrix) *Matrix {
	ys := make([]*Matrix, len(masks))
	for b := range masks {
		length := len(masks[b])
		ys[b] = f(b, b*length, (b+1)*length)
	}
	return ConcatRows(ys...)
}
