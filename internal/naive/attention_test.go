package naive

import (
	"math"
	"math/rand/v2"
	"testing"
)

var attentionFunctions = []string{"softmax", "relu2", "laplace"}

// TestAttentionByHand computes one output from the definition, key by key.
func TestAttentionByHand(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	const l, z, h, row = 5, 4, 3, 3
	q, k, v, bias := random(r, l, z), random(r, l, z), random(r, l, h), random(r, l, l)
	mask := []bool{false, true, false, false, false}
	for _, causal := range []bool{false, true} {
		for _, f := range attentionFunctions {
			want := make([]float64, h)
			sum := 0.0
			for j := range l {
				if mask[j] || causal && j > row {
					continue
				}
				dot := 0.0
				for c := range z {
					dot += q.At(row, c) * k.At(j, c)
				}
				var w float64
				n := 4.0 // keys that are not padding; row+1 is as many
				switch f {
				case "softmax":
					w = math.Exp(dot/2 + bias.At(row, j)) // √z = 2
					sum += w
				case "relu2":
					w = math.Pow(math.Max(dot/n+bias.At(row, j), 0), 2)
				case "laplace":
					w = 0.5 * (1 + math.Erf((dot/n+bias.At(row, j)-0.707107)/(0.282095*math.Sqrt2)))
				}
				for c := range h {
					want[c] += w * v.At(j, c)
				}
			}
			if f == "softmax" {
				for c := range want {
					want[c] /= sum
				}
			}
			got := Attention(q, k, v, bias, mask, AttentionOptions{Function: f, Causal: causal})
			within(t, f, got.Row(row), want, 1e-14)
		}
	}
}

// TestAttentionChunks: each chunk is attended to on its own; a sequence shorter
// than the chunk is one chunk.
func TestAttentionChunks(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	const l, c = 12, 4
	q, k, v, bias := random(r, l, 3), random(r, l, 3), random(r, l, 2), random(r, c, c)
	mask := make([]bool, l)
	mask[5], mask[8] = true, true
	for _, f := range attentionFunctions {
		whole := Attention(q, k, v, bias, mask, AttentionOptions{Function: f, Chunk: c})
		for from := 0; from < l; from += c {
			part := func(x *Matrix) *Matrix { return Rows(x, from, from+c) }
			alone := Attention(part(q), part(k), part(v), bias, mask[from:from+c], AttentionOptions{Function: f})
			within(t, f, part(whole).Data, alone.Data, 0)
			longer := Attention(part(q), part(k), part(v), bias, mask[from:from+c], AttentionOptions{Function: f, Chunk: 99})
			within(t, f, longer.Data, alone.Data, 0)
		}
	}
}

// TestAttentionAllPadding: softmax over a chunk of padding alone is unmasked, the
// element functions give 0.
func TestAttentionAllPadding(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	q, k, v := random(r, 3, 2), random(r, 3, 2), random(r, 3, 2)
	mask := []bool{true, true, true}
	unmasked := Attention(q, k, v, nil, nil, AttentionOptions{Function: "softmax"})
	within(t, "softmax", Attention(q, k, v, nil, mask, AttentionOptions{Function: "softmax"}).Data, unmasked.Data, 0)
	for _, f := range attentionFunctions[1:] {
		for _, y := range Attention(q, k, v, nil, mask, AttentionOptions{Function: f}).Data {
			if y != 0 {
				t.Errorf("%s of padding alone is %v", f, y)
			}
		}
	}
}

func TestAttentionGradient(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	mask := []bool{false, false, true, false, false, false}
	for _, f := range attentionFunctions {
		for _, causal := range []bool{false, true} {
			q, k, v, bias := random(r, 6, 2), random(r, 6, 2), random(r, 6, 3), random(r, 3, 3)
			o := AttentionOptions{Function: f, Causal: causal, Chunk: 3}
			checkGradient(t, f, func() *Matrix { return Attention(q, k, v, bias, mask, o) }, q, k, v, bias)
		}
	}
}

