package mega

import (
	"fmt"
	"math"

	"github.com/mega-go/mega/autograd"
	"github.com/mega-go/mega/nn"
)

// LanguageModel predicts each token of a text from those before it (reference
// fairseq/models/mega_lm.py).
type LanguageModel struct {
	base[LanguageModelConfig]
	decoder    stack
	projection *nn.Parameter       // [V, D]; nil with an adaptive softmax
	adaptive   *nn.AdaptiveSoftmax // nil with a plain one
	frozen     *readyWeights       // nil unless frozen
	home                           // of sessions
	precision                      // of what is frozen
}

// NewLanguageModel returns a model with initial parameters fixed by config.Seed,
// or an error that lists what is wrong with the configuration.
func NewLanguageModel(config LanguageModelConfig) (*LanguageModel, error) {
	return NewLanguageModelOf(nn.NewParams(config.Seed), config)
}

// NewLanguageModelOf is NewLanguageModel with parameters registered in an empty
// set, as NewClassifierOf does.
func NewLanguageModelOf(params *nn.Params, config LanguageModelConfig) (*LanguageModel, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	return buildLanguageModel(params, config)
}

// buildLanguageModel registers the model of a valid configuration, with vocabularies of any size.
func buildLanguageModel(params *nn.Params, config LanguageModelConfig) (*LanguageModel, error) {
	block, err := config.block()
	if err != nil {
		return nil, err
	}
	m := &LanguageModel{base: base[LanguageModelConfig]{config, params}}
	root := m.params.Root().Sub("decoder")
	options := config.stackOptions()
	if !config.AdaptiveInput {
		table := nn.NewEmbedding(root.Sub("embed_tokens"), config.VocabSize, config.DecoderInputDim, Pad, true)
		table.Scale = float32(config.embedScale())
		m.decoder = newStack(root, block, options)
		m.decoder.embedTokens(table)
		return m, m.newOutput(root, table, nil)
	}
	input, err := config.newAdaptiveInput(root.Sub("embed_tokens"))
	if err != nil {
		return nil, err
	}
	m.decoder = newStack(root, block, options)
	m.decoder.embedTokens(input)
	return m, m.newOutput(root, nil, input)
}

func (c LanguageModelConfig) stackOptions() stackOptions {
	o := stackOptions{
		layers: c.DecoderLayers, inputDim: c.DecoderInputDim,
		normalizeEmbed: c.NormalizeEmbedding, finalAffine: !c.NoAffineFinalNorm,
	}
	if c.AdaptiveInput {
		o.inputDim = c.DecoderEmbedDim // an adaptive input projects by itself
	}
	return o
}

func (c LanguageModelConfig) newAdaptiveInput(p nn.Path) (*nn.AdaptiveInput, error) {
	bands, err := nn.NewBands(c.AdaptiveInputCutoff, c.VocabSize)
	if err != nil {
		return nil, err
	}
	return nn.NewAdaptiveInput(p, bands, c.DecoderInputDim, c.DecoderEmbedDim, c.AdaptiveInputFactor, c.embedScale(), Pad), nil
}

// embedScale is what embeddings are multiplied by (reference mega_lm.py:261).
func (c LanguageModelConfig) embedScale() float64 {
	if c.NoScaleEmbedding {
		return 1
	}
	return math.Sqrt(float64(c.DecoderEmbedDim))
}

// newOutput registers what turns features into scores of words.
func (m *LanguageModel) newOutput(p nn.Path, table *nn.Embedding, input *nn.AdaptiveInput) error {
	c := m.config
	switch {
	case c.Adaptive():
		bands, err := nn.NewBands(c.AdaptiveSoftmaxCutoff, c.VocabSize)
		if err != nil {
			return err
		}
		o := nn.AdaptiveSoftmaxOptions{Factor: c.AdaptiveSoftmaxFactor, Dropout: c.AdaptiveSoftmaxDropout}
		if c.TieAdaptiveWeights {
			o.Input, o.TieProjections = input, c.TieAdaptiveProj
		}
		m.adaptive = nn.NewAdaptiveSoftmax(p.Sub("adaptive_softmax"), bands, c.DecoderEmbedDim, o)
	case c.ShareDecoderInputOutputEmbed:
		m.projection = table.Weight
		p.Sub("output_projection").Alias("weight", table.Weight)
	default:
		m.projection = nn.NewEmbedding(p.Sub("output_projection"), c.VocabSize, c.DecoderEmbedDim, -1, false).Weight
	}
	return nil
}

// Check reports what is wrong with a block of tokens [B, L].
func (m *LanguageModel) Check(tokens []int32, rows, length int) error {
	in := Input{Rows: rows, Length: length, Tokens: tokens}
	return in.check(ClassifierConfig{InputType: InputText, VocabSize: m.config.VocabSize})
}

// Features returns the decoder's output for tokens [B, L], padded with <pad>:
// [B, L, D].
func (m *LanguageModel) Features(t *autograd.Tape, tokens []int32, rows, length int) (*autograd.Variable, error) {
	if err := m.Check(tokens, rows, length); err != nil {
		return nil, err
	}
	x, _, err := m.decoder.forward(t, &Input{Rows: rows, Length: length, Tokens: tokens}, nil)
	return x, err
}

// Scores returns logits for features [..., D], or with an adaptive softmax
// log-probabilities: [..., V].
func (m *LanguageModel) Scores(t *autograd.Tape, features *autograd.Variable) *autograd.Variable {
	if m.adaptive != nil {
		return m.adaptive.LogProbs(t, features)
	}
	return t.Linear(features, m.projection.Variable, nil, autograd.Identity)
}

// Loss returns the summed negative log-likelihood of targets [B, L] given
// tokens [B, L]; targets of <pad> do not count.
func (m *LanguageModel) Loss(t *autograd.Tape, tokens, targets []int32, rows, length int) (autograd.Loss, error) {
	if len(targets) != len(tokens) {
		return autograd.Loss{}, fmt.Errorf("%d targets for %d tokens", len(targets), len(tokens))
	}
	if err := checkTokens(targets, length, m.config.VocabSize); err != nil {
		return autograd.Loss{}, fmt.Errorf("targets: %w", err)
	}
	x, err := m.Features(t, tokens, rows, length)
	if err != nil {
		return autograd.Loss{}, err
	}
	return m.FeatureLoss(t, x, targets), nil
}

// FeatureLoss is Loss from features on, which are [B, L, D]. It panics unless there
// is a target of the vocabulary for each position.
func (m *LanguageModel) FeatureLoss(t *autograd.Tape, features *autograd.Variable, targets []int32) autograd.Loss {
	if m.adaptive != nil {
		return m.adaptive.Loss(t, features, targets, Pad)
	}
	return t.CrossEntropy(m.Scores(t, features), targets, Pad, 0)
}
