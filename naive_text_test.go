package mega_test

import (
	"math/rand/v2"
	"testing"

	"github.com/mega-go/mega"
	"github.com/mega-go/mega/autograd"
	"github.com/mega-go/mega/internal/naive"
)

// randomLanguageModel returns a small configuration of a variant, the rest of it
// at random.
func randomLanguageModel(rng *rand.Rand, v variant) mega.LanguageModelConfig {
	d, h := 8, 1+rng.IntN(12)
	c := mega.LanguageModelConfig{
		Seed: rng.Uint64(), VocabSize: 14 + rng.IntN(20), MaxTargetPositions: 30,
		DecoderLayers: 1 + rng.IntN(2), DecoderEmbedDim: d, DecoderInputDim: d, DecoderHiddenDim: h,
		DecoderFFNEmbedDim: pick(rng, 0, h), DecoderZDim: 2 * (1 + rng.IntN(4)), DecoderNDim: 1 + rng.IntN(4),
		DecoderChunkSize: -1, ActivationFn: pick(rng, "silu", "gelu"), AttentionActivationFn: v.attention,
		NormalizationType: v.norm, NormalizeBefore: v.prenorm, NormalizeEmbedding: !v.prenorm && rng.IntN(2) == 0,
		NoAffineFinalNorm: rng.IntN(2) == 0, NoScaleEmbedding: rng.IntN(2) == 0,
		RelPosBias: v.bias, TruncationLength: pick(rng, 0, 1, 5, 100),
	}
	if v.chunked {
		c.DecoderChunkSize = 1 + rng.IntN(9)
	}
	switch rng.IntN(4) {
	case 0:
		c.ShareDecoderInputOutputEmbed = true
	case 1:
		c.DecoderInputDim = 3 + rng.IntN(4)
	case 2:
		cutoffs := []int{5, 9}
		c.AdaptiveInput, c.AdaptiveInputCutoff, c.AdaptiveInputFactor = true, cutoffs, 2
		c.AdaptiveSoftmaxCutoff, c.AdaptiveSoftmaxFactor = cutoffs, 2
		c.TieAdaptiveWeights = rng.IntN(3) > 0
		c.TieAdaptiveProj = rng.IntN(2) == 0
	}
	return c
}

// TestLanguageModelsMatchSpecification holds small language models of every
// variant against the specification.
func TestLanguageModelsMatchSpecification(t *testing.T) {
	for i, v := range variants() {
		t.Run(v.String(), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(uint64(i), 12))
			c := randomLanguageModel(rng, v)
			m := shaken(t, rng, c, mega.NewLanguageModel)
			rows, length := 2+rng.IntN(3), pick(rng, 3, 5, 8, 13, 21)
			tokens, _ := randomText(rng, rows, length, c.VocabSize, false)
			targets, _ := randomText(rng, rows, length, c.VocabSize, false)
			batch := naive.Batch{Tokens: table(tokens, rows), Target: ints(targets)}
			restore := keepBuffers(m.Params())
			forEachKernel(t, func(t *testing.T) {
				restore()
				slow := specification(t, c, m.Params(), adaptiveArguments(c))
				features, scores := languageModelOutput(t, m, tokens, rows, length)
				out := slow.Forward(batch)
				within(t, "features", features, out.Features.Data, outputBound, 0)
				within(t, "scores", scores, scoresOf(slow, out).Data, outputBound, 0)
				loss := train(t, m.Params(), func(tape *autograd.Tape) (autograd.Loss, error) {
					return m.Loss(tape, tokens, targets, rows, length)
				})
				compareTraining(t, slow, batch, m.Params(), loss)
			})
		})
	}
}

// adaptiveArguments says what the reference says by leaving an argument out.
func adaptiveArguments(c mega.LanguageModelConfig) map[string]any {
	if c.Adaptive() {
		return nil
	}
	return map[string]any{"adaptive_softmax_cutoff": nil}
}

func languageModelOutput(t *testing.T, m *mega.LanguageModel, tokens []int32, rows, length int) (features, scores []float32) {
	t.Helper()
	tape := autograd.NewTape()
	x, err := m.Features(tape, tokens, rows, length)
	if err != nil {
		t.Fatal(err)
	}
	return x.Value().Clone().Data(), m.Scores(tape, x).Value().Clone().Data()
}

