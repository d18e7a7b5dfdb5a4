package nn

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/mega-go/mega/autograd"
	"github.com/mega-go/mega/internal/naive"
	"github.com/mega-go/mega/tensor"
)

// A layerCase is a layer on an input [2, 3, 4] or on tokens, with its twin in
// float64.
type layerCase struct {
	name  string
	names string // of parameters, buffers, counters and aliases, with shapes
	shape []int  // of the output
	build func(p Path) forward
	twin  func(w weights, x *naive.Matrix) *naive.Matrix
}

type forward func(t *autograd.Tape, x *autograd.Variable) *autograd.Variable

// weights are parameters by name.
type weights map[string]*naive.Matrix

var (
	layerTokens = []int32{5, 1, 0, 9, 11, 3} // 1 is padding
	layerReals  = []float32{0.5, -1, 2, 0.25, 0, 3}
)

func layerCases() []layerCase {
	cases := []layerCase{
		{"Linear", "weight [5 4], bias [5]", []int{2, 3, 5},
			func(p Path) forward {
				l := NewLinear(p, 4, 5, true, XavierUniform)
				return func(t *autograd.Tape, x *autograd.Variable) *autograd.Variable {
					return l.Forward(t, x, autograd.SiLU)
				}
			},
			func(w weights, x *naive.Matrix) *naive.Matrix {
				return naive.SiLU(naive.Linear(x, w["weight"], w["bias"]))
			}},
		{"Linear without bias, added", "weight [4 4]", []int{2, 3, 4},
			func(p Path) forward {
				l := NewLinear(p, 4, 4, false, XavierUniform)
				return func(t *autograd.Tape, x *autograd.Variable) *autograd.Variable {
					return l.ForwardAdd(t, x, x, autograd.Tanh)
				}
			},
			func(w weights, x *naive.Matrix) *naive.Matrix {
				y := naive.Add(x, naive.Linear(x, w["weight"], nil))
				return naive.Map(y, func(v float64) (float64, float64) { return math.Tanh(v), 1 - math.Tanh(v)*math.Tanh(v) })
			}},
		{"Embedding", "weight [12 4]", []int{2, 3, 4},
			func(p Path) forward {
				e := NewEmbedding(p, 12, 4, naive.Pad, true)
				e.Scale = 2
				return func(t *autograd.Tape, _ *autograd.Variable) *autograd.Variable {
					return e.Forward(t, layerTokens, 2, 3)
				}
			},
			func(w weights, _ *naive.Matrix) *naive.Matrix {
				return naive.Scale(naive.TokenEmbedding(w["weight"], ints(layerTokens)), 2)
			}},
		{"RealEmbedding", "weight [4], bias [4]", []int{2, 3, 4},
			func(p Path) forward {
				e := NewRealEmbedding(p, 1, 4)
				return func(t *autograd.Tape, _ *autograd.Variable) *autograd.Variable {
					return e.Forward(t, layerReals, 2, 3)
				}
			},
			func(w weights, _ *naive.Matrix) *naive.Matrix {
				return naive.RealEmbedding(w["weight"], w["bias"], naive.FromFloat32(6, 1, layerReals).Data)
			}},
		{"SimpleBias", "rel_pos_bias [9]", []int{9},
			func(p Path) forward { return biasOf(NewSimpleBias(p, 5), 5) },
			func(w weights, _ *naive.Matrix) *naive.Matrix {
				return ofDistances(naive.SimpleBias(w["rel_pos_bias"])(5))
			}},
		{"RotaryBias", "alpha [1 6], beta [1 6]", []int{9},
			func(p Path) forward { return biasOf(NewRotaryBias(p, 6), 5) },
			func(w weights, _ *naive.Matrix) *naive.Matrix {
				return ofDistances(naive.RotaryBias(w["alpha"], w["beta"])(5))
			}},
		{"AdaptiveInput", "embeddings.0.0.weight [4 8], embeddings.0.1.weight [4 8], embeddings.1.0.weight [3 4], embeddings.1.1.weight [4 4], embeddings.2.0.weight [5 2], embeddings.2.1.weight [4 2]", []int{2, 3, 4},
			func(p Path) forward {
				a := NewAdaptiveInput(p, Bands{4, 7, 12}, 8, 4, 2, 1, naive.Pad)
				return func(t *autograd.Tape, _ *autograd.Variable) *autograd.Variable {
					return a.Forward(t, layerTokens, 2, 3)
				}
			},
			func(w weights, _ *naive.Matrix) *naive.Matrix { return adaptiveInput(w, "").Apply(ints(layerTokens)) }},
	}
	for _, kind := range NormTypes {
		for _, affine := range []bool{true, false} {
			cases = append(cases, normCase(kind, affine))
		}
	}
	for tied := range 3 {
		cases = append(cases, softmaxCase(tied))
	}
	return cases
}

