package mega_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/mega-go/mega"
	"github.com/mega-go/mega/autograd"
	"github.com/mega-go/mega/internal/naive"
	"github.com/mega-go/mega/nn"
)

// Bounds on the error of a whole model against its specification in float64:
// outputs and losses by their norm, a gradient by its own norm and that of all
// gradients together, since one that is zero in exact arithmetic, such as that of
// a bias ahead of batch norm, is rounding noise here.
const (
	outputBound   = 3e-6
	gradientBound = 1e-5
	gradientFloor = 3e-6
)

// shake adds noise to every parameter, so that none is zero and none like
// another, and gives the running statistics values of their own.
func shake(rng *rand.Rand, p *nn.Params) {
	for _, q := range p.All() {
		for i := range q.Value().Data() {
			q.Value().Data()[i] += float32(0.15 * rng.NormFloat64())
		}
	}
	for _, b := range p.Buffers() {
		for i := range b.Data() {
			b.Data()[i] += float32(0.3 * rng.Float64())
		}
	}
}

// specification builds the model in float64 from a configuration, in which JSON
// names are the reference's arguments, and parameters.
func specification(t *testing.T, config any, p *nn.Params, more map[string]any) *naive.Model {
	t.Helper()
	weights := map[string]naive.Tensor{}
	add := func(name string, shape []int, data []float32) {
		weights[name] = naive.Tensor{Shape: shape, Data: naive.FromFloat32(1, len(data), data).Data}
	}
	for _, q := range p.All() {
		add(q.Name, q.Shape(), q.Value().Data())
	}
	for _, b := range p.Buffers() {
		add(b.Name, b.Shape(), b.Data())
	}
	for _, a := range p.Aliases() {
		add(a.Name, a.Of.Shape(), a.Of.Value().Data())
	}
	m, err := naive.NewModel(arguments(t, config, more), weights)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// arguments returns a configuration as the reference has it, lists with commas.
func arguments(t *testing.T, config any, more map[string]any) map[string]any {
	t.Helper()
	args := map[string]any{}
	data, err := json.Marshal(config)
	if err == nil {
		err = json.Unmarshal(data, &args)
	}
	if err != nil {
		t.Fatal(err)
	}
	for key, v := range args {
		if list, ok := v.([]any); ok {
			args[key] = strings.Join(strings.Fields(strings.Trim(fmt.Sprint(list), "[]")), ",")
		}
	}
	for key, v := range more {
		args[key] = v
	}
	return args
}

// within reports a distance from want of more than bound of its norm and floor.
func within(t *testing.T, what string, got []float32, want []float64, bound, floor float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d numbers, want %d", what, len(got), len(want))
	}
	sum, norm := 0.0, 0.0
	for i, w := range want {
		sum += (float64(got[i]) - w) * (float64(got[i]) - w)
		norm += w * w
	}
	if d, norm := math.Sqrt(sum), math.Sqrt(norm); !(d <= bound*norm+floor) {
		t.Errorf("%s: off by %.3g, norm %.3g, bound %.3g", what, d, norm, bound*norm+floor)
	}
}

// compareTraining holds a loss, all gradients and running statistics against the
// specification's for a batch.
func compareTraining(t *testing.T, m *naive.Model, b naive.Batch, p *nn.Params, loss float64) {
	t.Helper()
	m.Train(true)
	out := m.Forward(b)
	within(t, "loss", []float32{float32(loss)}, out.Loss.Data, outputBound, 0)
	naive.Backward(out.Loss)
	total := 0.0
	for _, q := range p.All() {
		for _, g := range m.Params[q.Name].Grad {
			total = math.Hypot(total, g)
		}
	}
	for _, q := range p.All() {
		want := m.Params[q.Name].Grad
		if want == nil { // the loss does not depend on it
			want = make([]float64, len(q.Value().Data()))
		}
		got := make([]float32, len(want))
		if g := q.Grad(); g != nil {
			copy(got, g.Data())
		}
		within(t, "gradient of "+q.Name, got, want, gradientBound, gradientFloor*total)
	}
	for _, b := range p.Buffers() {
		within(t, b.Name, b.Data(), m.Buffers[b.Name], outputBound, 0)
	}
}

