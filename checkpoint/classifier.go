package checkpoint

import (
	"errors"
	"fmt"

	"github.com/mega-go/mega"
)

// Classification is the kind of classifiers of sequences, by the name that
// configurations use.
const Classification = "classification"

var classifiers = kindOf[mega.ClassifierConfig, *mega.Classifier]{
	family: family{
		name: Classification, noun: "classifier (bidirectional)", layers: []string{"encoder.encoder.layers."},
		huggingFace: hfClassifier,
		tasks:       []task{{"lra-text", "mega_lra_imdb"}, {"lra-image", "mega_lra_cifar10"}, {"speech_commands", "mega_sc_raw"}},
		toReference: classifierTask,
	},
	fromArgs: classifierConfig,
	build:    mega.NewClassifierOf,
}

// Classifier makes the classifier that the checkpoint holds.
func (c *Checkpoint) Classifier() (*mega.Classifier, error) {
	m, err := classifiers.load(c)
	if err == nil {
		m.SetBF16(c.bf16)
	}
	return m, err
}

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

// classifierTask names the task of the reference that trains such a classifier.
func classifierTask(args map[string]any) {
	switch {
	case args["task"] == "listops": // generated here, read by the reference as a text
		args["task"] = "lra-text"
	case args["input_type"] == "audio":
		args["task"] = "speech_commands"
	case args["input_type"] == "image":
		args["task"] = "lra-image"
	}
}
