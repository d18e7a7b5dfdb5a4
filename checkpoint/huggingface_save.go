package checkpoint

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/mega-go/mega"
	"github.com/mega-go/mega/format/dtype"
	"github.com/mega-go/mega/format/safetensors"
	"github.com/mega-go/mega/format/torchfile"
	"github.com/mega-go/mega/internal/atomicfile"
	"github.com/mega-go/mega/internal/config"
)

// huggingFace writes a directory that transformers loads: a language model as
// MegaForCausalLM, a classifier as MegaForSequenceClassification where its head
// is of that kind. Other classifiers are written as MegaModel, the encoder
// alone, with their head beside it under our names, which transformers passes
// over.
func (s *saving) huggingFace(path string) error {
	h, err := s.hfConfig()
	if err != nil {
		return fmt.Errorf("the Mega of Hugging Face cannot hold this model: %w", err)
	}
	h.TorchDType = s.torchDType()
	h.Own = &s.config
	config, err := json.MarshalIndent(h, "", "  ")
	if err != nil {
		return err
	}
	tensors, err := s.hfTensors(h)
	if err != nil {
		return err
	}
	return atomicfile.WriteDir(path, func(temp string) error {
		if err := writeJSON(filepath.Join(temp, ConfigFile), config); err != nil {
			return err
		}
		if s.options.TorchWeights {
			return torchfile.Save(filepath.Join(temp, torchModelFile), stateDictOf(tensors))
		}
		return writeTensors(filepath.Join(temp, ModelFile), tensors, map[string]string{"format": "pt"})
	})
}

// stateDictOf returns tensors as torch saves a module's.
func stateDictOf(tensors []safetensors.Tensor) *torchfile.Dict {
	d := &torchfile.Dict{Ordered: true}
	for _, t := range tensors {
		d.Set(t.Name, torchTensor(t))
	}
	return d
}

// hfConfig maps the configuration, or says what is in the way.
func (s *saving) hfConfig() (*hfConfig, error) {
	switch c := s.model.config.(type) {
	case mega.ClassifierConfig:
		return s.hfClassifier(c)
	case mega.LanguageModelConfig:
		return s.hfLanguageModel(c)
	case mega.VisionConfig:
		return nil, errors.New("it embeds tokens, and this model reads pictures")
	}
	return nil, errors.New("it has no encoder with a decoder, which a translator is")
}

func (s *saving) hfClassifier(c mega.ClassifierConfig) (*hfConfig, error) {
	h := hfDefaults()
	h.Architectures = []string{hfEncoder}
	if s.hasHFHead(c) {
		h.Architectures = []string{hfClassifier}
		h.setLabels(c.SentenceClassNum)
	}
	h.VocabSize, h.HiddenSize, h.NumHiddenLayers = c.VocabSize, c.EncoderEmbedDim, c.EncoderLayers
	h.IntermediateSize, h.SharedRepresentationSize, h.EMAProjectionSize = c.EncoderHiddenDim, c.ZDim, c.NDim
	h.setFFN(c.EncoderFFNEmbedDim)
	h.setPositions(c.ChunkSize, c.MaxPositions, c.TruncationLength)
	h.Activation, h.AttentionActivation, h.NormalizationType = c.ActivationFn, c.AttentionActivationFn, c.NormType
	h.RelativePositionalBias = c.RelPosBias
	h.DropoutProb, h.AttentionProbsDropoutProb, h.HiddenDropoutProb = c.Dropout, c.AttentionDropout, c.ActDropout
	h.NFFNActivationDropoutProb, h.UseFeatureDropout = c.ActDropout, c.FeatureDropout
	var v config.Complaints
	v.Check(c.Tokens(), "it embeds tokens, and this model reads %s", c.InputType)
	return &h, s.exportable(&h, "encoder_normalize_before", c.EncoderNormalizeBefore, c.NormalizeEmbedding, &v)
}

