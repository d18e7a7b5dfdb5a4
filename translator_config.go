package mega

import (
	"maps"
	"slices"
)

// TranslatorConfig is everything that fixes the architecture of a Translator.
// The JSON names are the reference's argument names.
type TranslatorConfig struct {
	Arch string `json:"arch" help:"architecture whose values are the defaults of the others (mega presets lists them)"`
	Seed uint64 `json:"seed" help:"fixes initial parameters, data order and dropout"`

	SourceVocabSize    int `json:"source_vocab_size" help:"size of the source vocabulary; taken from its dictionary"`
	TargetVocabSize    int `json:"target_vocab_size" help:"size of the target vocabulary; taken from its dictionary"`
	MaxSourcePositions int `json:"max_source_positions" help:"longest source"`
	MaxTargetPositions int `json:"max_target_positions" help:"longest target"`

	EncoderLayers      int `json:"encoder_layers" help:"blocks of the encoder"`
	EncoderEmbedDim    int `json:"encoder_embed_dim" help:"D, width of the encoder"`
	EncoderHiddenDim   int `json:"encoder_hidden_dim" help:"H, width of the values of its attention"`
	EncoderFFNEmbedDim int `json:"encoder_ffn_embed_dim" help:"width of its feed-forward networks, 0 for none"`
	EncoderZDim        int `json:"encoder_z_dim" help:"Z, width of its queries and keys"`
	EncoderNDim        int `json:"encoder_n_dim" help:"N, dimensions of its moving average per channel"`
	EncoderChunkSize   int `json:"encoder_chunk_size" help:"C, positions that attend to each other; negative for all"`

	DecoderLayers      int `json:"decoder_layers" help:"blocks of the decoder"`
	DecoderEmbedDim    int `json:"decoder_embed_dim" help:"D, width of the decoder"`
	DecoderInputDim    int `json:"decoder_input_dim" help:"width of the decoder's embedding"`
	DecoderHiddenDim   int `json:"decoder_hidden_dim" help:"H, width of the values of its attention"`
	DecoderFFNEmbedDim int `json:"decoder_ffn_embed_dim" help:"width of its feed-forward networks, 0 for none"`
	DecoderZDim        int `json:"decoder_z_dim" help:"Z, width of its queries and keys"`
	DecoderNDim        int `json:"decoder_n_dim" help:"N, dimensions of its moving average per channel"`
	DecoderChunkSize   int `json:"decoder_chunk_size" help:"C, positions that attend to each other; negative for all"`

	ActivationFn          string `json:"activation_fn" help:"activation of values, candidates and the feed-forward network"`
	AttentionActivationFn string `json:"attention_activation_fn" help:"softmax, relu2 or laplace"`
	NormalizationType     string `json:"normalization_type" help:"layernorm, scalenorm, rmsnorm, batchnorm or syncbatchnorm"`
	NormalizeBefore       bool   `json:"normalize_before" help:"normalise before each layer, not after"`
	NormalizeEmbedding    bool   `json:"normalize_embedding" help:"normalise the embedding"`
	NoScaleEmbedding      bool   `json:"no_scale_embedding" help:"do not multiply embeddings by the root of D"`
	RelPosBias            string `json:"rel_pos_bias" help:"relative position bias: simple or rotary"`
	TruncationLength      int    `json:"truncation_length" help:"steps that the moving average looks back; 0 or negative for all"`

	Dropout           float64 `json:"dropout" help:"dropout probability"`
	AttentionDropout  float64 `json:"attention_dropout" help:"dropout probability of attention weights"`
	HiddenDropout     float64 `json:"hidden_dropout" help:"dropout probability of values"`
	ActivationDropout float64 `json:"activation_dropout" help:"dropout probability inside the feed-forward network"`
	FeatureDropout    bool    `json:"feature_dropout" help:"drop whole features instead of single numbers"`

	ShareDecoderInputOutputEmbed bool `json:"share_decoder_input_output_embed" help:"one table for the decoder's input and output"`
	ShareAllEmbeddings           bool `json:"share_all_embeddings" help:"one table for source, target and output"`
}

// Derive sets what the reference derives from other arguments when it is not
// given itself (mega.py:684-707): a side's feed-forward network is as wide as the
// values of its attention, the decoder is like the encoder, and its embedding as
// wide as its blocks. given says whether a JSON key was given.
func (c *TranslatorConfig) Derive(given func(key string) bool) {
	for _, d := range []struct {
		key      string
		to, from *int
	}{
		{"encoder_ffn_embed_dim", &c.EncoderFFNEmbedDim, &c.EncoderHiddenDim},
		{"decoder_embed_dim", &c.DecoderEmbedDim, &c.EncoderEmbedDim},
		{"decoder_hidden_dim", &c.DecoderHiddenDim, &c.EncoderHiddenDim},
		{"decoder_ffn_embed_dim", &c.DecoderFFNEmbedDim, &c.EncoderFFNEmbedDim},
		{"decoder_z_dim", &c.DecoderZDim, &c.EncoderZDim},
		{"decoder_n_dim", &c.DecoderNDim, &c.EncoderNDim},
		{"decoder_chunk_size", &c.DecoderChunkSize, &c.EncoderChunkSize},
		{"decoder_input_dim", &c.DecoderInputDim, &c.DecoderEmbedDim},
	} {
		if !given(d.key) {
			*d.to = *d.from
		}
	}
}

// Validate implements Config.
func (c TranslatorConfig) Validate() error { return validate(c, buildTranslator) }

// ValidateBeforeData implements Config.
func (c TranslatorConfig) ValidateBeforeData() error { return validateBeforeData(c) }

// ParameterCount implements Config.
func (c TranslatorConfig) ParameterCount() int { return countParameters(c, buildTranslator) }

