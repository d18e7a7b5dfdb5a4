package checkpoint

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"

	"github.com/mega-go/mega"
	"github.com/mega-go/mega/checkpoint/safetensors"
	"github.com/mega-go/mega/nn"
)

// ArgsFile is where a directory keeps the arguments of a reference run, instead
// of a ConfigFile.
const ArgsFile = "args.json"

// The kinds of models, by the names that configurations use.
const (
	Classification    = "classification"
	LanguageModelling = "language_modeling"
	Translation       = "translation"
)

// A Config is the ConfigFile of a native checkpoint.
type Config struct {
	Task  string          `json:"task"`  // the kind of model
	Model json.RawMessage `json:"model"` // its architecture
	Data  json.RawMessage `json:"data"`  // what it was trained on
}

// A Checkpoint is an opened model: its configuration and its weights, which are
// read when a model is made of them.
type Checkpoint struct {
	Path   string
	Task   string // kind of model
	Data   json.RawMessage
	Args   map[string]any // the reference's arguments, nil in a native checkpoint
	config json.RawMessage
	// Weights holds the tensors until Close.
	Weights Weights
	close   func() error
}

// Open opens a checkpoint: the directory of a native one or of a run (its best
// checkpoint, else its last), or a directory with model.safetensors and the
// reference's arguments in args.json.
func Open(path string) (*Checkpoint, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	if !info.IsDir() {
		return openTorch(path)
	}
	dir := path
	for _, name := range []string{"checkpoint_best", "checkpoint_last"} {
		if inner := filepath.Join(path, "checkpoints", name); exists(inner) {
			dir = inner
			break
		}
	}
	return openDir(dir)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// openDir opens the directory of a checkpoint.
func openDir(dir string) (*Checkpoint, error) {
	c := &Checkpoint{Path: dir}
	if err := c.readConfig(); err != nil {
		return nil, err
	}
	r, err := safetensors.Open(filepath.Join(dir, ModelFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("checkpoint %s has no %s", dir, ModelFile)
	}
	if err != nil {
		return nil, err
	}
	c.Weights, c.close = r, r.Close
	return c, nil
}

// readConfig reads ConfigFile or, where there is none, ArgsFile.
func (c *Checkpoint) readConfig() error {
	path := filepath.Join(c.Path, ConfigFile)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return c.readArgs()
	}
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	var config Config
	if err := json.Unmarshal(data, &config); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if config.Task == "" || config.Model == nil {
		return fmt.Errorf("%s: not the configuration of a checkpoint: it has no task and model", path)
	}
	c.Task, c.Data, c.config = config.Task, config.Data, config.Model
	return nil
}

func (c *Checkpoint) readArgs() error {
	path := filepath.Join(c.Path, ArgsFile)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is no checkpoint: it has neither %s nor %s", c.Path, ConfigFile, ArgsFile)
	}
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	if err := json.Unmarshal(data, &c.Args); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return c.setTask(path)
}

// setTask tells the kind of model from the reference's task.
func (c *Checkpoint) setTask(path string) error {
	switch task, _ := c.Args["task"].(string); task {
	case "lra-text", "lra-image", "speech_commands":
		c.Task = Classification
	case "language_modeling":
		c.Task = LanguageModelling
	case "translation":
		c.Task = Translation
	default:
		return fmt.Errorf("%s: task is %q, want lra-text, lra-image, speech_commands, language_modeling or translation", path, task)
	}
	return nil
}

// Close releases the file; models made from it stay.
func (c *Checkpoint) Close() error { return c.close() }

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
	m, err := mega.NewClassifier(config)
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
	m, err := mega.NewLanguageModel(config)
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
	m, err := mega.NewTranslator(config)
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
	case c.Task != task:
		return config, fmt.Errorf("%s is of a %s model, and a %s model is wanted", c.Path, c.Task, task)
	case c.Args != nil:
		config, err = convert(c.Args, c.Weights)
	default:
		config, err = parse(c.config)
	}
	if err != nil {
		return config, fmt.Errorf("%s: %w", c.Path, err)
	}
	return config, nil
}

// load fills the parameters of a new model.
func (c *Checkpoint) load(p *nn.Params) error {
	if err := LoadParams(p, c.Weights); err != nil {
		return fmt.Errorf("%s: %w", c.Path, err)
	}
	return nil
}

// Settings returns what a person would read of the configuration: the
// reference's arguments, or the native configuration.
func (c *Checkpoint) Settings() any {
	if c.Args != nil {
		return c.Args
	}
	return c.config
}

// DataArgs sets the fields of the struct that config points to from the
// reference's arguments of the same names; a native checkpoint has none.
func (c *Checkpoint) DataArgs(config any) error {
	if c.Args == nil {
		return nil
	}
	args := maps.Clone(c.Args)
	for from, to := range map[string]string{"max_sentences": "batch_size"} {
		if v, ok := args[from]; ok {
			args[to] = v
		}
	}
	return applyArgs(config, args)
}
