package mega

import (
	"github.com/mega-go/mega/autograd"
	"github.com/mega-go/mega/internal/config"
	"github.com/mega-go/mega/nn"
)

// ClassifierConfig is everything that fixes the architecture of a Classifier.
// The JSON names are the reference's argument names.
type ClassifierConfig struct {
	Arch string `json:"arch" help:"architecture whose values are the defaults of the others (mega presets lists them)"`
	Seed uint64 `json:"seed" help:"fixes initial parameters, data order and dropout"`

	InputType     string `json:"input_type" help:"text for token ids, image or audio for real numbers"`
	InputChannels int    `json:"input_channels,omitempty" help:"real numbers of a step (default 1)"`
	VocabSize     int    `json:"vocab_size" help:"rows of the token embedding; taken from the dictionary where there is one"`
	MaxPositions  int    `json:"max_positions" help:"longest input"`
	SenRepType    string `json:"sen_rep_type" help:"mp averages the positions, cls takes the first"`

	EncoderLayers          int    `json:"encoder_layers" help:"blocks"`
	EncoderEmbedDim        int    `json:"encoder_embed_dim" help:"D, width of the embedding"`
	EncoderHiddenDim       int    `json:"encoder_hidden_dim" help:"H, width of the values of attention"`
	EncoderFFNEmbedDim     int    `json:"encoder_ffn_embed_dim" help:"width of the feed-forward network, 0 for none"`
	ZDim                   int    `json:"z_dim" help:"Z, width of queries and keys"`
	NDim                   int    `json:"n_dim" help:"N, dimensions of the moving average per channel"`
	ActivationFn           string `json:"activation_fn" help:"activation of values, candidates and the feed-forward network"`
	AttentionActivationFn  string `json:"attention_activation_fn" help:"softmax, relu2 or laplace"`
	NormType               string `json:"norm_type" help:"layernorm, scalenorm, rmsnorm, batchnorm or syncbatchnorm"`
	EncoderNormalizeBefore bool   `json:"encoder_normalize_before" help:"normalise before each layer, not after"`
	NormalizeEmbedding     bool   `json:"normalize_embedding" help:"normalise the embedding"`
	RelPosBias             string `json:"rel_pos_bias" help:"relative position bias: simple or rotary"`
	ChunkSize              int    `json:"chunk_size" help:"C, positions that attend to each other; negative for all"`
	TruncationLength       int    `json:"truncation_length" help:"steps that the moving average looks back; 0 or negative for all"`

	Dropout          float64 `json:"dropout" help:"dropout probability"`
	AttentionDropout float64 `json:"attention_dropout" help:"dropout probability of attention weights"`
	ActDropout       float64 `json:"act_dropout" help:"dropout probability of hidden states and values"`
	FeatureDropout   bool    `json:"feature_dropout" help:"drop whole features instead of single numbers"`

	ClassifierLayers       int    `json:"classifier_layers" help:"hidden layers of the classifier's head"`
	ClassifierInDim        int    `json:"classifier_in_dim" help:"D, or 2D for a pair of texts"`
	ClassifierOutDim       int    `json:"classifier_out_dim" help:"width of the head's hidden layers"`
	ClassifierActivationFn string `json:"classifier_activation_fn" help:"activation of the head's hidden layers"`
	SentenceClassNum       int    `json:"sentence_class_num" help:"classes"`
}

// The input types.
const (
	InputText  = "text"
	InputImage = "image"
	InputAudio = "audio"
)

// How a classifier's encoder becomes the vector that is classified: the mean of
// all positions, or the first one, <CLS>.
const (
	SenRepMean = "mp"
	SenRepCLS  = "cls"
)

// The relative positional biases of attention.
const (
	RelPosSimple = "simple"
	RelPosRotary = "rotary"
)

// Derive sets what the reference derives from other arguments when it is not
// given itself: the feed-forward network is as wide as the values of attention,
// and the head takes what the encoder gives. given says whether a JSON key was
// given.
func (c *ClassifierConfig) Derive(given func(key string) bool) {
	if !given("encoder_ffn_embed_dim") {
		c.EncoderFFNEmbedDim = c.EncoderHiddenDim
	}
	if !given("classifier_in_dim") {
		c.ClassifierInDim = c.EncoderEmbedDim
		if c.Arch == "mega_lra_aan" {
			c.ClassifierInDim = 2 * c.EncoderEmbedDim
		}
	}
	if c.InputType == InputAudio && !given("classifier_out_dim") {
		c.ClassifierOutDim = 2 * c.EncoderEmbedDim
	}
}

