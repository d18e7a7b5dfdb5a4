package checkpoint

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/mega-go/mega"
	"github.com/mega-go/mega/internal/config"
)

// hfConfig is the configuration of Hugging Face's Mega (transformers
// models/deprecated/mega/configuration_mega.py), with its names.
type hfConfig struct {
	Architectures []string `json:"architectures"`
	ModelType     string   `json:"model_type"`
	TorchDType    string   `json:"torch_dtype,omitempty"`

	VocabSize       int `json:"vocab_size"`
	HiddenSize      int `json:"hidden_size"`
	NumHiddenLayers int `json:"num_hidden_layers"`
	MaxPositions    int `json:"max_positions"`

	IntermediateSize         int  `json:"intermediate_size"`
	SharedRepresentationSize int  `json:"shared_representation_size"`
	EMAProjectionSize        int  `json:"ema_projection_size"`
	Truncation               *int `json:"truncation"`
	Bidirectional            bool `json:"bidirectional"`
	UseChunking              bool `json:"use_chunking"`
	ChunkSize                int  `json:"chunk_size"`

	Activation             string `json:"activation"`
	AttentionActivation    string `json:"attention_activation"`
	RelativePositionalBias string `json:"relative_positional_bias"`
	NormalizationType      string `json:"normalization_type"`
	NormAffine             bool   `json:"norm_affine"`
	NormalizeBeforeMega    bool   `json:"normalize_before_mega"`
	NormalizeBeforeFFN     bool   `json:"normalize_before_ffn"`
	UseNormalizedFFN       bool   `json:"use_normalized_ffn"`
	NFFNHiddenSize         int    `json:"nffn_hidden_size"`

	DropoutProb               float64 `json:"dropout_prob"`
	HiddenDropoutProb         float64 `json:"hidden_dropout_prob"`
	AttentionProbsDropoutProb float64 `json:"attention_probs_dropout_prob"`
	NFFNActivationDropoutProb float64 `json:"nffn_activation_dropout_prob"`
	UseFeatureDropout         bool    `json:"use_feature_dropout"`

	AddTokenTypeEmbeddings bool `json:"add_token_type_embeddings"`
	AddLMHiddenDenseLayer  bool `json:"add_lm_hidden_dense_layer"`
	AddCrossAttention      bool `json:"add_cross_attention"`
	IsDecoder              bool `json:"is_decoder"`
	TieWordEmbeddings      bool `json:"tie_word_embeddings"`
	PadTokenID             int  `json:"pad_token_id"`
	BosTokenID             int  `json:"bos_token_id"`
	EosTokenID             int  `json:"eos_token_id"`

	ID2Label map[string]string `json:"id2label,omitempty"`
	Label2ID map[string]int    `json:"label2id,omitempty"`

	// Own is what Save adds, so that a model comes back as it was.
	Own *Config `json:"mega_config,omitempty"`
}

// The classes of Hugging Face that models here can be.
const (
	hfEncoder    = "MegaModel"
	hfClassifier = "MegaForSequenceClassification"
	hfDecoder    = "MegaForCausalLM"
)

// hfDefaults returns MegaConfig's defaults.
func hfDefaults() hfConfig {
	return hfConfig{
		ModelType: "mega", VocabSize: 30522, HiddenSize: 128, NumHiddenLayers: 4, MaxPositions: 2048,
		IntermediateSize: 256, SharedRepresentationSize: 64, EMAProjectionSize: 16, Bidirectional: true, ChunkSize: -1,
		Activation: "silu", AttentionActivation: "softmax", RelativePositionalBias: mega.RelPosRotary,
		NormalizationType: "scalenorm", NormAffine: true, NormalizeBeforeMega: true, NormalizeBeforeFFN: true,
		UseNormalizedFFN: true, NFFNHiddenSize: 256,
		DropoutProb: 0.1, HiddenDropoutProb: 0.1, AttentionProbsDropoutProb: 0.1, NFFNActivationDropoutProb: 0.1,
		AddLMHiddenDenseLayer: true, TieWordEmbeddings: true, PadTokenID: 1, BosTokenID: 0, EosTokenID: 2,
	}
}

