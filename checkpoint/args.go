package checkpoint

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"math/big"
	"reflect"
	"strconv"
	"strings"

	"github.com/mega-go/mega"
	"github.com/mega-go/mega/internal/config"
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
	c, err := mega.ClassifierArch(arch)
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
	if !c.Tokens() {
		return c, c.Validate()
	}
	if c.VocabSize, err = rowsOf(w, "encoder.encoder.embed_tokens.embed.weight"); err != nil {
		return c, err
	}
	return c, c.Validate()
}

// languageModelConfig reads a language model's configuration from the
// arguments of a reference run, as classifierConfig does a classifier's.
func languageModelConfig(args map[string]any, w Weights) (mega.LanguageModelConfig, error) {
	arch, _ := args["arch"].(string)
	c, err := mega.LanguageModelArch(arch)
	if err != nil {
		return c, fmt.Errorf("arch: %w", err)
	}
	args = maps.Clone(args)
	for _, key := range []string{"adaptive_input_cutoff", "adaptive_softmax_cutoff"} {
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

// translatorConfig reads a translator's configuration from the arguments of a
// reference run, as classifierConfig does a classifier's.
func translatorConfig(args map[string]any, w Weights) (mega.TranslatorConfig, error) {
	arch, _ := args["arch"].(string)
	c, err := mega.TranslatorArch(arch)
	if err != nil {
		return c, fmt.Errorf("arch: %w", err)
	}
	if err := applyArgs(&c, args); err != nil {
		return c, err
	}
	if c.SourceVocabSize, err = rowsOf(w, "encoder.embed_tokens.weight"); err != nil {
		return c, err
	}
	if c.TargetVocabSize, err = rowsOf(w, "decoder.embed_tokens.weight"); err != nil {
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

// rowsOf returns the rows of a matrix that must be there.
func rowsOf(w Weights, name string) (int, error) {
	shape, ok := w.Shape(name)
	switch {
	case !ok:
		return 0, fmt.Errorf("missing: %s; the file holds %s", withNearest([]string{name}, w.Names()), withNearest(w.Names(), nil))
	case len(shape) != 2:
		return 0, fmt.Errorf("%s has shape %v, want two dimensions", name, shape)
	}
	return shape[0], nil
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

// applyArgs sets the fields of the configuration that into points to from the
// arguments of the same names. Null arguments leave a field as it is, except
// that truncation_length's null means none.
func applyArgs(into any, args map[string]any) error {
	known := make(map[string]any)
	for _, key := range config.Keys(reflect.TypeOf(into).Elem()) {
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
	return config.Wrap("arguments", config.Decode(data, into))
}

// parseArgs reads arguments that are kept as JSON. Numbers are int64 where they
// are written without a fraction, as in Python, else float64.
func parseArgs(text []byte) (map[string]any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var args map[string]any
	if err := d.Decode(&args); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("more than one JSON value")
	}
	if args == nil {
		return nil, errors.New("no object of arguments")
	}
	for key, value := range args {
		args[key] = fromNumbers(value)
	}
	return args, nil
}

func fromNumbers(value any) any {
	switch v := value.(type) {
	case json.Number:
		if i, err := v.Int64(); err == nil {
			return i
		}
		f, _ := v.Float64() // too large a number becomes infinite
		return f
	case []any:
		for i, item := range v {
			v[i] = fromNumbers(item)
		}
	case map[string]any:
		for key, item := range v {
			v[key] = fromNumbers(item)
		}
	}
	return value
}

// formatArgs writes arguments so that parseArgs reads the same: floating-point
// numbers keep a fraction. What JSON does not have becomes null.
func formatArgs(args map[string]any) (json.RawMessage, error) {
	text, err := json.Marshal(toNumbers(args))
	if err != nil {
		return nil, fmt.Errorf("arguments: %w", err)
	}
	return text, nil
}

func toNumbers(value any) any {
	switch v := value.(type) {
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil
		}
		text := strconv.FormatFloat(v, 'g', -1, 64)
		if !strings.ContainsAny(text, ".e") {
			text += ".0"
		}
		return json.Number(text)
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = toNumbers(item)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, item := range v {
			out[key] = toNumbers(item)
		}
		return out
	case nil, bool, string, int64, *big.Int:
		return v
	}
	return nil
}