// Pair reports whether the model reads two texts.
func (c ClassifierConfig) Pair() bool { return c.ClassifierInDim == 2*c.EncoderEmbedDim }

// Tokens reports whether the model reads token ids rather than real numbers.
func (c ClassifierConfig) Tokens() bool { return c.InputType == InputText }

// Channels returns how many real numbers make a step.
func (c ClassifierConfig) Channels() int { return max(1, c.InputChannels) }

// Validate implements Config.
func (c ClassifierConfig) Validate() error { return validate(c, buildClassifier) }

// ValidateBeforeData implements Config.
func (c ClassifierConfig) ValidateBeforeData() error { return validateBeforeData(c) }

// ParameterCount implements Config.
func (c ClassifierConfig) ParameterCount() int { return countParameters(c, buildClassifier) }

func (c ClassifierConfig) check(v *validator) {
	v.OneOf("input_type", c.InputType, InputText, InputImage, InputAudio)
	if c.Tokens() {
		v.vocabulary("vocab_size", c.VocabSize, 3)
	}
	v.Between("input_channels", c.Channels(), 1, maxBlockDim)
	v.Check(!c.Tokens() || c.Channels() == 1, "input_channels is %d, want 1 for a model that reads %s", c.InputChannels, c.InputType)
	v.OneOf("sen_rep_type", c.SenRepType, SenRepMean, SenRepCLS)
	v.Between("encoder_layers", c.EncoderLayers, 1, maxLayers)
	v.Between("max_positions", c.MaxPositions, 1, maxPositions)
	v.Between("classifier_layers", c.ClassifierLayers, 0, maxLayers)
	v.Between("sentence_class_num", c.SentenceClassNum, 1, maxVocabulary)
	if c.ClassifierLayers > 0 {
		v.Between("classifier_out_dim", c.ClassifierOutDim, 1, maxBlockDim)
	}
	d := c.EncoderEmbedDim
	v.Check(c.ClassifierInDim == d || c.ClassifierInDim == 2*d, "classifier_in_dim is %d, want encoder_embed_dim = %d, or %d for a pair of texts", c.ClassifierInDim, d, 2*d)
	v.Check(c.ClassifierLayers > 0 || c.ClassifierOutDim == c.ClassifierInDim, "classifier_out_dim is %d, want classifier_in_dim = %d when classifier_layers is 0", c.ClassifierOutDim, c.ClassifierInDim)
	v.Check(!c.NormalizeEmbedding || !c.EncoderNormalizeBefore, "normalize_embedding and encoder_normalize_before exclude each other")
	_, err := autograd.ParseActivation(c.ClassifierActivationFn)
	v.Add(config.Wrap("classifier_activation_fn", err))
	block, err := c.block()
	v.Add(err)
	block.validate(&v.Complaints, classifierKey)
}

// classifierKey returns the key under which a ClassifierConfig has a value of
// its blocks.
func classifierKey(name string) string {
	switch name {
	case "embed_dim", "hidden_dim", "ffn_embed_dim":
		return "encoder_" + name
	case "hidden_dropout", "activation_dropout":
		return "act_dropout"
	}
	return name
}

// block returns the configuration of the encoder's blocks.
func (c ClassifierConfig) block() (BlockConfig, error) {
	b := BlockConfig{
		EmbedDim: c.EncoderEmbedDim, HiddenDim: c.EncoderHiddenDim, FFNDim: c.EncoderFFNEmbedDim,
		ZDim: c.ZDim, NDim: c.NDim, Bidirectional: true,
		ChunkSize: c.ChunkSize, Truncation: c.TruncationLength, MaxPositions: c.MaxPositions,
		RelPosBias: c.RelPosBias, Prenorm: c.EncoderNormalizeBefore, NormAffine: true,
		Dropout: c.Dropout, AttentionDropout: c.AttentionDropout,
		HiddenDropout: c.ActDropout, ActivationDropout: c.ActDropout,
		FeatureDropout: c.FeatureDropout,
	}
	err := b.parseFunctions(c.ActivationFn, c.AttentionActivationFn, "norm_type", c.NormType)
	return b, err
}

