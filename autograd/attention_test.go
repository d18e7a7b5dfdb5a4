package autograd

import (
	"fmt"
	"math"
	"testing"

	"github.com/mega-go/mega/internal/naive"
	"github.com/mega-go/mega/tensor"
)

var attentionFunctions = []AttentionFunction{AttentionSoftmax, AttentionReLU2, AttentionLaplace}

// scaleOf is what the product of queries and keys is multiplied by.
func scaleOf(f AttentionFunction, z int) float64 {
	if f == AttentionSoftmax {
		return 1 / math.Sqrt(float64(z))
	}
	return 1
}

// TestSelfAttention holds chunks of a sequence against naive.Attention. With
// causal softmax no query may see padding alone, where the reference has NaN.
func TestSelfAttention(t *testing.T) {
	cases := []struct{ segments, length, z, h int }{{1, 1, 1, 1}, {3, 5, 4, 7}, {2, 17, 6, 16}, {1, 37, 3, 33}}
	for _, f := range attentionFunctions {
		for _, causal := range []bool{false, true} {
			for _, c := range cases {
				for name, mask := range attentionMasks(c.segments, c.length, causal) {
					checkSelfAttention(t, fmt.Sprint(f, causal, c, " ", name), c.segments, c.z, c.h, mask, AttentionConfig{
						Function: f, Queries: c.length, Keys: c.length, Causal: causal, Scale: scaleOf(f, c.z), Mask: mask,
					})
				}
			}
		}
	}
}

func checkSelfAttention(t *testing.T, name string, segments, z, h int, mask []bool, c AttentionConfig) {
	t.Helper()
	n := segments * c.Queries
	slow := func(x []*naive.Matrix, bias *naive.Matrix) *naive.Matrix {
		return naive.Attention(x[0], x[1], x[2], bias, mask, naive.AttentionOptions{
			Function: c.Function.String(), Causal: c.Causal, Chunk: c.Queries,
		})
	}
	checkGrad(t, name, operation{
		fast:  func(t *Tape, x []*Variable) *Variable { return t.Attention(x[0], x[1], x[2], c) },
		slow:  func(x []*naive.Matrix) *naive.Matrix { return slow(x, nil) },
		views: []int{0, 1, 2}, device: 8,
	}, shape{n, z}, shape{n, z}, shape{n, h})
	reach := c.Queries + 2
	checkGrad(t, name+" bias", operation{
		fast: func(t *Tape, x []*Variable) *Variable {
			c := c
			c.Bias, c.BiasZero = x[3], reach-1
			return t.Attention(x[0], x[1], x[2], c)
		},
		slow:  func(x []*naive.Matrix) *naive.Matrix { return slow(x, naive.SimpleBias(x[3])(c.Queries)) },
		views: []int{0, 2}, device: 8,
	}, shape{n, z}, shape{n, z}, shape{n, h}, shape{2*reach - 1})
}

// attentionMasks are masks, but for causal attention with the padding behind.
func attentionMasks(segments, length int, causal bool) map[string][]bool {
	m := masks(segments, length)
	if causal {
		for i := range length / 3 {
			m["ends"][i] = false
		}
	}
	return m
}

// attend is attention of queries to other keys in float64, for one segment.
func attend(q, k, v, bias, drop *naive.Matrix, mask []bool, c AttentionConfig) *naive.Matrix {
	offset := k.Rows - q.Rows // the last query sees all keys
	hidden := func(i, j int) bool { return c.Causal && j > i+offset || mask != nil && mask[j] }
	scores := naive.Scale(naive.MatMul(q, naive.Transpose(k)), c.Scale)
	if c.Function != AttentionSoftmax {
		keys := 0
		for j := range k.Rows {
			if mask == nil || !mask[j] {
				keys++
			}
		}
		scores = naive.Div(scores, naive.FromFunc(q.Rows, 1, func(i, _ int) float64 {
			if c.Causal {
				return float64(i + 1 + offset)
			}
			return float64(max(1, keys))
		}))
	}
	if bias != nil {
		scores = naive.Add(scores, naive.Gather(bias, q.Rows, k.Rows, func(i, j int) int { return min(c.BiasZero+j-i, bias.Cols-1) }))
	}
	var weights *naive.Matrix
	switch c.Function {
	case AttentionSoftmax:
		weights = naive.Softmax(naive.Fill(scores, math.Inf(-1), hidden))
	case AttentionReLU2:
		weights = naive.Fill(naive.ReLU2(scores), 0, hidden)
	case AttentionLaplace:
		weights = naive.Fill(naive.Laplace(scores), 0, hidden)
	}
	if drop != nil {
		weights = naive.Mul(weights, drop)
	}
	return naive.MatMul(weights, v)
}

// segmentwise runs attend on every segment of q, k and v.
func segmentwise(q, k, v, bias, drop *naive.Matrix, c AttentionConfig) *naive.Matrix {
	var out []*naive.Matrix
	for s := range q.Rows / c.Queries {
		from, to := s*c.Keys, (s+1)*c.Keys
		var mask []bool
		if c.Mask != nil {
			mask = c.Mask[from:to]
		}
		var dropped *naive.Matrix
		if drop != nil {
			dropped = naive.Rows(drop, s*c.Queries, (s+1)*c.Queries)
		}
		out = append(out, attend(naive.Rows(q, s*c.Queries, (s+1)*c.Queries), naive.Rows(k, from, to), naive.Rows(v, from, to), bias, dropped, mask, c))
	}
	return naive.ConcatRows(out...)
}