// train runs a loss forwards and backwards with dropout off.
func train(t *testing.T, p *nn.Params, loss func(tape *autograd.Tape) (autograd.Loss, error)) float64 {
	t.Helper()
	p.ZeroGrad()
	tape := autograd.NewTrainingTape()
	l, err := loss(tape)
	if err != nil {
		t.Fatal(err)
	}
	tape.Backward(l.Variable)
	return l.Host().Sum
}

// keepBuffers returns a function that puts the running statistics back.
func keepBuffers(p *nn.Params) (restore func()) {
	var kept [][]float32
	for _, b := range p.Buffers() {
		kept = append(kept, slices.Clone(b.Data()))
	}
	return func() {
		for i, b := range p.Buffers() {
			copy(b.Data(), kept[i])
		}
	}
}

// pick returns one of the values.
func pick[T any](rng *rand.Rand, values ...T) T { return values[rng.IntN(len(values))] }

// A variant is one of the ways in which blocks differ.
type variant struct {
	norm, attention, bias string
	prenorm, chunked      bool
}

// variants returns all there are.
func variants() []variant {
	var all []variant
	for _, norm := range nn.NormTypes {
		for _, attention := range []string{"softmax", "relu2", "laplace"} {
			for _, bias := range []string{"simple", "rotary"} {
				for i := range 4 {
					all = append(all, variant{string(norm), attention, bias, i&1 != 0, i&2 != 0})
				}
			}
		}
	}
	return all
}

func (v variant) String() string {
	return fmt.Sprintf("%s %s %s prenorm=%t chunked=%t", v.norm, v.attention, v.bias, v.prenorm, v.chunked)
}

// randomText returns a batch of token ids padded to its longest row, with the
// padding at the end or, as the reference does to sources, at the start.
func randomText(rng *rand.Rand, rows, length, vocab int, left bool) (tokens, lengths []int32) {
	for i := range rows {
		n := length
		if i > 0 {
			n = 1 + rng.IntN(length)
		}
		for j := range length {
			token := int32(2 + rng.IntN(vocab-2))
			if !left && j >= n || left && j < length-n {
				token = 1
			}
			tokens = append(tokens, token)
		}
		lengths = append(lengths, int32(n))
	}
	return tokens, lengths
}

// table returns x as rows of ints.
func table(x []int32, rows int) [][]int {
	out := make([][]int, rows)
	for i, v := range x {
		out[i*rows/len(x)] = append(out[i*rows/len(x)], int(v))
	}
	return out
}

func ints(x []int32) []int {
	if x == nil {
		return nil
	}
	return table(x, 1)[0]
}

// randomClassifier returns a small configuration of a variant, the rest of it at
// random.
func randomClassifier(rng *rand.Rand, v variant) mega.ClassifierConfig {
	d, h := 2+rng.IntN(9), 1+rng.IntN(12)
	c := mega.ClassifierConfig{
		Seed: rng.Uint64(), InputType: pick(rng, mega.InputText, mega.InputText, mega.InputImage, mega.InputAudio),
		VocabSize: 5 + rng.IntN(20), MaxPositions: 30, SenRepType: pick(rng, "mp", "cls"),
		EncoderLayers: 1 + rng.IntN(2), EncoderEmbedDim: d, EncoderHiddenDim: h,
		EncoderFFNEmbedDim: pick(rng, 0, h), ZDim: 2 * (1 + rng.IntN(4)), NDim: 1 + rng.IntN(4),
		ActivationFn: pick(rng, "silu", "relu", "gelu", "gelu_accurate", "linear"), AttentionActivationFn: v.attention,
		NormType: v.norm, EncoderNormalizeBefore: v.prenorm, NormalizeEmbedding: !v.prenorm && rng.IntN(2) == 0,
		RelPosBias: v.bias, ChunkSize: -1, TruncationLength: pick(rng, 0, -1, 1, 5, 100),
		ClassifierLayers: rng.IntN(3), ClassifierInDim: d, ClassifierOutDim: d,
		ClassifierActivationFn: pick(rng, "gelu", "relu", "silu"), SentenceClassNum: 1 + rng.IntN(5),
	}
	if v.chunked {
		c.ChunkSize = 1 + rng.IntN(9)
	}
	if c.Tokens() && rng.IntN(3) == 0 {
		c.ClassifierInDim, c.ClassifierOutDim = 2*d, 2*d
	}
	if !c.Tokens() {
		// Batch norm of numbers cancels the scale of their embedding, whose
		// gradient is then all rounding.
		c.VocabSize, c.NormalizeEmbedding = 0, c.NormalizeEmbedding && !strings.Contains(v.norm, "batch")
		c.InputChannels = rng.IntN(4)
	}
	return c
}