// normCase is a norm in training.
func normCase(kind NormType, affine bool) layerCase {
	names := map[NormType]string{
		LayerNorm: "norm.weight [4], norm.bias [4]", ScaleNorm: "norm.scalar [1]", RMSNorm: "norm.weight [4]",
	}
	running := "norm.running_mean [4], norm.running_var [4], norm.num_batches_tracked"
	switch {
	case kind == BatchNorm || kind == SyncBatchNorm:
		if names[kind] = running; affine {
			names[kind] = names[LayerNorm] + ", " + running
		}
	case !affine:
		names[kind] = ""
	}
	return layerCase{fmt.Sprintf("%s, affine %v", kind, affine), names[kind], []int{2, 3, 4},
		func(p Path) forward { return NewNorm(p, kind, 4, affine).Forward },
		func(w weights, x *naive.Matrix) *naive.Matrix {
			n := naive.Norm{Type: string(kind), Weight: w["norm.weight"], Bias: w["norm.bias"], Training: true,
				RunningMean: make([]float64, 4), RunningVar: make([]float64, 4)}
			if kind == ScaleNorm {
				n.Weight = w["norm.scalar"]
			}
			return n.Apply(x)
		}}
}

// softmaxCase is the loss of an adaptive softmax with tables of its own, with the
// input's, or with those and its projections.
func softmaxCase(tied int) layerCase {
	const input = "in.embeddings.0.0.weight [4 4], in.embeddings.0.1.weight [4 4], in.embeddings.1.0.weight [3 2], in.embeddings.1.1.weight [4 2], in.embeddings.2.0.weight [5 1], in.embeddings.2.1.weight [4 1], out.head.word_proj.weight = in.embeddings.0.0.weight, out.head.class_proj.weight [2 4], "
	names := []string{
		"out.head.weight [6 4], out.tail.0.0.weight [2 4], out.tail.0.2.weight [3 2], out.tail.1.0.weight [1 4], out.tail.1.2.weight [5 1]",
		input + "out.tail.0.0.weight [2 4], out.tail.0.2.weight = in.embeddings.1.0.weight, out.tail.1.0.weight [1 4], out.tail.1.2.weight = in.embeddings.2.0.weight",
		input + "out.tail.0.0.weight = in.embeddings.1.1.weight, out.tail.0.2.weight = in.embeddings.1.0.weight, out.tail.1.0.weight = in.embeddings.2.1.weight, out.tail.1.2.weight = in.embeddings.2.0.weight",
	}
	return layerCase{fmt.Sprintf("AdaptiveSoftmax, tied %d", tied), names[tied], []int{1},
		func(p Path) forward {
			bands, o := Bands{4, 7, 12}, AdaptiveSoftmaxOptions{Factor: 2, TieProjections: tied == 2}
			if tied > 0 {
				o.Input = NewAdaptiveInput(p.Sub("in"), bands, 4, 4, 2, 1, naive.Pad)
			}
			s := NewAdaptiveSoftmax(p.Sub("out"), bands, 4, o)
			return func(t *autograd.Tape, x *autograd.Variable) *autograd.Variable {
				return s.Loss(t, x, layerTokens, naive.Pad).Variable
			}
		},
		func(w weights, x *naive.Matrix) *naive.Matrix {
			return adaptiveSoftmax(w, tied).Loss(x, ints(layerTokens))
		}}
}