func (c TranslatorConfig) check(v *validator) {
	v.vocabulary("source_vocab_size", c.SourceVocabSize, 4)
	v.vocabulary("target_vocab_size", c.TargetVocabSize, 4)
	v.Between("max_source_positions", c.MaxSourcePositions, 1, maxPositions)
	v.Between("max_target_positions", c.MaxTargetPositions, 1, maxPositions)
	v.Between("encoder_layers", c.EncoderLayers, 1, maxLayers)
	v.Between("decoder_layers", c.DecoderLayers, 1, maxLayers)
	v.Between("decoder_input_dim", c.DecoderInputDim, 1, maxBlockDim)
	v.Check(!c.NormalizeEmbedding || !c.NormalizeBefore, "normalize_embedding and normalize_before exclude each other")
	v.Check(c.EncoderEmbedDim == c.DecoderEmbedDim, "encoder_embed_dim is %d and decoder_embed_dim %d, want them equal: the decoder attends to the encoder's output", c.EncoderEmbedDim, c.DecoderEmbedDim)
	v.Check(!c.ShareAllEmbeddings || c.SourceVocabSize == c.TargetVocabSize && c.DecoderInputDim == c.EncoderEmbedDim,
		"share_all_embeddings needs one joined dictionary and decoder_input_dim = encoder_embed_dim")
	v.Check(!c.sharedOutput() || c.DecoderInputDim == c.DecoderEmbedDim,
		"share_decoder_input_output_embed needs decoder_input_dim = decoder_embed_dim")
	source, err := c.encoderBlock()
	v.Add(err)
	source.validate(&v.Complaints, sideKey("encoder", "max_source_positions"))
	target, err := c.decoderBlock()
	v.Add(err)
	target.validate(&v.Complaints, sideKey("decoder", "max_target_positions"))
}

// sharedOutput reports whether the output uses the decoder's input table.
func (c TranslatorConfig) sharedOutput() bool {
	return c.ShareAllEmbeddings || c.ShareDecoderInputOutputEmbed
}

// common returns what the blocks of both sides share.
func (c TranslatorConfig) common() (BlockConfig, error) {
	b := BlockConfig{
		Truncation: c.TruncationLength, RelPosBias: c.RelPosBias, Prenorm: c.NormalizeBefore, NormAffine: true,
		Dropout: c.Dropout, AttentionDropout: c.AttentionDropout,
		HiddenDropout: c.HiddenDropout, ActivationDropout: c.ActivationDropout, FeatureDropout: c.FeatureDropout,
	}
	err := b.parseFunctions(c.ActivationFn, c.AttentionActivationFn, "normalization_type", c.NormalizationType)
	return b, err
}

func (c TranslatorConfig) encoderBlock() (BlockConfig, error) {
	b, err := c.common()
	b.Bidirectional = true
	b.EmbedDim, b.HiddenDim, b.FFNDim = c.EncoderEmbedDim, c.EncoderHiddenDim, c.EncoderFFNEmbedDim
	b.ZDim, b.NDim = c.EncoderZDim, c.EncoderNDim
	b.ChunkSize, b.MaxPositions = c.EncoderChunkSize, c.MaxSourcePositions
	return b, err
}

func (c TranslatorConfig) decoderBlock() (BlockConfig, error) {
	b, err := c.common()
	b.EmbedDim, b.HiddenDim, b.FFNDim = c.DecoderEmbedDim, c.DecoderHiddenDim, c.DecoderFFNEmbedDim
	b.ZDim, b.NDim = c.DecoderZDim, c.DecoderNDim
	b.ChunkSize, b.MaxPositions = c.DecoderChunkSize, c.MaxTargetPositions
	return b, err
}

// translatorArchs holds the reference's architectures
// (fairseq/models/mega.py:684-747).
var translatorArchs = map[string]func() TranslatorConfig{
	"mega": func() TranslatorConfig { return translatorBase(512, 1024, 128, 0.1, 0) },
	"mega_wmt_en_de": func() TranslatorConfig {
		return translatorBase(512, 1024, 128, 0.1, 0.1)
	},
	"mega_wmt_en_de_big": func() TranslatorConfig {
		return translatorBase(1024, 2048, 256, 0.3, 0.1)
	},
}

// translatorBase is base_architecture, with one value for the three dropouts
// inside the layers.
func translatorBase(dim, hidden, z int, dropout, inner float64) TranslatorConfig {
	return TranslatorConfig{
		Seed: 1, MaxSourcePositions: 1024, MaxTargetPositions: 1024,
		EncoderLayers: 6, EncoderEmbedDim: dim, EncoderHiddenDim: hidden, EncoderFFNEmbedDim: hidden,
		EncoderZDim: z, EncoderNDim: 16, EncoderChunkSize: -1,
		DecoderLayers: 6, DecoderEmbedDim: dim, DecoderInputDim: dim, DecoderHiddenDim: hidden,
		DecoderFFNEmbedDim: hidden, DecoderZDim: z, DecoderNDim: 16, DecoderChunkSize: -1,
		ActivationFn: "silu", AttentionActivationFn: "softmax", NormalizationType: "layernorm",
		RelPosBias: RelPosSimple, TruncationLength: 1024,
		Dropout: dropout, AttentionDropout: inner, HiddenDropout: inner, ActivationDropout: inner,
	}
}

// TranslatorArch returns the configuration that the reference registers
// under an architecture name. The vocabularies are left to the caller.
func TranslatorArch(name string) (TranslatorConfig, error) {
	c, err := arch(translatorArchs, "translation ", name)
	c.Arch = name
	return c, err
}

// TranslatorArchs lists the translation architectures.
func TranslatorArchs() []string { return slices.Sorted(maps.Keys(translatorArchs)) }