// TestCrossAttention has more keys than queries or, without order, fewer.
func TestCrossAttention(t *testing.T) {
	const segments, z, h = 2, 5, 9
	for _, f := range attentionFunctions {
		for _, c := range []AttentionConfig{
			{Queries: 3, Keys: 11}, {Queries: 12, Keys: 5}, {Queries: 1, Keys: 7}, {Queries: 6, Keys: 1},
			{Queries: 1, Keys: 7, Causal: true}, {Queries: 4, Keys: 9, Causal: true},
		} {
			c.Function, c.Scale = f, scaleOf(f, z)
			c.BiasZero = c.Queries + 1
			c.Mask = masks(segments, c.Keys)["ends"]
			checkGrad(t, fmt.Sprint(f, c.Queries, c.Keys, c.Causal), operation{
				fast: func(t *Tape, x []*Variable) *Variable {
					c := c
					c.Bias = x[3]
					return t.Attention(x[0], x[1], x[2], c)
				},
				slow:  func(x []*naive.Matrix) *naive.Matrix { return segmentwise(x[0], x[1], x[2], x[3], nil, c) },
				views: []int{0, 1, 2}, device: 2,
			}, shape{segments, c.Queries, z}, shape{segments, c.Keys, z}, shape{segments, c.Keys, h}, shape{c.Queries + c.Keys + 3})
		}
	}
}

// TestAttentionDropout drops the same weights forwards and backwards: those that
// are missing when the values are the identity, which makes the output the
// weights.
func TestAttentionDropout(t *testing.T) {
	const segments, n, z = 2, 13, 4
	for _, f := range attentionFunctions {
		c := AttentionConfig{Function: f, Queries: n, Keys: n, Scale: scaleOf(f, z), Dropout: 0.3}
		drop := droppedWeights(c, segments)
		checkRate(t, drop.Data, 0.3)
		checkGrad(t, f.String(), operation{
			fast:    func(t *Tape, x []*Variable) *Variable { return t.Attention(x[0], x[1], x[2], c) },
			slow:    func(x []*naive.Matrix) *naive.Matrix { return segmentwise(x[0], x[1], x[2], nil, drop, c) },
			views:   []int{0, 1, 2},
			trained: true,
		}, shape{segments, n, z}, shape{segments, n, z}, shape{segments, n, 6})
	}
}

// droppedWeights returns what dropout multiplies attention weights by, for
// segments segments of as many queries as keys.
func droppedWeights(c AttentionConfig, segments int) *naive.Matrix {
	n := c.Keys
	c.Function, c.Scale = AttentionSoftmax, 0 // every weight is 1/n
	identity, zero := tensor.New(segments*n, n), NewConstant(tensor.New(segments*n, 1))
	for i := range identity.Rows() {
		identity.Row(i)[i%n] = float32(n)
	}
	t := NewTrainingTape()
	t.SetSeed(dropSeed)
	y := t.Attention(zero, zero, NewConstant(identity), c).Value()
	return naive.FromFloat32(y.Rows(), y.Cols(), y.Data())
}

// TestAttentionOfPadding: a causal query that sees only padding gets zero where
// the segment has other keys, and gradients stay finite.
func TestAttentionOfPadding(t *testing.T) {
	forEachKernel(t, func(t *testing.T) {
		tape := NewTrainingTape()
		ones := func() *Variable {
			x := tensor.New(3, 2)
			for i := range x.Data() {
				x.Data()[i] = 1
			}
			return NewParameter(x)
		}
		q, k, v := ones(), ones(), ones()
		y := tape.Attention(q, k, v, AttentionConfig{
			Queries: 3, Keys: 3, Causal: true, Scale: 1, Mask: []bool{true, false, false},
		})
		equal(t, "value", y.Value().Data(), []float32{0, 0, 1, 1, 1, 1})
		tape.Backward(tape.weigh(y, []float32{1, 2, 3, 4, 5, 6}))
		within(t, "gradient of values", v.Grad().Data(), []float64{0, 0, 5.5, 7, 2.5, 3}, 1, 0)
		for name, x := range map[string]*Variable{"queries": q, "keys": k} {
			within(t, "gradient of "+name, x.Grad().Data(), make([]float64, 6), 1, 1e-5)
		}
	})
}

// TestRotaryBias holds every element of the matrix that the numbers stand for
// against the specification, and the gradient by way of the first row and column.
func TestRotaryBias(t *testing.T) {
	for _, c := range []struct{ chunk, z int }{{1, 2}, {7, 2}, {12, 6}, {33, 18}, {5, 18}} {
		op := operation{
			fast: func(t *Tape, x []*Variable) *Variable { return t.RotaryBias(x[0], x[1], c.chunk) },
			slow: func(x []*naive.Matrix) *naive.Matrix {
				matrix := naive.RotaryBias(x[0], x[1])(c.chunk)
				return naive.Gather(matrix, 1, 2*c.chunk-1, func(_, n int) int {
					offset := n - (c.chunk - 1) // key minus query
					return max(0, -offset)*c.chunk + max(0, offset)
				})
			},
		}
		checkGrad(t, fmt.Sprint(c), op, shape{1, c.z}, shape{1, c.z})
	}
}

func TestRotaryBiasMatrix(t *testing.T) {
	const chunk, z = 20, 10
	alpha, beta := kept(func(t *Tape, x *Variable) *Variable { return t.Dropout(x, 0.3) }, shape{1, z}), naive.FromFunc(1, z, func(_, j int) float64 { return float64(j) / 8 })
	want := naive.RotaryBias(alpha, beta)(chunk)
	bias := NewTape().RotaryBias(NewConstant(toTensor(alpha.Data).Reshape(1, z)), NewConstant(toTensor(beta.Data).Reshape(1, z)), chunk).Value().Data()
	for i := range chunk {
		var row []float32
		for j := range chunk {
			row = append(row, bias[chunk-1+j-i])
		}
		within(t, fmt.Sprint("row ", i), row, want.Row(i), 1, 0)
	}
}