func adaptiveInput(w weights, prefix string) *naive.AdaptiveInput {
	a := &naive.AdaptiveInput{Cutoff: []int{4, 7, 12}}
	for i := range a.Cutoff {
		a.Words = append(a.Words, w[fmt.Sprintf("%sembeddings.%d.0.weight", prefix, i)])
		a.Proj = append(a.Proj, w[fmt.Sprintf("%sembeddings.%d.1.weight", prefix, i)])
	}
	return a
}

func adaptiveSoftmax(w weights, tied int) *naive.AdaptiveSoftmax {
	in := adaptiveInput(w, "in.")
	s := &naive.AdaptiveSoftmax{Cutoff: []int{4, 7, 12}, Head: func(x *naive.Matrix) *naive.Matrix {
		if tied == 0 {
			return naive.Linear(x, w["out.head.weight"], nil)
		}
		return naive.ConcatCols(naive.Linear(x, in.Words[0], nil), naive.Linear(x, w["out.head.class_proj.weight"], nil))
	}}
	for i := range 2 {
		s.Tail = append(s.Tail, func(x *naive.Matrix) *naive.Matrix {
			projection, words := w[fmt.Sprintf("out.tail.%d.0.weight", i)], w[fmt.Sprintf("out.tail.%d.2.weight", i)]
			if tied > 0 {
				words = in.Words[i+1]
			}
			if tied == 2 {
				projection = naive.Transpose(in.Proj[i+1])
			}
			return naive.Linear(naive.Linear(x, projection, nil), words, nil)
		})
	}
	return s
}

// biasOf is the layer that gives a bias's numbers, whose middle is distance zero.
func biasOf(b PositionBias, length int) forward {
	return func(t *autograd.Tape, _ *autograd.Variable) *autograd.Variable {
		numbers, zero, err := b.Forward(t, length)
		if err != nil || zero != length-1 {
			panic(fmt.Sprintf("zero at %d, %v", zero, err))
		}
		return numbers
	}
}

// ofDistances returns the element of each distance from −(n−1) to n−1 of a bias
// [n×n], [1×2n−1].
func ofDistances(bias *naive.Matrix) *naive.Matrix {
	n := bias.Rows
	return naive.Gather(bias, 1, 2*n-1, func(_, d int) int { return max(0, n-1-d)*n + max(0, d-n+1) })
}

func ints(x []int32) []int {
	out := make([]int, len(x))
	for i, v := range x {
		out[i] = int(v)
	}
	return out
}

// TestLayers holds names, shapes, values and gradients: these against finite
// differences of the twin, by every parameter and by the input.
func TestLayers(t *testing.T) {
	for _, c := range layerCases() {
		t.Run(c.name, func(t *testing.T) {
			params := NewParams(7)
			layer := c.build(params.Root())
			if got := describe(params); got != c.names {
				t.Errorf("it has %s, want %s", got, c.names)
			}
			rng := rand.New(rand.NewPCG(3, 4))
			random := func(shape ...int) *tensor.Tensor {
				x := tensor.New(shape...)
				Normal(0, 1)(rng, x)
				return x
			}
			w := weights{}
			for _, p := range params.All() {
				p.Value().Copy(random(p.Shape()...))
				w[p.Name] = matrix(p.Value())
			}
			x := autograd.NewParameter(random(2, 3, 4))
			w["the input"] = matrix(x.Value())
			tape := autograd.NewTrainingTape()
			y := layer(tape, x)
			if !slices.Equal(y.Shape(), c.shape) {
				t.Fatalf("the output has shape %v, want %v", y.Shape(), c.shape)
			}
			twin := func() *naive.Matrix { return c.twin(w, w["the input"]) }
			compare(t, "value", y.Value().Host(), twin().Data)

			dy := random(1, y.Value().Len())
			weight := naive.New(twin().Rows, twin().Cols, matrix(dy).Data)
			tape.Backward(tape.Linear(tape.Reshape(y, 1, dy.Len()), autograd.NewConstant(dy), nil, autograd.Identity))
			for name, m := range w {
				v := x
				if i := slices.IndexFunc(params.All(), func(p *Parameter) bool { return p.Name == name }); i >= 0 {
					v = params.All()[i].Variable
				}
				want := naive.Gradient(func() float64 { return naive.Dot(twin(), weight).Data[0] }, m.Data, 1e-3)
				clearPadding(c.name, name, want, v.Cols())
				got := make([]float32, len(want))
				if g := v.Grad(); g != nil {
					copy(got, g.Host())
				}
				compare(t, "gradient by "+name, got, want)
			}
		})
	}
}

