package checkpoint

import (
	"fmt"
	"maps"
	"strconv"
	"strings"

	"github.com/mega-go/mega"
)

// LanguageModelling is the kind of language models, by the name that
// configurations use.
const LanguageModelling = "language_modeling"

var languageModels = kindOf[mega.LanguageModelConfig, *mega.LanguageModel]{
	family: family{
		name: LanguageModelling, noun: "language model (causal)", layers: []string{"decoder.layers."},
		huggingFace: hfDecoder,
		tasks:       []task{{"language_modeling", "mega_lm"}},
		decodes:     true, versioned: true, toReference: writeCutoffs,
	},
	fromArgs: languageModelConfig,
	build:    mega.NewLanguageModelOf,
}

// LanguageModel makes the language model that the checkpoint holds.
func (c *Checkpoint) LanguageModel() (*mega.LanguageModel, error) {
	m, err := languageModels.load(c)
	if err == nil {
		m.SetInt8(c.Int8())
		m.SetBF16(c.bf16)
	}
	return m, err
}

// cutoffKeys are the arguments that cutoffs reads.
var cutoffKeys = []string{"adaptive_input_cutoff", "adaptive_softmax_cutoff"}

func languageModelConfig(args map[string]any, w Weights) (mega.LanguageModelConfig, error) {
	arch, _ := args["arch"].(string)
	c, err := mega.LanguageModelArch(arch)
	if err != nil {
		return c, fmt.Errorf("arch: %w", err)
	}
	args = maps.Clone(args)
	for _, key := range cutoffKeys {
		if value, ok := args[key]; ok {
			if args[key], err = cutoffs(value); err != nil {
				return c, fmt.Errorf("%s: %w", key, err)
			}
		}
	}
	if err := applyArgs(&c, args); err != nil {
		return c, err
	}
	if c.VocabSize, err = vocabularyOf(c, w); err != nil {
		return c, err
	}
	return c, c.Validate()
}

// vocabularyOf returns the number of words of a language model, whose table may
// be divided into bands.
func vocabularyOf(c mega.LanguageModelConfig, w Weights) (int, error) {
	if !c.AdaptiveInput {
		return rowsOf(w, "decoder.embed_tokens.weight")
	}
	words := 0
	for band := range len(c.AdaptiveInputCutoff) + 1 {
		n, err := rowsOf(w, fmt.Sprintf("decoder.embed_tokens.embeddings.%d.0.weight", band))
		if err != nil {
			return 0, err
		}
		words += n
	}
	return words, nil
}

// cutoffs reads a list of numbers that the reference writes as a text with
// commas; null, or nothing between them, is none, whatever the arch's default.
func cutoffs(value any) (any, error) {
	text, ok := value.(string)
	if value == nil || text == "" && ok {
		return []int{}, nil
	}
	if !ok {
		return value, nil
	}
	var out []int
	for _, field := range strings.Split(text, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(field))
		if err != nil {
			return nil, fmt.Errorf("%q is no list of numbers with commas between", text)
		}
		out = append(out, n)
	}
	return out, nil
}

// writeCutoffs writes lists of numbers as cutoffs reads them, and names the loss
// that goes with them.
func writeCutoffs(args map[string]any) {
	for _, key := range cutoffKeys {
		if cutoffs, ok := args[key].([]any); ok {
			args[key] = strings.Trim(pythonList(cutoffs, ","), "()")
		}
		if args[key] == "" {
			args[key] = nil
		}
	}
	if args["adaptive_softmax_cutoff"] != nil {
		args["criterion"] = "adaptive_loss"
	}
}
