package bench

import (
	"math/rand/v2"

	"github.com/mega-go/mega"
	"github.com/mega-go/mega/autograd"
)

type languageModelConfig mega.LanguageModelConfig

func languageModel(name string, batch, length int, change func(*mega.LanguageModelConfig)) Workload {
	c := ours(mega.LanguageModelArch("mega_lm_enwik8_base"))
	c.VocabSize, c.MaxTargetPositions, c.TruncationLength = 208, 4096, 8192
	c.RelPosBias, c.NormalizeBefore, c.NoAffineFinalNorm, c.ShareDecoderInputOutputEmbed = mega.RelPosRotary, true, true, true
	change(&c)
	return Workload{name, batch, length, languageModelConfig(c)}
}

func (c languageModelConfig) layers() shape {
	return shape{
		layers: c.DecoderLayers, d: c.DecoderEmbedDim, h: c.DecoderHiddenDim, z: c.DecoderZDim,
		ffn: c.DecoderFFNEmbedDim, states: c.DecoderNDim, chunk: c.DecoderChunkSize, causal: true, vocab: c.VocabSize,
	}
}

func (c languageModelConfig) build(w Workload, rng *rand.Rand) (*model, error) {
	m, err := mega.NewLanguageModel(mega.LanguageModelConfig(c))
	if err != nil {
		return nil, err
	}
	tokens := randomTokens(rng, w.Batch*w.Length, c.VocabSize)
	targets := randomTokens(rng, w.Batch*w.Length, c.VocabSize)
	return &model{
		params: m.Params(), samples: len(tokens),
		loss: func(t *autograd.Tape) (autograd.Loss, error) {
			return m.Loss(t, tokens, targets, w.Batch, w.Length)
		},
		infer: func(t *autograd.Tape) error {
			features, err := m.Features(t, tokens, w.Batch, w.Length)
			if err == nil {
				m.Scores(t, features)
			}
			return err
		},
	}, nil
}