// BlockConfig describes one Mega block: a gated attention with a moving average
// and a feed-forward network.
type BlockConfig struct {
	EmbedDim, HiddenDim, FFNDim, ZDim, NDim int

	Bidirectional bool // false: causal
	ChunkSize     int  // negative: the whole sequence is one chunk
	Truncation    int  // taps of the EMA, 0 or negative for all
	Swapped       bool // as in autograd.EMAConfig
	Shifted       bool // as in autograd.EMAConfig
	MaxPositions  int  // reach of a simple bias without chunks
	RelPosBias    string

	Activation autograd.Activation
	Attention  autograd.AttentionFunction
	Norm       nn.NormType
	Prenorm    bool
	NormAffine bool

	Dropout, AttentionDropout float64
	HiddenDropout             float64 // of the values of attention
	ActivationDropout         float64 // inside the feed-forward network
	FeatureDropout            bool
	// DropPath is the probability that training leaves out what a layer finds for a
	// whole row: the attention's candidate before its gate, the network's output
	// before it is added (stochastic depth, of mega-image).
	DropPath float64
}

// parseFunctions sets the functions from their names, reporting all that are
// unknown; normKey is the norm's key.
func (b *BlockConfig) parseFunctions(activation, attention, normKey, norm string) error {
	var errs [3]error
	b.Activation, errs[0] = autograd.ParseActivation(activation)
	b.Attention, errs[1] = autograd.ParseAttentionFunction(attention)
	b.Norm, errs[2] = nn.ParseNormType(norm)
	var v config.Complaints
	for i, key := range []string{"activation_fn", "attention_activation_fn", normKey} {
		v.Add(config.Wrap(key, errs[i]))
	}
	return v.Err()
}

// Bounds on what a configuration may ask for, so that a broken one fails with a
// sentence and not by exhausting memory.
const (
	maxBlockDim   = 1 << 16
	maxStates     = 1 << 10
	maxLayers     = 1 << 12
	maxPositions  = 1 << 24
	maxVocabulary = 1 << 28
	maxParameters = 1 << 33 // 32 GiB
)

// Validate reports every value that is impossible, by the reference's names.
func (b BlockConfig) Validate() error {
	var v config.Complaints
	b.validate(&v, func(name string) string { return name })
	return v.Err()
}

// validate is Validate for a block of a model whose configuration has the value
// name under the key that key returns.
func (b BlockConfig) validate(v *config.Complaints, key func(name string) string) {
	v.Between(key("embed_dim"), b.EmbedDim, 1, maxBlockDim)
	v.Between(key("hidden_dim"), b.HiddenDim, 1, maxBlockDim)
	v.Between(key("ffn_embed_dim"), b.FFNDim, 0, maxBlockDim)
	v.Between(key("z_dim"), b.ZDim, 1, maxBlockDim)
	v.Between(key("n_dim"), b.NDim, 1, maxStates)
	v.OneOf("rel_pos_bias", b.RelPosBias, RelPosSimple, RelPosRotary)
	v.Check(b.RelPosBias != RelPosRotary || b.ZDim%2 == 0, "%s is %d, want an even number for rel_pos_bias=rotary", key("z_dim"), b.ZDim)
	v.Check(b.ChunkSize != 0, "%s is 0, want a positive number, or a negative one for no chunks", key("chunk_size"))
	v.Check(b.ChunkSize <= maxPositions, "%s is %d, want at most %d, or a negative number for no chunks", key("chunk_size"), b.ChunkSize, maxPositions)
	if b.ChunkSize < 0 {
		v.Between(key("max_positions"), b.MaxPositions, 1, maxPositions)
	}
	v.Probability(key("dropout"), b.Dropout)
	v.Probability(key("attention_dropout"), b.AttentionDropout)
	v.Probability(key("hidden_dropout"), b.HiddenDropout)
	v.Probability(key("activation_dropout"), b.ActivationDropout)
	v.Probability(key("drop_path"), b.DropPath)
}

// biasLength is how many positions a simple bias is made for.
func (b BlockConfig) biasLength() int {
	if b.ChunkSize > 0 {
		return b.ChunkSize
	}
	return b.MaxPositions
}