// TestBiases: both depend on j−i alone, the simple one by the definition.
func TestBiases(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	w, alpha, beta := random(r, 1, 13), random(r, 1, 6), random(r, 1, 6)
	simple, rotary := SimpleBias(w)(5), RotaryBias(alpha, beta)(5)
	for i := range 5 {
		for j := range 5 {
			if simple.At(i, j) != w.Data[6+j-i] {
				t.Errorf("simple bias %d, %d is not of offset %d", i, j, j-i)
			}
			// ⟨R_i a, R_j b⟩ by complex numbers: Re Σ a·conj(b)·e^{i(i−j)θ}
			want := 0.0
			for c := range 3 {
				theta := float64(i-j) * math.Pow(10000, -float64(c)/3)
				a1, a2, b1, b2 := alpha.Data[c], alpha.Data[c+3], beta.Data[c], beta.Data[c+3]
				want += (a1*b1+a2*b2)*math.Cos(theta) + (a1*b2-a2*b1)*math.Sin(theta)
			}
			within(t, "rotary bias", []float64{rotary.At(i, j)}, []float64{want}, 1e-13)
		}
	}
	checkGradient(t, "simple bias", func() *Matrix { return SimpleBias(w)(5) }, w)
	checkGradient(t, "rotary bias", func() *Matrix { return RotaryBias(alpha, beta)(5) }, alpha, beta)
}

// TestGatedAttentionBatch: a sequence's output does not depend on the others, nor
// on padding behind it.
func TestGatedAttentionBatch(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 6))
	for _, f := range attentionFunctions {
		for _, prenorm := range []bool{false, true} {
			g := randomGatedAttention(r, f, prenorm)
			x := random(r, 2*6, 3)
			masks := [][]bool{make([]bool, 6), {false, false, false, false, true, true}}
			both := g.Forward(x, masks)
			first := g.Forward(Rows(x, 0, 6), masks[:1])
			within(t, "first sequence", Rows(both, 0, 6).Data, first.Data, 1e-14)
			second := g.Forward(Rows(x, 6, 10), noMasks(1, 4))
			within(t, "second sequence", Rows(both, 6, 10).Data, second.Data, 1e-14)
		}
	}
}

func randomGatedAttention(r *rand.Rand, function string, prenorm bool) *GatedAttention {
	const d, z, h, n = 3, 2, 4, 2
	return &GatedAttention{
		Norm:    &Norm{Type: "layernorm", Weight: random(r, 1, d), Bias: random(r, 1, d)},
		Prenorm: prenorm, EMA: randomEMA(r, 2*d, d, n),
		V:     Projection{random(r, h, d), random(r, 1, h)},
		MX:    Projection{random(r, d+z+h+d, d), random(r, 1, d+z+h+d)},
		H:     Projection{random(r, d, h), random(r, 1, d)},
		Gamma: random(r, 2, z), Beta: random(r, 2, z),
		Bias: SimpleBias(random(r, 1, 11)), Activation: SiLU,
		Attention: AttentionOptions{Function: function},
	}
}

// TestCrossAttentionPadding: padding behind a source changes nothing.
func TestCrossAttentionPadding(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	const d, z = 3, 2
	for _, f := range attentionFunctions {
		c := &CrossAttention{
			Norm: &Norm{Type: "rmsnorm", Weight: random(r, 1, d)}, Prenorm: true,
			Q: Projection{random(r, 2*d+z, d), random(r, 1, 2*d+z)}, K: Projection{random(r, z, d), nil},
			V: Projection{random(r, d, d), nil}, H: Projection{random(r, d, d), nil},
			Bias: SimpleBias(random(r, 1, 21)), Activation: SiLU, Function: f,
		}
		x, source := random(r, 4, d), random(r, 7, d)
		padded := c.Forward(x, source, [][]bool{{false, false, false, false, false, true, true}})
		within(t, f, padded.Data, c.Forward(x, Rows(source, 0, 5), noMasks(1, 5)).Data, 1e-14)
		checkGradient(t, f, func() *Matrix { return c.Forward(x, source, noMasks(1, 7)) }, x, source, c.Q.Weight, c.K.Weight)
	}
}