// clearPadding removes what differences say of the padding's row, which is not
// trained where tokens are looked up.
func clearPadding(layer, name string, grad []float64, cols int) {
	if layer == "Embedding" && name == "weight" || layer == "AdaptiveInput" && name == "embeddings.0.0.weight" {
		clear(grad[naive.Pad*cols:][:cols])
	}
}

// describe lists what a layer registered, in order.
func describe(p *Params) string {
	shapes := map[string]string{}
	for _, q := range p.All() {
		shapes[q.Name] = fmt.Sprintf(" %v", q.Shape())
	}
	for _, b := range p.Buffers() {
		shapes[b.Name] = fmt.Sprintf(" %v", b.Shape())
	}
	for _, a := range p.Aliases() {
		shapes[a.Name] = " = " + a.Of.Name
	}
	var out []string
	for _, name := range p.Names() {
		out = append(out, name+shapes[name])
	}
	return strings.Join(out, ", ")
}

func matrix(t *tensor.Tensor) *naive.Matrix { return naive.FromFloat32(t.Rows(), t.Cols(), t.Host()) }

// compare holds numbers to a few roundings of the largest.
func compare(t *testing.T, what string, got []float32, want []float64) {
	t.Helper()
	size := 1e-3
	for _, v := range want {
		size = max(size, math.Abs(v))
	}
	for i, v := range want {
		if !(math.Abs(float64(got[i])-v) <= 3e-6*size) {
			t.Fatalf("%s: element %d is %g, want %g", what, i, got[i], v)
		}
	}
}

// TestBatchNormRemembers checks that statistics are recorded in training, and
// used elsewhere.
func TestBatchNormRemembers(t *testing.T) {
	params := NewParams(1)
	n := NewNorm(params.Root(), BatchNorm, 2, true)
	x := autograd.NewConstant(tensor.FromSlice([]float32{1, 10, 3, 30}, 2, 2))
	tape := autograd.NewTrainingTape()
	n.Forward(tape, x)
	mean, variance := params.Buffers()[0].Host(), params.Buffers()[1].Host()
	compare(t, "running mean", mean, []float64{0.2, 2})
	compare(t, "running variance", variance, []float64{0.9 + 0.1*2, 0.9 + 0.1*200})
	if params.Counters()[0].Value != 1 {
		t.Errorf("%d batches", params.Counters()[0].Value)
	}
	y := n.Forward(autograd.NewTape(), x)
	var want []float64
	for i, v := range []float64{1, 10, 3, 30} {
		want = append(want, (v-float64(mean[i%2]))/math.Sqrt(float64(variance[i%2])+normEpsilon))
	}
	compare(t, "value outside training", y.Value().Host(), want)
	if params.Counters()[0].Value != 1 {
		t.Error("a batch outside training was counted")
	}
}