// scoresOf returns logits, or log-probabilities of an adaptive softmax.
func scoresOf(m *naive.Model, out *naive.Output) *naive.Matrix {
	if s := m.Network.(*naive.LanguageModel).Softmax; s != nil {
		return s.LogProbs(out.Features)
	}
	return out.Logits
}

// randomTranslator returns a small configuration of a variant, the rest of it at
// random.
func randomTranslator(rng *rand.Rand, v variant) mega.TranslatorConfig {
	d, h := 2+rng.IntN(9), 1+rng.IntN(12)
	c := mega.TranslatorConfig{
		Seed: rng.Uint64(), SourceVocabSize: 5 + rng.IntN(20), TargetVocabSize: 5 + rng.IntN(20),
		MaxSourcePositions: 30, MaxTargetPositions: 25,
		EncoderLayers: 1 + rng.IntN(2), EncoderEmbedDim: d, EncoderHiddenDim: h,
		EncoderFFNEmbedDim: pick(rng, 0, h), EncoderZDim: 2 * (1 + rng.IntN(4)), EncoderNDim: 1 + rng.IntN(4),
		DecoderLayers: 1 + rng.IntN(2), DecoderEmbedDim: d, DecoderInputDim: d, DecoderHiddenDim: 1 + rng.IntN(12),
		DecoderFFNEmbedDim: pick(rng, 0, h), DecoderZDim: 2 * (1 + rng.IntN(4)), DecoderNDim: 1 + rng.IntN(4),
		EncoderChunkSize: -1, DecoderChunkSize: -1, ActivationFn: pick(rng, "silu", "gelu"), AttentionActivationFn: v.attention,
		NormalizationType: v.norm, NormalizeBefore: v.prenorm, NormalizeEmbedding: !v.prenorm && rng.IntN(2) == 0,
		NoScaleEmbedding: rng.IntN(2) == 0, RelPosBias: v.bias, TruncationLength: pick(rng, 0, 1, 5, 100),
	}
	if v.chunked {
		c.EncoderChunkSize, c.DecoderChunkSize = 1+rng.IntN(9), 1+rng.IntN(9)
	}
	switch rng.IntN(4) {
	case 0:
		c.ShareDecoderInputOutputEmbed = true
	case 1:
		c.DecoderInputDim = 3 + rng.IntN(4)
	case 2:
		c.ShareAllEmbeddings, c.TargetVocabSize = true, c.SourceVocabSize
	}
	return c
}

// TestTranslatorsMatchSpecification holds small translators of every variant
// against the specification.
func TestTranslatorsMatchSpecification(t *testing.T) {
	const smoothing = 0.1
	for i, v := range variants() {
		t.Run(v.String(), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(uint64(i), 13))
			c := randomTranslator(rng, v)
			m := shaken(t, rng, c, mega.NewTranslator)
			rows, from, to := 2+rng.IntN(3), 3+rng.IntN(12), 3+rng.IntN(12)
			sources, _ := randomText(rng, rows, from, c.SourceVocabSize, true)
			shifted, _ := randomText(rng, rows, to, c.TargetVocabSize, false)
			targets, _ := randomText(rng, rows, to, c.TargetVocabSize, false)
			batch := naive.Batch{Tokens: table(sources, rows), Prev: table(shifted, rows), Target: ints(targets)}
			restore := keepBuffers(m.Params())
			forEachKernel(t, func(t *testing.T) {
				restore()
				slow := specification(t, c, m.Params(), map[string]any{
					"criterion": "label_smoothed_cross_entropy", "label_smoothing": smoothing,
				})
				tape := autograd.NewTape()
				source, err := m.Encode(tape, sources, rows, from)
				if err != nil {
					t.Fatal(err)
				}
				logits, err := m.Decode(tape, source, shifted, rows, to)
				if err != nil {
					t.Fatal(err)
				}
				within(t, "logits", logits.Value().Clone().Data(), slow.Forward(batch).Logits.Data, outputBound, 0)
				loss := train(t, m.Params(), func(tape *autograd.Tape) (autograd.Loss, error) {
					return m.Loss(tape, &mega.Input{Rows: rows, Length: from, Tokens: sources}, &mega.Input{Rows: rows, Length: to, Tokens: shifted}, targets, smoothing)
				})
				compareTraining(t, slow, batch, m.Params(), loss)
			})
		})
	}
}
