package mega

import (
	"maps"
	"slices"

	"github.com/mega-go/mega/internal/config"
	"github.com/mega-go/mega/nn"
)

// LanguageModelConfig is everything that fixes the architecture of a
// LanguageModel. The JSON names are the reference's argument names.
type LanguageModelConfig struct {
	Arch string `json:"arch" help:"architecture whose values are the defaults of the others (mega presets lists them)"`
	Seed uint64 `json:"seed" help:"fixes initial parameters, data order and dropout"`

	VocabSize          int `json:"vocab_size" help:"size of the vocabulary; taken from the dictionary where there is one"`
	MaxTargetPositions int `json:"max_target_positions" help:"longest block of text"`

	DecoderLayers         int    `json:"decoder_layers" help:"blocks"`
	DecoderEmbedDim       int    `json:"decoder_embed_dim" help:"D, width of the blocks"`
	DecoderInputDim       int    `json:"decoder_input_dim" help:"width of the embedding"`
	DecoderHiddenDim      int    `json:"decoder_hidden_dim" help:"H, width of the values of attention"`
	DecoderFFNEmbedDim    int    `json:"decoder_ffn_embed_dim" help:"width of the feed-forward network, 0 for none"`
	DecoderZDim           int    `json:"decoder_z_dim" help:"Z, width of queries and keys"`
	DecoderNDim           int    `json:"decoder_n_dim" help:"N, dimensions of the moving average per channel"`
	DecoderChunkSize      int    `json:"decoder_chunk_size" help:"C, positions that attend to each other; negative for all"`
	ActivationFn          string `json:"activation_fn" help:"activation of values, candidates and the feed-forward network"`
	AttentionActivationFn string `json:"attention_activation_fn" help:"softmax, relu2 or laplace"`
	NormalizationType     string `json:"normalization_type" help:"layernorm, scalenorm, rmsnorm, batchnorm or syncbatchnorm"`
	NormalizeBefore       bool   `json:"normalize_before" help:"normalise before each layer, not after"`
	NormalizeEmbedding    bool   `json:"normalize_embedding" help:"normalise the embedding"`
	NoAffineFinalNorm     bool   `json:"no_affine_final_norm" help:"final norm without parameters"`
	NoScaleEmbedding      bool   `json:"no_scale_embedding" help:"do not multiply embeddings by the root of D"`
	RelPosBias            string `json:"rel_pos_bias" help:"relative position bias: simple or rotary"`
	TruncationLength      int    `json:"truncation_length" help:"steps that the moving average looks back; 0 or negative for all"`

	Dropout           float64 `json:"dropout" help:"dropout probability"`
	AttentionDropout  float64 `json:"attention_dropout" help:"dropout probability of attention weights"`
	HiddenDropout     float64 `json:"hidden_dropout" help:"dropout probability of values"`
	ActivationDropout float64 `json:"activation_dropout" help:"dropout probability inside the feed-forward network"`
	FeatureDropout    bool    `json:"feature_dropout" help:"drop whole features instead of single numbers"`

	ShareDecoderInputOutputEmbed bool    `json:"share_decoder_input_output_embed" help:"one table for input and output"`
	AdaptiveInput                bool    `json:"adaptive_input" help:"embed rare words in fewer dimensions"`
	AdaptiveInputCutoff          []int   `json:"adaptive_input_cutoff" help:"ends of the input's bands of words"`
	AdaptiveInputFactor          float64 `json:"adaptive_input_factor" help:"how much narrower each input band is"`
	AdaptiveSoftmaxCutoff        []int   `json:"adaptive_softmax_cutoff" help:"ends of the output's bands of words; none for a plain softmax"`
	AdaptiveSoftmaxFactor        float64 `json:"adaptive_softmax_factor" help:"how much narrower each output band is"`
	AdaptiveSoftmaxDropout       float64 `json:"adaptive_softmax_dropout" help:"dropout probability of the adaptive softmax"`
	TieAdaptiveWeights           bool    `json:"tie_adaptive_weights" help:"one set of tables for adaptive input and softmax"`
	TieAdaptiveProj              bool    `json:"tie_adaptive_proj" help:"one set of projections for adaptive input and softmax"`
}

