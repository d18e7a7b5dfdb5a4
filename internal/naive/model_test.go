package naive

import (
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

var goldenCases = []string{
	"lra_listops", "lra_text", "lra_retrieval", "lra_image", "lra_pathfinder",
	"speech_commands", "lm_enwik8", "lm_wikitext103", "mt_wmt", "imagenet",
}

// Bounds on ‖got − want‖/‖want‖ against the reference's float32. The outputs of
// two layers carry a few roundings of 6e-8 each, sums a little more.
const (
	outputBound   = 5e-7
	gradientBound = 5e-5
)

func TestGoldenForward(t *testing.T) {
	for _, name := range goldenCases {
		t.Run(name, func(t *testing.T) {
			g := loadGolden(t, name)
			out := g.model(t).Forward(g.batch("b0."))
			if out.Logits != nil {
				within(t, "logits", out.Logits.Data, g.values["b0.eval.logits"].Data, outputBound)
			} else {
				within(t, "features", out.Features.Data, g.values["b0.eval.features"].Data, outputBound)
			}
			if want, ok := g.values["b0.eval.loss"]; ok {
				within(t, "loss", out.Loss.Data, want.Data, outputBound)
				within(t, "sample size", []float64{out.SampleSize}, g.values["b0.eval.sample_size"].Data, 0)
			}
		})
	}
}

// TestGoldenGradients holds the loss in training mode, the gradient of every
// parameter and BatchNorm's running statistics against the reference's, for the
// other batch where a case has two.
func TestGoldenGradients(t *testing.T) {
	for _, name := range goldenCases {
		t.Run(name, func(t *testing.T) {
			g := loadGolden(t, name)
			prefix := g.lastBatch()
			m := g.model(t)
			m.Train(true)
			out := m.Forward(g.batch(prefix))
			within(t, "loss", out.Loss.Data, g.values[prefix+"train.loss"].Data, outputBound)
			for buffer, got := range m.Buffers {
				within(t, buffer, got, g.values[prefix+"train.buffer."+buffer].Data, outputBound)
			}
			Backward(out.Loss)
			checkGradients(t, g, m, prefix)
		})
	}
}

// checkGradients allows each gradient gradientBound of its norm and 1e-6 of the
// norm of all: one that is 0 in exact arithmetic, such as that of a bias ahead of
// BatchNorm, is rounding noise in the reference.
func checkGradients(t *testing.T, g golden, m *Model, prefix string) {
	t.Helper()
	got, want := g.gradients(t, m, prefix)
	if len(want) == 0 {
		t.Fatal("no gradients")
	}
	total := 0.0
	for _, w := range want {
		total = math.Hypot(total, norm(w))
	}
	for name, w := range want {
		if diff := distance(got[name], w) * norm(w); !(diff <= gradientBound*norm(w)+1e-6*total) {
			t.Errorf("%s: off by %.2e of its norm", name, diff/norm(w))
		}
	}
	for name := range m.Params {
		if _, ok := want[name]; !ok && !shared(m, want, name) {
			t.Errorf("parameter %s has no gradient in the reference", name)
		}
	}
}

// shared reports whether the parameter has another name that is in want.
func shared(m *Model, want map[string][]float64, name string) bool {
	for other := range want {
		if m.Params[other] == m.Params[name] {
			return true
		}
	}
	return false
}

// TestGoldenTrajectory repeats eight updates of the reference: losses, gradient
// norms, learning rates and the weights that they lead to.
func TestGoldenTrajectory(t *testing.T) {
	g := loadGolden(t, "mt_wmt")
	m := g.model(t)
	m.Train(true)
	names := g.trained()
	params, grads := make([][]float64, len(names)), make([][]float64, len(names))
	flat := map[string]bool{} // the loss does not depend on these
	adam := Adam{Beta1: 0.9, Beta2: 0.98, Eps: g.number("adam_eps"), WeightDecay: g.number("weight_decay")}
	steps := g.values["trajectory.loss_gnorm_lr"]
	for n, want := range table(steps, steps.Data) {
		out := m.Forward(g.batch("b0."))
		Backward(Scale(out.Loss, 1/out.SampleSize))
		for i, name := range names {
			params[i], grads[i] = m.Params[name].Data, m.Params[name].Grad
		}
		gnorm := ClipNorm(grads, g.number("clip_norm"))
		for i, name := range names {
			flat[name] = norm(grads[i]) < 1e-9*gnorm
		}
		lr := g.schedule().At(n)
		adam.Step(params, grads, lr)
		within(t, "loss", []float64{out.Loss.Data[0] / out.SampleSize}, want[:1], 1e-6)
		within(t, "gradient norm", []float64{gnorm}, want[1:2], 2e-5)
		within(t, "learning rate", []float64{lr}, want[2:], 1e-12)
	}
	for i, name := range names {
		if !flat[name] { // else Adam makes steps of rounding noise
			within(t, name, params[i], g.values["trajectory.final."+name].Data, 1e-5)
		}
	}
}

func TestGoldenIncremental(t *testing.T) {
	for _, name := range []string{"lm_enwik8", "lm_wikitext103"} {
		t.Run(name, func(t *testing.T) {
			g := loadGolden(t, name)
			m := g.model(t).Network.(*LanguageModel)
			tokens := g.values["incremental.tokens"]
			checkSteps(t, m, table(tokens, ints(tokens.Data)), g.values["incremental.out"].Data)
			checkSteps(t, m, g.batch("b0.").Tokens, g.values["chunkwise.out"].Data)
		})
	}
}

// checkSteps holds token by token decoding against want [B·T×cols], up to the
// padding, by the worst sequence.
func checkSteps(t *testing.T, m *LanguageModel, tokens [][]int, want []float64) {
	t.Helper()
	per := len(want) / len(tokens)
	for b, sequence := range tokens {
		var state State
		var got []float64
		for _, id := range sequence {
			if id == Pad {
				break
			}
			out := m.Step(&state, id)
			if out.Logits != nil {
				got = append(got, out.Logits.Data...)
			} else {
				got = append(got, out.Features.Data...)
			}
		}
		within(t, "decoding", got, want[b*per:][:len(got)], outputBound)
	}
}

// TestGoldenAdaptiveLogProbs compares the first positions of each sequence, there
// the frequent words and the band of the target: the reference was given the
// targets and left the other bands out.
func TestGoldenAdaptiveLogProbs(t *testing.T) {
	g := loadGolden(t, "lm_wikitext103")
	m := g.model(t)
	softmax := m.Network.(*LanguageModel).Softmax
	batch := g.batch("b0.")
	features := m.Forward(batch).Features
	want := g.values["b0.eval.log_probs"]
	positions, vocabulary := want.Shape[1], want.Shape[2]
	for row := range want.Shape[0] * positions {
		position := row/positions*len(batch.Tokens[0]) + row%positions
		got := softmax.LogProbs(Rows(features, position, position+1)).Data
		want := want.Data[row*vocabulary:][:vocabulary]
		frequent := softmax.Cutoff[0]
		within(t, "frequent words", got[:frequent], want[:frequent], outputBound)
		band, first := bandOf(softmax.Cutoff, batch.Target[position])
		within(t, "band", got[first:softmax.Cutoff[band]], want[first:softmax.Cutoff[band]], outputBound)
		sum := 0.0
		for _, v := range got {
			sum += math.Exp(v)
		}
		within(t, "sum of probabilities", []float64{sum}, []float64{1}, 1e-12)
	}
}

// TestUntiedAdaptiveSoftmax gives an untied model the tied one's weights.
func TestUntiedAdaptiveSoftmax(t *testing.T) {
	g := loadGolden(t, "lm_wikitext103")
	batch := g.batch("b0.")
	want := g.model(t).Forward(batch).Loss.Data
	const prefix = "decoder.adaptive_softmax."
	for _, name := range []string{"tail.0.0.weight", "tail.1.0.weight"} {
		w := g.weights[prefix+name]
		turned := Transpose(New(w.Shape[0], w.Shape[1], w.Data))
		g.weights[prefix+name] = Tensor{[]int{turned.Rows, turned.Cols}, turned.Data}
	}
	g.args["tie_adaptive_proj"] = false
	within(t, "projections not tied", g.model(t).Forward(batch).Loss.Data, want, 1e-14)

	words, classes := g.weights[prefix+"head.word_proj.weight"], g.weights[prefix+"head.class_proj.weight"]
	g.weights[prefix+"head.weight"] = Tensor{
		[]int{words.Shape[0] + classes.Shape[0], words.Shape[1]},
		slices.Concat(words.Data, classes.Data),
	}
	g.args["tie_adaptive_weights"] = false
	within(t, "nothing tied", g.model(t).Forward(batch).Loss.Data, want, 1e-14)
}

// TestDirectionalDerivative checks the gradient of a whole model by differences.
func TestDirectionalDerivative(t *testing.T) {
	g := loadGolden(t, "mt_wmt")
	m := g.model(t)
	batch := g.batch("b0.")
	Backward(m.Forward(batch).Loss)
	r := rand.New(rand.NewPCG(1, 2))
	var xs, dirs [][]float64
	seen := map[*Matrix]bool{}
	want := 0.0
	for _, name := range slices.Sorted(maps.Keys(m.Params)) {
		p := m.Params[name]
		if seen[p] {
			continue
		}
		seen[p] = true
		dir := make([]float64, len(p.Data))
		for i := range dir {
			dir[i] = r.NormFloat64()
			want += dir[i] * p.Grad[i]
		}
		xs, dirs = append(xs, p.Data), append(dirs, dir)
	}
	got := DirectionalDerivative(func() float64 { return m.Forward(batch).Loss.Data[0] }, xs, dirs, 1e-4)
	within(t, "directional derivative", []float64{got}, []float64{want}, 1e-8)
}

func TestNewModelErrors(t *testing.T) {
	g := loadGolden(t, "mt_wmt")
	delete(g.weights, "encoder.layers.0.mega_layer.move.omega")
	delete(g.weights, "decoder.layers.1.cross_attn.k_proj.weight")
	g.args["normalization_type"] = "groupnorm"
	g.args["activation_fn"] = 3.0
	_, err := NewModel(g.args, g.weights)
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"encoder.layers.0.mega_layer.move.omega", "decoder.layers.1.cross_attn.k_proj.weight", "groupnorm", "activation_fn"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not name %s", want)
		}
	}
	if _, err := NewModel(nil, nil); err == nil {
		t.Error("no error without weights")
	}
}

// within fails unless ‖got − want‖ ≤ bound·‖want‖.
func within(t *testing.T, what string, got, want []float64, bound float64) {
	t.Helper()
	if len(got) == 0 || len(got) != len(want) {
		t.Fatalf("%s: %d numbers, want %d", what, len(got), len(want))
	}
	if d := distance(got, want); !(d <= bound) {
		t.Errorf("%s: off by %.2e, allowed %.0e", what, d, bound)
	}
}