// parseHuggingFace reads a configuration of Hugging Face's Mega. It returns nil
// if text is another one.
func parseHuggingFace(text []byte) (*hfConfig, error) {
	var kind struct {
		ModelType string `json:"model_type"`
	}
	if err := config.Decode(text, &kind); err != nil {
		return nil, err
	}
	if kind.ModelType == "" {
		return nil, nil
	}
	if kind.ModelType != "mega" {
		return nil, fmt.Errorf("a Hugging Face configuration with model_type %q, want \"mega\"", kind.ModelType)
	}
	h := hfDefaults()
	return &h, config.Decode(text, &h)
}

// openHuggingFace takes over a directory of Hugging Face.
func (c *Checkpoint) openHuggingFace(h *hfConfig) error {
	weights, err := c.openWeights()
	if err != nil {
		return err
	}
	if err := c.fromHuggingFace(h, weights); err != nil {
		return errors.Join(fmt.Errorf("%s: %w", c.from.path(ConfigFile), err), c.Close())
	}
	return nil
}

// fromHuggingFace sets configuration and weights.
func (c *Checkpoint) fromHuggingFace(h *hfConfig, weights Weights) error {
	if h.Own != nil {
		text, err := json.Marshal(h.Own)
		if err != nil {
			return err
		}
		if err := c.setConfig(text); err != nil {
			return err
		}
		c.Weights, err = h.ownWeights(weights, c.config)
		return err
	}
	var own any
	var err error
	switch h.architecture() {
	case hfClassifier:
		c.Task = Classification
		own, c.Weights, err = h.classifier(weights)
	case hfDecoder:
		c.Task = LanguageModelling
		own, c.Weights, err = h.languageModel(weights)
	default: // to be looked at
		c.Task, c.Weights, own = h.architecture(), newHFWeights(weights, h), h
		c.config, err = json.Marshal(own)
		return err
	}
	var v config.Complaints
	h.importable(&v)
	if v.Add(err); !v.None() {
		return v.Err()
	}
	c.rmsNorm = h.NormalizationType == "rmsnorm"
	c.config, err = json.Marshal(own)
	return err
}

// ownWeights shows the weights of a model that Save wrote, whose configuration
// is text.
func (h *hfConfig) ownWeights(w Weights, text []byte) (Weights, error) {
	weights := newHFWeights(w, h)
	if h.architecture() != hfClassifier {
		return weights, nil
	}
	config, err := mega.ParseConfig[mega.ClassifierConfig](text)
	if err != nil {
		return nil, err
	}
	return weights, weights.addHead(h.HiddenSize, config.ClassifierOutDim > h.HiddenSize)
}

func (h *hfConfig) architecture() string {
	if len(h.Architectures) == 0 {
		return "model without architectures"
	}
	return h.Architectures[0]
}

// importable reports what a model has that none here has.
func (h *hfConfig) importable(v *config.Complaints) {
	v.Check(!h.NormalizeBeforeMega && !(h.NormalizeBeforeFFN && h.UseNormalizedFFN),
		"normalize_before_mega or normalize_before_ffn is set, and Hugging Face's Mega has no final norm then, which models here have")
	v.Check(h.NormAffine, "norm_affine is not set, and norms here have weights")
	v.Check(!h.AddTokenTypeEmbeddings, "add_token_type_embeddings is set, and models here have no token types")
	v.Check(!h.AddCrossAttention, "add_cross_attention is set, and there is no encoder to attend to")
	v.Check(h.PadTokenID == mega.Pad, "pad_token_id is %d, and padding is %d here", h.PadTokenID, mega.Pad)
	v.Check(h.Bidirectional != h.IsDecoder, "bidirectional is %t and is_decoder %t, want one of them", h.Bidirectional, h.IsDecoder)
}

// positions returns the chunk size here (-1 for none) and the reach of a simple
// bias. Hugging Face bounds it by chunk_size even without chunks.
func (h *hfConfig) positions() (chunk, reach int) {
	chunk, reach = -1, h.MaxPositions
	if h.ChunkSize >= 0 {
		reach = h.ChunkSize
		if h.UseChunking {
			chunk = h.ChunkSize
		}
	}
	return chunk, reach
}

