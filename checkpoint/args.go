package checkpoint

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"strconv"
	"strings"

	"github.com/mega-go/mega"
)

// classifierConfig reads a classifier's configuration from the arguments of a
// reference run, given as its argparse namespace. Arguments start from the
// defaults of their arch; what does not concern the model is passed over. The
// size of the vocabulary is not among them and is taken from the weights.
func classifierConfig(args map[string]any, w Weights) (mega.ClassifierConfig, error) {
	arch, _ := args["arch"].(string)
	if arch == "" {
		return mega.ClassifierConfig{}, errors.New("the arguments name no arch")
	}
	c, err := mega.Preset(arch)
	if err != nil {
		return c, fmt.Errorf("arch: %w", err)
	}
	if layer, ok := args["layer_type"].(string); ok && layer != "mega" {
		return c, fmt.Errorf("layer_type is %q, want mega: other layers of the reference are not Mega models", layer)
	}
	if use, _ := args["use_p"].(bool); use {
		return c, errors.New("use_p is set, which only Luna models of the reference have")
	}
	if err := applyArgs(&c, args); err != nil {
		return c, err
	}
	c.VocabSize = rowsOf(w, "encoder.encoder.embed_tokens.embed.weight")
	return c, c.Validate()
}

// languageModelConfig reads a language model's configuration from the
// arguments of a reference run, as classifierConfig does a classifier's.
func languageModelConfig(args map[string]any, w Weights) (mega.LanguageModelConfig, error) {
	arch, _ := args["arch"].(string)
	c, err := mega.LanguageModelPreset(arch)
	if err != nil {
		return c, fmt.Errorf("arch: %w", err)
	}
	args = maps.Clone(args)
	for _, key := range []string{"adaptive_input_cutoff", "adaptive_softmax_cutoff"} {
		if args[key], err = cutoffs(args[key]); err != nil {
			return c, fmt.Errorf("%s: %w", key, err)
		}
	}
	if err := applyArgs(&c, args); err != nil {
		return c, err
	}
	c.VocabSize = rowsOf(w, "decoder.embed_tokens.weight")
	for band := 0; ; band++ {
		n := rowsOf(w, fmt.Sprintf("decoder.embed_tokens.embeddings.%d.0.weight", band))
		if n == 0 {
			break
		}
		c.VocabSize += n
	}
	return c, c.Validate()
}

// translatorConfig reads a translator's configuration from the arguments of a
// reference run, as classifierConfig does a classifier's.
func translatorConfig(args map[string]any, w Weights) (mega.TranslatorConfig, error) {
	arch, _ := args["arch"].(string)
	c, err := mega.TranslatorPreset(arch)
	if err != nil {
		return c, fmt.Errorf("arch: %w", err)
	}
	if err := applyArgs(&c, args); err != nil {
		return c, err
	}
	c.SourceVocabSize = rowsOf(w, "encoder.embed_tokens.weight")
	c.TargetVocabSize = rowsOf(w, "decoder.embed_tokens.weight")
	return c, c.Validate()
}

// rowsOf returns the rows of a matrix, 0 if there is none of that name.
func rowsOf(w Weights, name string) int {
	if shape, ok := w.Shape(name); ok && len(shape) == 2 {
		return shape[0]
	}
	return 0
}

// cutoffs reads a list of numbers that the reference writes as a text with
// commas; null stays null.
func cutoffs(value any) (any, error) {
	text, ok := value.(string)
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

// applyArgs sets the fields of the configuration that config points to from the
// arguments of the same names. Null arguments leave a field as it is, except
// that truncation_length's null means none.
func applyArgs(config any, args map[string]any) error {
	known := make(map[string]any)
	t := reflect.TypeOf(config).Elem()
	for i := range t.NumField() {
		key, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		value, ok := args[key]
		if !ok {
			continue
		}
		if value == nil && key == "truncation_length" {
			value = 0
		}
		if value != nil {
			known[key] = value
		}
	}
	data, err := json.Marshal(known)
	if err != nil {
		return fmt.Errorf("arguments: %w", err)
	}
	if err := json.Unmarshal(data, config); err != nil {
		return fmt.Errorf("arguments: %w", err)
	}
	return nil
}