// randomInput returns a batch of a classifier, as the model and as the
// specification read it. Lengths may be shorter than a chunk, and one.
func randomInput(rng *rand.Rand, c mega.ClassifierConfig) (*mega.Input, naive.Batch) {
	in := &mega.Input{Rows: 2 + rng.IntN(3), Length: pick(rng, 1, 2, 3, 4, 5, 8, 13, 21)}
	if in.Length == 1 { // batch norm of two rows is their signs
		in.Rows = 8
	}
	if !c.Tokens() {
		// The reference pads to whole chunks only texts.
		if c.ChunkSize > 0 && in.Length > c.ChunkSize {
			in.Length -= in.Length % c.ChunkSize
		}
		var values [][]float64
		row := in.Length * c.Channels()
		for range in.Rows * row {
			in.Samples = append(in.Samples, float32(rng.NormFloat64()))
		}
		for i := range in.Rows {
			values = append(values, naive.FromFloat32(1, row, in.Samples[i*row:][:row]).Data)
		}
		return in, naive.Batch{Values: values}
	}
	in.Tokens, in.Lengths = randomText(rng, in.Rows, in.Length, c.VocabSize, false)
	b := naive.Batch{Tokens: table(in.Tokens, in.Rows), Lengths: ints(in.Lengths)}
	if c.Pair() {
		in.Pair = &mega.Input{Rows: in.Rows, Length: 1 + rng.IntN(12)}
		in.Pair.Tokens, in.Pair.Lengths = randomText(rng, in.Rows, in.Pair.Length, c.VocabSize, false)
		b.Tokens2, b.Lengths2 = table(in.Pair.Tokens, in.Rows), ints(in.Pair.Lengths)
	}
	return in, b
}

// shaken makes a model, which must have as many parameters as its configuration says,
// and shakes them.
func shaken[C mega.Config, M interface{ Params() *nn.Params }](t *testing.T, rng *rand.Rand, c C, build func(C) (M, error)) M {
	t.Helper()
	m, err := build(c)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := m.Params().Count(), c.ParameterCount(); got != want {
		t.Errorf("%d parameters, ParameterCount says %d", got, want)
	}
	shake(rng, m.Params())
	return m
}

// matchSpecification holds the logits, the loss, every gradient and running statistics
// of a classifier against the specification, with every kernel.
func matchSpecification(t *testing.T, c any, p *nn.Params, batch naive.Batch, logits func() ([][]float32, error), loss func(*autograd.Tape) (autograd.Loss, error)) {
	restore := keepBuffers(p)
	forEachKernel(t, func(t *testing.T) {
		restore()
		slow := specification(t, c, p, nil)
		rows, err := logits()
		if err != nil {
			t.Fatal(err)
		}
		within(t, "logits", slices.Concat(rows...), slow.Forward(batch).Logits.Data, outputBound, 0)
		compareTraining(t, slow, batch, p, train(t, p, loss))
	})
}

// TestClassifiersMatchSpecification holds small classifiers of every variant
// against the specification: logits, loss, every gradient, running statistics.
func TestClassifiersMatchSpecification(t *testing.T) {
	for i, v := range variants() {
		t.Run(v.String(), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(uint64(i), 11))
			c := randomClassifier(rng, v)
			m := shaken(t, rng, c, mega.NewClassifier)
			in, batch := randomInput(rng, c)
			var labels []int32
			for range in.Rows {
				labels = append(labels, int32(rng.IntN(c.SentenceClassNum)))
			}
			batch.Target = ints(labels)
			matchSpecification(t, c, m.Params(), batch, func() ([][]float32, error) { return m.Logits(*in) },
				func(tape *autograd.Tape) (autograd.Loss, error) { return m.Loss(tape, in, labels) })
		})
	}
}