func (s *saving) hfLanguageModel(c mega.LanguageModelConfig) (*hfConfig, error) {
	h := hfDefaults()
	h.Architectures = []string{hfDecoder}
	h.IsDecoder, h.Bidirectional, h.AddLMHiddenDenseLayer = true, false, false
	h.TieWordEmbeddings = c.ShareDecoderInputOutputEmbed
	h.VocabSize, h.HiddenSize, h.NumHiddenLayers = c.VocabSize, c.DecoderEmbedDim, c.DecoderLayers
	h.IntermediateSize, h.SharedRepresentationSize, h.EMAProjectionSize = c.DecoderHiddenDim, c.DecoderZDim, c.DecoderNDim
	h.setFFN(c.DecoderFFNEmbedDim)
	h.setPositions(c.DecoderChunkSize, c.MaxTargetPositions, c.TruncationLength)
	h.Activation, h.AttentionActivation, h.NormalizationType = c.ActivationFn, c.AttentionActivationFn, c.NormalizationType
	h.RelativePositionalBias = c.RelPosBias
	h.DropoutProb, h.AttentionProbsDropoutProb, h.HiddenDropoutProb = c.Dropout, c.AttentionDropout, c.HiddenDropout
	h.NFFNActivationDropoutProb, h.UseFeatureDropout = c.ActivationDropout, c.FeatureDropout
	var v config.Complaints
	v.Check(c.NoScaleEmbedding, "it does not scale embeddings, and this model does (no_scale_embedding is not set)")
	v.Check(!c.AdaptiveInput && !c.Adaptive(), "it has neither adaptive input nor adaptive softmax, and this model has (adaptive_input, adaptive_softmax_cutoff)")
	v.Check(c.DecoderInputDim == c.DecoderEmbedDim, "its embeddings are as wide as its layers, and here decoder_input_dim is %d and decoder_embed_dim %d", c.DecoderInputDim, c.DecoderEmbedDim)
	return &h, s.exportable(&h, "normalize_before", c.NormalizeBefore, c.NormalizeEmbedding, &v)
}

// exportable adds what may be in the way of any model.
func (s *saving) exportable(h *hfConfig, prenormKey string, prenorm, embedNorm bool, v *config.Complaints) error {
	h.NormalizeBeforeMega, h.NormalizeBeforeFFN = prenorm, prenorm
	v.Check(!prenorm, "it has no final norm, and this model has one (%s is set)", prenormKey)
	v.Check(!embedNorm, "it has no norm of embeddings, and this model has one (normalize_embedding is set)")
	v.Check(h.NormalizationType != "rmsnorm" || s.options.AcceptRMSNorm,
		"its rmsnorm leaves the input as it is, so that the model would give other numbers there (hf_accept_rmsnorm writes it all the same)")
	v.Check(slices.Contains(hfActivations, h.Activation), "it does not know the activation %q", h.Activation)
	return v.Err()
}

// hfActivations are the activations that both sides have under one name.
var hfActivations = []string{"silu", "relu", "linear", "gelu", "gelu_accurate", "tanh", "sigmoid", "relu2", "laplace"}

func (h *hfConfig) setFFN(dim int) {
	h.UseNormalizedFFN = dim > 0
	if dim > 0 {
		h.NFFNHiddenSize = dim
	}
}

// setPositions maps chunks, the longest input and the truncation.
func (h *hfConfig) setPositions(chunk, most, truncation int) {
	h.MaxPositions = most
	if chunk > 0 {
		h.UseChunking, h.ChunkSize = true, chunk
		h.MaxPositions = max(most, chunk)
	}
	if truncation > 0 {
		h.Truncation = &truncation
	}
}

func (h *hfConfig) setLabels(classes int) {
	h.ID2Label, h.Label2ID = make(map[string]string), make(map[string]int)
	for i := range classes {
		label := fmt.Sprintf("LABEL_%d", i)
		h.ID2Label[strconv.Itoa(i)], h.Label2ID[label] = label, i
	}
}

// hasHFHead reports whether a classifier's head is that of Hugging Face: tanh of
// one layer over the first position, as wide as the encoder but for a unit that
// carries a bias.
func (s *saving) hasHFHead(c mega.ClassifierConfig) bool {
	return c.SenRepType == mega.SenRepCLS && c.ClassifierLayers == 1 && c.ClassifierActivationFn == "tanh" && !c.Pair() &&
		(c.ClassifierOutDim == c.EncoderEmbedDim || s.biasUnit(c))
}