// TestAdaptiveProbabilities: those of all words sum to 1, and TargetLogProbs
// gives the targets' of them.
func TestAdaptiveProbabilities(t *testing.T) {
	params := NewParams(1)
	s := NewAdaptiveSoftmax(params.Root(), Bands{4, 7, 12}, 4, AdaptiveSoftmaxOptions{Factor: 2})
	x := tensor.New(6, 4)
	Normal(0, 1)(rand.New(rand.NewPCG(1, 1)), x)
	tape := autograd.NewTape()
	all := s.LogProbs(tape, autograd.NewConstant(x)).Value()
	targets := s.TargetLogProbs(tape, autograd.NewConstant(x), layerTokens)
	for i, target := range layerTokens {
		row, sum := all.Host()[i*12:][:12], 0.0
		for _, v := range row {
			sum += math.Exp(float64(v))
		}
		if math.Abs(sum-1) > 1e-5 || math.Abs(targets[i]-float64(row[target])) > 1e-5 {
			t.Errorf("row %d: probabilities sum to %g; target %d has %g, want %g", i, sum, target, targets[i], row[target])
		}
	}
}

// TestDropout: elements, or with Feature a channel of a sequence or of a chunk,
// are dropped or scaled together, and nothing is outside training.
func TestDropout(t *testing.T) {
	const batch, length, channels, chunk, p = 8, 6, 40, 3, 0.25
	ones := tensor.New(batch, length, channels)
	ones.Fill(1)
	x := autograd.NewConstant(ones)
	same := &Linear{Weight: &Parameter{Variable: autograd.NewConstant(tensor.New(channels, channels))}}
	for i := range channels {
		same.Weight.Value().Row(i)[i] = 1
	}
	for _, c := range []struct {
		name  string
		run   func(tape *autograd.Tape) *autograd.Variable
		group func(row, channel int) int
	}{
		{"elements", func(t *autograd.Tape) *autograd.Variable { return Dropout{P: p}.Forward(t, x) },
			func(row, channel int) int { return row*channels + channel }},
		{"features", func(t *autograd.Tape) *autograd.Variable { return Dropout{p, true}.Forward(t, x) },
			func(row, channel int) int { return row/length*channels + channel }},
		{"elements of chunks", func(t *autograd.Tape) *autograd.Variable {
			return Dropout{P: p}.LinearChunks(t, same, x, autograd.ReLU, chunk)
		}, func(row, channel int) int { return row*channels + channel }},
		{"chunks", func(t *autograd.Tape) *autograd.Variable {
			return Dropout{p, true}.LinearChunks(t, same, x, autograd.ReLU, chunk)
		}, func(row, _ int) int { return row / chunk }},
	} {
		tape := autograd.NewTrainingTape()
		tape.SetSeed(5)
		groups, dropped := map[int]float32{}, 0
		for i, v := range c.run(tape).Value().Host() {
			group := c.group(i/channels, i%channels)
			if before, ok := groups[group]; ok && before != v || v != 0 && math.Abs(float64(v)-1/(1-p)) > 1e-6 {
				t.Fatalf("%s: element %d is %g, another of its group %g", c.name, i, v, before)
			}
			if groups[group] = v; v == 0 {
				dropped++
			}
		}
		share := float64(dropped) / float64(ones.Len())
		if deviation := math.Sqrt(p * (1 - p) / float64(len(groups))); math.Abs(share-p) > 4*deviation {
			t.Errorf("%s: a share of %g is dropped", c.name, share)
		}
		if y := c.run(autograd.NewTape()).Value().Host(); !slices.Equal(y, ones.Host()) {
			t.Errorf("%s: numbers are dropped outside training", c.name)
		}
	}
	if (Dropout{P: p}).Active(autograd.NewTape()) || (Dropout{}).Active(autograd.NewTrainingTape()) || !(Dropout{P: p}).Active(autograd.NewTrainingTape()) {
		t.Error("Active is wrong")
	}
}

