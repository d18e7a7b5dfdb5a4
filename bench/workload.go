package bench

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/mega-go/mega"
	"github.com/mega-go/mega/autograd"
	"github.com/mega-go/mega/nn"
)

// A Workload is a model with the shape of its batches.
type Workload struct {
	Name          string
	Batch, Length int
	classifier    *mega.ClassifierConfig
	languageModel *mega.LanguageModelConfig
	translator    *mega.TranslatorConfig
}

// Workloads are those of the yardstick, by its names.
var Workloads = []Workload{
	classifier("lra-listops", 2, 2000, "mega_lra_listop", func(c *mega.ClassifierConfig) {
		c.VocabSize, c.NormType, c.AttentionActivationFn, c.ChunkSize = 24, "layernorm", "softmax", -1
	}),
	classifier("lra-text", 2, 4096, "mega_lra_imdb", func(c *mega.ClassifierConfig) {
		c.VocabSize, c.AttentionActivationFn, c.ChunkSize, c.MaxPositions = 260, "softmax", 128, 4096
	}),
	classifier("lra-text-full", 2, 4096, "mega_lra_imdb", func(c *mega.ClassifierConfig) {
		c.VocabSize, c.AttentionActivationFn, c.ChunkSize, c.MaxPositions = 260, "softmax", -1, 4096
	}),
	classifier("lra-image", 8, 1024, "mega_lra_cifar10", func(c *mega.ClassifierConfig) {
		c.AttentionActivationFn, c.EncoderNormalizeBefore, c.ChunkSize, c.Dropout = "laplace", true, -1, 0
	}),
	classifier("lra-pathx", 1, 16384, "mega_lra_pf128", func(c *mega.ClassifierConfig) {
		c.AttentionActivationFn, c.EncoderNormalizeBefore, c.ChunkSize, c.Dropout = "laplace", true, 4096, 0
	}),
	classifier("sc-raw", 2, 16000, "mega_sc_raw", func(*mega.ClassifierConfig) {}),
	languageModel("lm-enwik8", 1, 2048, func(c *mega.LanguageModelConfig) { c.DecoderChunkSize = 2048 }),
	languageModel("lm-small", 2, 2048, func(c *mega.LanguageModelConfig) {
		c.DecoderLayers, c.DecoderEmbedDim, c.DecoderInputDim = 6, 256, 256
		c.DecoderHiddenDim, c.DecoderFFNEmbedDim, c.DecoderZDim, c.DecoderChunkSize = 512, 512, 64, 512
	}),
	translator("mt-small", 128, 12, 64, func(c *mega.TranslatorConfig) {
		c.EncoderLayers, c.DecoderLayers, c.EncoderEmbedDim, c.EncoderHiddenDim = 2, 2, 48, 96
		c.EncoderFFNEmbedDim, c.EncoderZDim, c.EncoderNDim = 64, 24, 8
	}),
	translator("mt-base", 32, 25, 32768, func(*mega.TranslatorConfig) {}),
}

func classifier(name string, batch, length int, arch string, change func(*mega.ClassifierConfig)) Workload {
	c, err := mega.ClassifierArch(arch)
	if err != nil {
		panic(err) // the name is ours
	}
	c.AttentionDropout = 0
	change(&c)
	return Workload{Name: name, Batch: batch, Length: length, classifier: &c}
}

func languageModel(name string, batch, length int, change func(*mega.LanguageModelConfig)) Workload {
	c, err := mega.LanguageModelArch("mega_lm_enwik8_base")
	if err != nil {
		panic(err) // the name is ours
	}
	c.VocabSize, c.MaxTargetPositions, c.TruncationLength = 208, 4096, 8192
	c.RelPosBias, c.NormalizeBefore, c.NoAffineFinalNorm, c.ShareDecoderInputOutputEmbed = mega.RelPosRotary, true, true, true
	change(&c)
	return Workload{Name: name, Batch: batch, Length: length, languageModel: &c}
}

// Find returns the workload of that name.
func Find(name string) (Workload, error) {
	i := slices.IndexFunc(Workloads, func(w Workload) bool { return w.Name == name })
	if i < 0 {
		return Workload{}, fmt.Errorf("unknown workload %q, want one of %s", name, strings.Join(Names(), ", "))
	}
	return Workloads[i], nil
}

// Names lists the workloads.
func Names() []string {
	var names []string
	for _, w := range Workloads {
		names = append(names, w.Name)
	}
	return names
}

// A model is a workload ready to run.
type model struct {
	params *nn.Params
	loss   func(t *autograd.Tape) (*autograd.Variable, error) // the mean
	infer  func(t *autograd.Tape) error
	search func(bf16 bool) error // translates a batch, nil except for translators
}

// build makes the model and a batch of random input.
func (w Workload) build() (*model, error) {
	rng := rand.New(rand.NewPCG(0, 0))
	if w.languageModel != nil {
		return w.buildLanguageModel(rng)
	}
	if w.translator != nil {
		return w.buildTranslator(rng)
	}
	m, err := mega.NewClassifier(*w.classifier)
	if err != nil {
		return nil, err
	}
	in := &mega.Input{Rows: w.Batch, Length: w.Length}
	if w.classifier.Tokens() {
		in.Tokens = randomTokens(rng, w.Batch*w.Length, w.classifier.VocabSize)
	} else {
		in.Samples = make([]float32, w.Batch*w.Length)
		for i := range in.Samples {
			in.Samples[i] = float32(rng.NormFloat64())
		}
	}
	labels := make([]int32, w.Batch)
	for i := range labels {
		labels[i] = rng.Int32N(int32(w.classifier.SentenceClassNum))
	}
	return &model{
		params: m.Params(),
		loss: func(t *autograd.Tape) (*autograd.Variable, error) {
			l, err := m.Loss(t, in, labels)
			return l.Variable, err
		},
		infer: func(t *autograd.Tape) error {
			_, err := m.Forward(t, in)
			return err
		},
	}, nil
}

func (w Workload) buildLanguageModel(rng *rand.Rand) (*model, error) {
	m, err := mega.NewLanguageModel(*w.languageModel)
	if err != nil {
		return nil, err
	}
	tokens := randomTokens(rng, w.Batch*w.Length, w.languageModel.VocabSize)
	targets := randomTokens(rng, w.Batch*w.Length, w.languageModel.VocabSize)
	return &model{
		params: m.Params(),
		loss: func(t *autograd.Tape) (*autograd.Variable, error) {
			l, err := m.Loss(t, tokens, targets, w.Batch, w.Length)
			return l.Variable, err
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

// randomTokens draws ids that are not special symbols.
func randomTokens(rng *rand.Rand, n, vocab int) []int32 {
	const special = 4
	tokens := make([]int32, n)
	for i := range tokens {
		tokens[i] = special + rng.Int32N(int32(vocab-special))
	}
	return tokens
}

// scale returns what the summed loss's gradient is divided by.
func (w Workload) scale() float64 {
	if w.languageModel != nil || w.translator != nil {
		return 1 / float64(w.Batch*w.Length)
	}
	return 1 / float64(w.Batch)
}