// biasUnit reports whether the last hidden unit of a classifier's head does
// nothing but carry a bias.
func (s *saving) biasUnit(c mega.ClassifierConfig) bool {
	if c.ClassifierOutDim != c.EncoderEmbedDim+1 {
		return false
	}
	weight, bias := s.numbers(headHidden+".weight"), s.numbers(headHidden+".bias")
	last := weight[len(weight)-c.EncoderEmbedDim:]
	return bias[len(bias)-1] == hfBias && !slices.ContainsFunc(last, func(x float32) bool { return x != 0 })
}

// numbers returns a parameter of the model.
func (s *saving) numbers(name string) []float32 {
	for _, q := range s.model.params.All() {
		if q.Name == name {
			return q.Value().Host()
		}
	}
	return nil
}

// torchDType names the type that most weights have.
func (s *saving) torchDType() string {
	counts := make(map[dtype.DType]int)
	for _, t := range s.tensors {
		counts[t.DType] += len(t.Data)
	}
	switch {
	case counts[dtype.F16] > counts[dtype.F32]:
		return "float16"
	case counts[dtype.BF16] > counts[dtype.F32]:
		return "bfloat16"
	}
	return "float32"
}

// hfTensors returns the weights under Hugging Face's names and in its layouts.
func (s *saving) hfTensors(h *hfConfig) ([]safetensors.Tensor, error) {
	class := h.architecture()
	tensors := maps.Clone(s.tensors)
	var out []safetensors.Tensor
	if class == hfClassifier {
		head, err := s.hfHead(h.HiddenSize)
		if err != nil {
			return nil, err
		}
		out = append(out, head...)
		for _, name := range []string{headHidden + ".weight", headHidden + ".bias", headProjection} {
			delete(tensors, name)
		}
	}
	for _, name := range s.model.params.Names() {
		t, ok := tensors[name]
		if !ok {
			continue
		}
		t.Name = hfName(name, class)
		if strings.HasSuffix(name, "rel_pos_bias.rel_pos_bias") {
			t = padded(t, 2*h.MaxPositions-1)
		}
		if placeholder, ok := strings.CutSuffix(t.Name, "b_param"); ok {
			out = append(out, safetensors.Of(placeholder+"_float_tensor", []int{1}, []float32{0}))
		}
		out = append(out, t)
	}
	if class == hfDecoder {
		out = append(out, safetensors.Of("lm_head.bias", []int{h.VocabSize}, make([]float32, h.VocabSize)))
	}
	return out, nil
}

// padded appends zeros to a vector, up to n numbers.
func padded(t safetensors.Tensor, n int) safetensors.Tensor {
	data := make([]byte, n*t.DType.Size())
	copy(data, t.Data)
	t.Shape, t.Data = []int{n}, data
	return t
}

// hfHead returns the head of a classifier, with the bias that it carries in a
// unit of its own.
func (s *saving) hfHead(dim int) ([]safetensors.Tensor, error) {
	hidden, hiddenBias := s.numbers(headHidden+".weight"), s.numbers(headHidden+".bias")
	projection := s.numbers(headProjection)
	width := len(hiddenBias)
	classes := len(projection) / width
	rows, bias := make([]float32, 0, classes*dim), make([]float32, classes)
	for i := range classes {
		row := projection[i*width : (i+1)*width]
		rows = append(rows, row[:dim]...)
		if width > dim {
			bias[i] = row[dim]
		}
	}
	var out []safetensors.Tensor
	for _, part := range []struct {
		name  string
		shape []int
		data  []float32
	}{
		{hfHeadHidden + ".weight", []int{dim, dim}, hidden[:dim*dim]},
		{hfHeadHidden + ".bias", []int{dim}, hiddenBias[:dim]},
		{hfHeadProjection + ".weight", []int{classes, dim}, rows},
		{hfHeadProjection + ".bias", []int{classes}, bias},
	} {
		t, err := s.tensor(part.name, part.shape, part.data)
		if err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, nil
}
