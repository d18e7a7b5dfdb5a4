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
	kind
}

// A kind is a kind of models with the configuration of one.
type kind interface {
	// build makes the model and a batch of random input.
	build(w Workload, rng *rand.Rand) (*model, error)
	// layers returns what its cost depends on, but for the batch; nothing if its
	// operations are not counted.
	layers() shape
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
	vision("vit-tiny", 4, "mega_tiny_patch16_224"),
	vision("vit-base", 4, "mega_base_patch16_224"),
	translator("mt-small", 128, 12, 64, func(c *mega.TranslatorConfig) {
		c.EncoderLayers, c.DecoderLayers, c.EncoderEmbedDim, c.EncoderHiddenDim = 2, 2, 48, 96
		c.EncoderFFNEmbedDim, c.EncoderZDim, c.EncoderNDim = 64, 24, 8
	}),
	translator("mt-base", 32, 25, 32768, func(*mega.TranslatorConfig) {}),
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
	params  *nn.Params
	samples int // that the summed loss's gradient is divided by
	loss    func(t *autograd.Tape) (autograd.Loss, error)
	infer   func(t *autograd.Tape) error
	search  func(bf16 bool) error // translates a batch, nil except for translators
}

// ours returns the configuration of an architecture, whose name is one of this
// package.
func ours[C any](c C, err error) C {
	if err != nil {
		panic(err)
	}
	return c
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