// TestDropoutTogether holds that dropout in one operation with an activation, a gate or a sum
// gives the bits of one operation after the other, values and gradients.
func TestDropoutTogether(t *testing.T) {
	const p = 0.3
	normal := func(seed uint64, shape ...int) *autograd.Variable {
		r, x := rand.New(rand.NewPCG(seed, 0)), tensor.New(shape...)
		for i := range x.Data() {
			x.Data()[i] = float32(r.NormFloat64())
		}
		return autograd.NewParameter(x)
	}
	residual, u, h, w := normal(1, 2, 5, 7), normal(2, 2, 5, 7), normal(3, 2, 5, 7), normal(4, 7, 7)
	l := &Linear{Weight: &Parameter{Variable: w}}
	d, none := Dropout{P: p}, autograd.Ending{}
	norm := &Norm{kind: RMSNorm, weight: &Parameter{Variable: normal(5, 7)}}
	for name, ways := range map[string][2]func(t *autograd.Tape) *autograd.Variable{
		"activation": {
			func(t *autograd.Tape) *autograd.Variable { return d.ActivateForProducts(t, autograd.SiLU, h) },
			func(t *autograd.Tape) *autograd.Variable { return d.Forward(t, t.Activate(autograd.SiLU, h)) },
		},
		"linear": {
			func(t *autograd.Tape) *autograd.Variable { return d.Linear(t, l, h, autograd.SiLU) },
			func(t *autograd.Tape) *autograd.Variable { return d.Forward(t, l.Forward(t, h, autograd.SiLU)) },
		},
		"linear for products": {
			func(t *autograd.Tape) *autograd.Variable {
				return l.Forward(t, d.LinearForProducts(t, l, h, autograd.SiLU), autograd.Identity)
			},
			func(t *autograd.Tape) *autograd.Variable {
				return l.Forward(t, d.Forward(t, l.Forward(t, h, autograd.SiLU)), autograd.Identity)
			},
		},
		"linear and gate": {
			func(t *autograd.Tape) *autograd.Variable {
				return d.LinearGate(t, residual, u, h, h, l, autograd.SiLU, 0)
			},
			func(t *autograd.Tape) *autograd.Variable {
				return d.Gate(t, residual, u, l.ForwardAdd(t, h, h, autograd.Identity), autograd.SiLU, 0)
			},
		},
		"gate": {
			func(t *autograd.Tape) *autograd.Variable { return d.Gate(t, residual, u, h, autograd.SiLU, 0) },
			func(t *autograd.Tape) *autograd.Variable {
				return t.GatedResidual(residual, u, d.Forward(t, t.Activate(autograd.SiLU, h)), none)
			},
		},
		"norm": {
			func(t *autograd.Tape) *autograd.Variable { return norm.Dropout(t, h, d) },
			func(t *autograd.Tape) *autograd.Variable { return d.Forward(t, norm.Forward(t, h)) },
		},
		"sum": {
			func(t *autograd.Tape) *autograd.Variable { return d.LinearResidual(t, residual, h, l, 0) },
			func(t *autograd.Tape) *autograd.Variable {
				return t.Add(d.Forward(t, l.Forward(t, h, autograd.Identity)), residual)
			},
		},
	} {
		var said [2][][]float32
		for i, way := range ways {
			tape := autograd.NewTrainingTape()
			tape.SetSeed(9)
			y := way(tape)
			said[i] = append(said[i], slices.Clone(y.Value().Data()))
			tape.Backward(tape.Activate(autograd.Tanh, y))
			for _, v := range []*autograd.Variable{residual, u, h, w, norm.weight.Variable} {
				if v.Grad() != nil {
					said[i] = append(said[i], slices.Clone(v.Grad().Data()))
				}
				v.ZeroGrad()
			}
		}
		if !slices.EqualFunc(said[0], said[1], slices.Equal[[]float32]) {
			t.Errorf("%s: %v together, %v one after the other", name, said[0], said[1])
		}
	}
}