// Derive sets what the reference derives from other arguments when it is not
// given itself (mega_lm.py:487-497): the embedding is as wide as the blocks, and
// the base architecture's feed-forward network as the values of attention. given
// says whether a JSON key was given.
func (c *LanguageModelConfig) Derive(given func(key string) bool) {
	if !given("decoder_input_dim") {
		c.DecoderInputDim = c.DecoderEmbedDim
	}
	if c.Arch == "mega_lm" && !given("decoder_ffn_embed_dim") {
		c.DecoderFFNEmbedDim = c.DecoderHiddenDim
	}
}

// Adaptive reports whether the output is an adaptive softmax.
func (c LanguageModelConfig) Adaptive() bool { return len(c.AdaptiveSoftmaxCutoff) > 0 }

// Validate implements Config.
func (c LanguageModelConfig) Validate() error { return validate(c, buildLanguageModel) }

// ValidateBeforeData implements Config.
func (c LanguageModelConfig) ValidateBeforeData() error { return validateBeforeData(c) }

// ParameterCount implements Config.
func (c LanguageModelConfig) ParameterCount() int { return countParameters(c, buildLanguageModel) }

func (c LanguageModelConfig) check(v *validator) {
	v.vocabulary("vocab_size", c.VocabSize, 4)
	v.Between("max_target_positions", c.MaxTargetPositions, 1, maxPositions)
	v.Between("decoder_layers", c.DecoderLayers, 1, maxLayers)
	v.Between("decoder_input_dim", c.DecoderInputDim, 1, maxBlockDim)
	v.Probability("adaptive_softmax_dropout", c.AdaptiveSoftmaxDropout)
	v.Check(!c.NormalizeEmbedding || !c.NormalizeBefore, "normalize_embedding and normalize_before exclude each other")
	v.Check(!c.ShareDecoderInputOutputEmbed || c.Adaptive() || !c.AdaptiveInput && c.DecoderInputDim == c.DecoderEmbedDim,
		"share_decoder_input_output_embed needs decoder_input_dim = decoder_embed_dim = %d and no adaptive_input", c.DecoderEmbedDim)
	c.validateBands(v)
	block, err := c.block()
	v.Add(err)
	block.validate(&v.Complaints, sideKey("decoder", "max_target_positions"))
}

// sideKey returns the function from the name of a block's value to its key in
// the configuration of a language model or translator: what may differ between
// encoder and decoder carries the side; positions is the key of max_positions.
func sideKey(side, positions string) func(name string) string {
	return func(name string) string {
		switch name {
		case "embed_dim", "hidden_dim", "ffn_embed_dim", "z_dim", "n_dim", "chunk_size":
			return side + "_" + name
		case "max_positions":
			return positions
		}
		return name
	}
}

func (c LanguageModelConfig) validateBands(v *validator) {
	if c.AdaptiveInput {
		v.bands("adaptive_input_cutoff", c.AdaptiveInputCutoff, c.VocabSize)
		c.validateFactor(v, "adaptive_input_factor", c.AdaptiveInputFactor, len(c.AdaptiveInputCutoff), c.DecoderInputDim)
	}
	if c.Adaptive() {
		v.bands("adaptive_softmax_cutoff", c.AdaptiveSoftmaxCutoff, c.VocabSize)
		c.validateFactor(v, "adaptive_softmax_factor", c.AdaptiveSoftmaxFactor, len(c.AdaptiveSoftmaxCutoff), c.DecoderEmbedDim)
	}
	v.Check(!c.TieAdaptiveWeights || !c.Adaptive() || c.AdaptiveInput && c.AdaptiveInputFactor == c.AdaptiveSoftmaxFactor &&
		slices.Equal(c.AdaptiveInputCutoff, c.AdaptiveSoftmaxCutoff) && c.DecoderInputDim == c.DecoderEmbedDim,
		"tie_adaptive_weights needs adaptive_input with the cutoffs and factor of the softmax, and decoder_input_dim = decoder_embed_dim")
}

// bands fails if a vocabulary cannot be cut as cutoffs say.
func (v *validator) bands(key string, cutoffs []int, vocab int) {
	if vocab > 0 { // else it is not known yet, or complained about
		_, err := nn.NewBands(cutoffs, vocab)
		v.Add(config.Wrap(key, err))
	}
}