func (h *hfConfig) truncation() int {
	if h.Truncation == nil {
		return 0
	}
	return *h.Truncation
}

// ffnDim returns the width of the feed-forward networks, 0 for none.
func (h *hfConfig) ffnDim() int {
	if !h.UseNormalizedFFN {
		return 0
	}
	return h.NFFNHiddenSize
}

// maxPositions returns the longest input: what a simple bias reaches, except in
// chunks.
func (h *hfConfig) maxPositions() int {
	if chunk, reach := h.positions(); chunk < 0 && h.RelativePositionalBias == mega.RelPosSimple {
		return reach
	}
	return h.MaxPositions
}

// languageModel maps a MegaForCausalLM.
func (h *hfConfig) languageModel(w Weights) (mega.LanguageModelConfig, Weights, error) {
	chunk, _ := h.positions()
	c := mega.LanguageModelConfig{
		Seed: 1, VocabSize: h.VocabSize, MaxTargetPositions: h.maxPositions(),
		DecoderLayers: h.NumHiddenLayers, DecoderEmbedDim: h.HiddenSize, DecoderInputDim: h.HiddenSize,
		DecoderHiddenDim: h.IntermediateSize, DecoderFFNEmbedDim: h.ffnDim(), DecoderZDim: h.SharedRepresentationSize,
		DecoderNDim: h.EMAProjectionSize, DecoderChunkSize: chunk, TruncationLength: h.truncation(),
		ActivationFn: h.Activation, AttentionActivationFn: h.AttentionActivation, NormalizationType: h.NormalizationType,
		RelPosBias: h.RelativePositionalBias, NoScaleEmbedding: true,
		Dropout: h.DropoutProb, AttentionDropout: h.AttentionProbsDropoutProb, HiddenDropout: h.HiddenDropoutProb,
		ActivationDropout: h.NFFNActivationDropoutProb, FeatureDropout: h.UseFeatureDropout,
		AdaptiveInputFactor: 4, AdaptiveSoftmaxFactor: 4, ShareDecoderInputOutputEmbed: h.TieWordEmbeddings,
	}
	if h.AddLMHiddenDenseLayer {
		return c, nil, errors.New("add_lm_hidden_dense_layer is set, and language models here have no layer ahead of their output")
	}
	bias, err := numbersOf(w, "lm_head.bias")
	if err != nil {
		return c, nil, err
	}
	if slices.ContainsFunc(bias, func(x float32) bool { return x != 0 }) {
		return c, nil, errors.New("lm_head has a bias that is not zero, and the outputs of language models here have none")
	}
	return c, newHFWeights(w, h), nil
}

// classifier maps a MegaForSequenceClassification.
func (h *hfConfig) classifier(w Weights) (mega.ClassifierConfig, Weights, error) {
	chunk, _ := h.positions()
	c := mega.ClassifierConfig{
		Seed: 1, InputType: mega.InputText, VocabSize: h.VocabSize, MaxPositions: h.maxPositions(), SenRepType: mega.SenRepCLS,
		EncoderLayers: h.NumHiddenLayers, EncoderEmbedDim: h.HiddenSize, EncoderHiddenDim: h.IntermediateSize,
		EncoderFFNEmbedDim: h.ffnDim(), ZDim: h.SharedRepresentationSize, NDim: h.EMAProjectionSize,
		ActivationFn: h.Activation, AttentionActivationFn: h.AttentionActivation, NormType: h.NormalizationType,
		RelPosBias: h.RelativePositionalBias, ChunkSize: chunk, TruncationLength: h.truncation(),
		Dropout: h.DropoutProb, AttentionDropout: h.AttentionProbsDropoutProb, ActDropout: h.HiddenDropoutProb,
		FeatureDropout: h.UseFeatureDropout, ClassifierLayers: 1, ClassifierInDim: h.HiddenSize,
		ClassifierActivationFn: "tanh",
	}
	weights := newHFWeights(w, h)
	if err := weights.addHead(h.HiddenSize, false); err != nil {
		return c, nil, err
	}
	projection, _ := weights.Shape(headProjection)
	c.SentenceClassNum, c.ClassifierOutDim = projection[0], projection[1]
	return c, weights, nil
}
