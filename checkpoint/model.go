package checkpoint

import (
	"errors"
	"fmt"
	"maps"

	"github.com/mega-go/mega"
	"github.com/mega-go/mega/internal/config"
	"github.com/mega-go/mega/nn"
)

// Options change what a checkpoint says when a model is made of it.
type Options struct {
	NoDropout bool // set every dropout probability to 0
}

// Classifier makes the classifier that the checkpoint holds.
func (c *Checkpoint) Classifier(o Options) (*mega.Classifier, error) {
	config, err := c.ClassifierConfig()
	if err != nil {
		return nil, err
	}
	if o.NoDropout {
		config.Dropout, config.AttentionDropout, config.ActDropout = 0, 0, 0
	}
	m, err := mega.NewClassifierOf(nn.NewShapes(), config)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Path, err)
	}
	return m, c.load(m.Params())
}

// ClassifierConfig returns the configuration of the classifier that the
// checkpoint holds.
func (c *Checkpoint) ClassifierConfig() (mega.ClassifierConfig, error) {
	config, err := configOf(c, Classification, mega.ParseClassifierConfig, classifierConfig)
	return config, err
}

// LanguageModel makes the language model that the checkpoint holds.
func (c *Checkpoint) LanguageModel(o Options) (*mega.LanguageModel, error) {
	config, err := configOf(c, LanguageModelling, mega.ParseLanguageModelConfig, languageModelConfig)
	if err != nil {
		return nil, err
	}
	if o.NoDropout {
		config.Dropout, config.AttentionDropout, config.HiddenDropout = 0, 0, 0
		config.ActivationDropout, config.AdaptiveSoftmaxDropout = 0, 0
	}
	m, err := mega.NewLanguageModelOf(nn.NewShapes(), config)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Path, err)
	}
	return m, c.load(m.Params())
}

// Translator makes the translator that the checkpoint holds.
func (c *Checkpoint) Translator(o Options) (*mega.Translator, error) {
	config, err := configOf(c, Translation, mega.ParseTranslatorConfig, translatorConfig)
	if err != nil {
		return nil, err
	}
	if o.NoDropout {
		config.Dropout, config.AttentionDropout, config.HiddenDropout, config.ActivationDropout = 0, 0, 0, 0
	}
	m, err := mega.NewTranslatorOf(nn.NewShapes(), config)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Path, err)
	}
	return m, c.load(m.Params())
}

// configOf reads the configuration of a model of the given kind, from the
// native form or from arguments.
func configOf[T any](c *Checkpoint, task string, parse func([]byte) (T, error), convert func(map[string]any, Weights) (T, error)) (T, error) {
	var config T
	var err error
	switch {
	case overridable[c.Task] == nil:
		return config, fmt.Errorf("%s is of a %s, of which no model can be made here, want classification (in Hugging Face %s), language_modeling (%s) or translation", c.Path, clip(c.Task), hfClassifier, hfDecoder)
	case c.Task != task:
		return config, fmt.Errorf("%s is of a %s model, and a %s model is wanted", c.Path, c.Task, task)
	case c.rmsNorm && !c.AcceptRMSNorm:
		err = errors.New("the rmsnorm of Hugging Face leaves its input as it is, so that the model gives other numbers here, where it normalises (hf_accept_rmsnorm converts it all the same)")
	case c.config != nil:
		config, err = parse(c.config)
	default:
		config, err = convert(c.Args, c.Weights)
	}
	if err != nil {
		return config, asPart(c.Path, fmt.Errorf("%s: %w", c.Path, err))
	}
	return config, nil
}

// load fills the parameters of a new model.
func (c *Checkpoint) load(p *nn.Params) error {
	return asPart(c.Path, config.Wrap(c.Path, LoadParams(p, c.Weights)))
}

// A model is what a checkpoint holds, made.
type model struct {
	config any // such as mega.ClassifierConfig
	params *nn.Params
}

// model makes the model that the checkpoint holds, whatever its kind.
func (c *Checkpoint) model() (model, error) {
	switch c.Task {
	case Classification:
		return made(c.Classifier(Options{}))
	case LanguageModelling:
		return made(c.LanguageModel(Options{}))
	}
	return made(c.Translator(Options{}))
}

func made[C any, M interface {
	Config() C
	Params() *nn.Params
}](m M, err error) (model, error) {
	if err != nil {
		return model{}, err
	}
	return model{m.Config(), m.Params()}, nil
}

// Settings returns what a person would read of the configuration: the native
// configuration, or the reference's arguments.
func (c *Checkpoint) Settings() any {
	if c.config != nil {
		return c.config
	}
	return c.Args
}

// DataConfig sets the fields of the struct that into points to from what the
// checkpoint says of its data: Data, or the reference's arguments of the same
// names.
func (c *Checkpoint) DataConfig(into any) error {
	if c.Data != nil {
		if err := config.Decode(c.Data, into); err != nil {
			return fmt.Errorf("%s: data: %w", c.Path, err)
		}
	}
	if c.Args == nil {
		return nil
	}
	args := maps.Clone(c.Args)
	for from, to := range map[string]string{"max_sentences": "batch_size"} {
		if v, ok := args[from]; ok {
			args[to] = v
		}
	}
	return config.Wrap(c.Path, applyArgs(into, args))
}