// validateFactor makes sure that the narrowest band has a dimension left.
func (c LanguageModelConfig) validateFactor(v *validator, key string, factor float64, bands, dim int) {
	width := float64(dim)
	for range bands {
		width /= factor
	}
	v.Check(factor >= 1 && width >= 1, "%s is %g, want at least 1 and little enough to leave the rarest of %d bands a dimension of %d", key, factor, bands+1, dim)
}

// block returns the configuration of the decoder's blocks.
func (c LanguageModelConfig) block() (BlockConfig, error) {
	b := BlockConfig{
		EmbedDim: c.DecoderEmbedDim, HiddenDim: c.DecoderHiddenDim, FFNDim: c.DecoderFFNEmbedDim,
		ZDim: c.DecoderZDim, NDim: c.DecoderNDim,
		ChunkSize: c.DecoderChunkSize, Truncation: c.TruncationLength, MaxPositions: c.MaxTargetPositions,
		RelPosBias: c.RelPosBias, Prenorm: c.NormalizeBefore, NormAffine: true,
		Dropout: c.Dropout, AttentionDropout: c.AttentionDropout,
		HiddenDropout: c.HiddenDropout, ActivationDropout: c.ActivationDropout,
		FeatureDropout: c.FeatureDropout,
	}
	err := b.parseFunctions(c.ActivationFn, c.AttentionActivationFn, "normalization_type", c.NormalizationType)
	return b, err
}

// languageModelArchs holds the reference's architectures
// (fairseq/models/mega_lm.py:487-600). Where one leaves activation_dropout
// open, and the reference fails, it is 0.
var languageModelArchs = map[string]func() LanguageModelConfig{
	"mega_lm": func() LanguageModelConfig { return lmBase(6, 512, 1664, 128) },
	"mega_lm_big": func() LanguageModelConfig {
		return lmBase(16, 1024, 2048, 256)
	},
	"mega_lm_wiki103":       func() LanguageModelConfig { return lmAdaptive(1024, 2048, 256) },
	"mega_lm_adaptive_big":  func() LanguageModelConfig { return lmAdaptive(1024, 2048, 256) },
	"mega_lm_adaptive_base": func() LanguageModelConfig { return lmAdaptive(768, 1536, 128) },
	"mega_lm_enwik8_base":   func() LanguageModelConfig { return lmBase(12, 512, 1024, 128) },
	"mega_lm_enwik8_large": func() LanguageModelConfig {
		c := lmBase(24, 1024, 1536, 128)
		c.Dropout, c.AttentionDropout, c.HiddenDropout = 0.2, 0.1, 0.1
		return c
	},
}

func lmBase(layers, dim, hidden, z int) LanguageModelConfig {
	return LanguageModelConfig{
		Seed: 1, MaxTargetPositions: 1024,
		DecoderLayers: layers, DecoderEmbedDim: dim, DecoderInputDim: dim,
		DecoderHiddenDim: hidden, DecoderFFNEmbedDim: hidden, DecoderZDim: z, DecoderNDim: 16,
		DecoderChunkSize: -1, ActivationFn: "silu", AttentionActivationFn: "softmax",
		NormalizationType: "layernorm", RelPosBias: RelPosSimple, TruncationLength: 2048,
		Dropout: 0.1, AdaptiveInputFactor: 4, AdaptiveSoftmaxFactor: 4,
	}
}

func lmAdaptive(dim, hidden, z int) LanguageModelConfig {
	c := lmBase(16, dim, hidden, z)
	c.Dropout, c.AttentionDropout, c.HiddenDropout, c.ActivationDropout = 0.3, 0.1, 0.1, 0.1
	c.AdaptiveInput, c.TieAdaptiveWeights, c.TieAdaptiveProj = true, true, true
	c.AdaptiveInputCutoff = []int{20000, 60000}
	c.AdaptiveSoftmaxCutoff = []int{20000, 60000}
	c.AdaptiveSoftmaxDropout = 0.2
	return c
}

// LanguageModelArch returns the configuration that the reference registers
// under an architecture name. VocabSize is left to the caller.
func LanguageModelArch(name string) (LanguageModelConfig, error) {
	c, err := arch(languageModelArchs, "language model ", name)
	c.Arch = name
	return c, err
}

// LanguageModelArchs lists the language model architectures.
func LanguageModelArchs() []string { return slices.Sorted(maps.Keys(languageModelArchs)) }
