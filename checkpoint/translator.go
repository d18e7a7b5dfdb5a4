package checkpoint

import (
	"fmt"

	"github.com/mega-go/mega"
)

// Translation is the kind of translators, by the name that configurations use.
const Translation = "translation"

var translators = kindOf[mega.TranslatorConfig, *mega.Translator]{
	family:   family{name: Translation, noun: "translator", layers: []string{"encoder.layers.", "decoder.layers."}, tasks: []task{{"translation", "mega"}}, decodes: true, versioned: true},
	fromArgs: translatorConfig,
	build:    mega.NewTranslatorOf,
}

// Translator makes the translator that the checkpoint holds.
func (c *Checkpoint) Translator() (*mega.Translator, error) {
	m, err := translators.load(c)
	if err == nil {
		m.SetInt8(c.Int8())
		m.SetBF16(c.bf16)
	}
	return m, err
}

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
