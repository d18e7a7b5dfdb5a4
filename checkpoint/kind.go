package checkpoint

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/mega-go/mega"
	"github.com/mega-go/mega/internal/config"
	"github.com/mega-go/mega/internal/cuda/device"
	"github.com/mega-go/mega/nn"
)

// kinds lists the kinds of models. Each has a file of its own, and nothing else in
// this package tells them apart but what writes the forms of Hugging Face.
var kinds = []kind{classifiers, languageModels, translators, visions}

// A kind is a kind of models, whatever the types of its configuration and model.
type kind interface {
	about() family
	// keys lists what a person may change of a configuration.
	keys() []string
	// model makes the model that a checkpoint of the kind holds.
	model(c *Checkpoint) (model, error)
}

// A family is what there is to say of a kind of models.
type family struct {
	name        string   // in configurations
	noun        string   // for a model, in sentences
	layers      []string // beginnings of names of weights, which no other kind has all of
	huggingFace string   // the class of Hugging Face that such models can be, "" for none
	tasks       []task   // of the reference, that train such models
	decodes     bool     // sessions write with such models token by token
	versioned   bool     // the reference's modules store a mark of their version
	// toReference completes the arguments of a model that was trained here, for the
	// reference; nil if there is nothing to do.
	toReference func(args map[string]any)
}

// A task is one of the reference's, with the architecture whose class makes any
// model that it trains.
type task struct{ name, arch string }

// kindOf is a kind of models of type M, with configurations of type C.
type kindOf[C mega.Config, M interface {
	Model
	Config() C
}] struct {
	family
	// fromArgs reads a configuration from the arguments of a reference run, given
	// as its argparse namespace. Arguments start from the defaults of their arch;
	// what does not concern the model is passed over. Sizes of vocabularies are not
	// among them and are taken from the weights.
	fromArgs func(args map[string]any, w Weights) (C, error)
	// build registers the model's parameters in an empty set.
	build func(p *nn.Params, config C) (M, error)
}

func (k kindOf[C, M]) about() family { return k.family }

func (k kindOf[C, M]) keys() []string {
	return slices.DeleteFunc(config.Keys(reflect.TypeFor[C]()), func(key string) bool { return key == "arch" })
}

// config returns the configuration of the model that a checkpoint holds, from the
// native form or from arguments.
func (k kindOf[C, M]) config(c *Checkpoint) (config C, err error) {
	switch {
	case find(c.Task) == nil:
		return config, fmt.Errorf("%s is of a %s, of which no model can be made here, want %s", c.Path, clip(c.Task), kindNames())
	case c.Task != k.name:
		return config, fmt.Errorf("%s is of a %s model, and a %s model is wanted", c.Path, c.Task, k.name)
	case c.rmsNorm && !c.AcceptRMSNorm:
		err = errors.New("the rmsnorm of Hugging Face leaves its input as it is, so that the model gives other numbers here, where it normalises (hf_accept_rmsnorm converts it all the same)")
	case c.config != nil:
		config, err = mega.ParseConfig[C](c.config)
	default:
		config, err = k.fromArgs(c.Args, c.Weights)
	}
	if err != nil {
		return config, asPart(c.Path, fmt.Errorf("%s: %w", c.Path, err))
	}
	return config, nil
}

// load makes the model that a checkpoint holds. If that fails, nothing is left of it on
// a device.
func (k kindOf[C, M]) load(c *Checkpoint) (m M, err error) {
	defer device.Catch(&err)
	var none M
	if err := c.checkTF32(); err != nil {
		return none, err
	}
	of, err := k.config(c)
	if err != nil {
		return none, err
	}
	if m, err = k.build(nn.NewShapes(), of); err != nil {
		return none, config.Wrap(c.Path, err)
	}
	if err := LoadParams(m.Params(), c.Weights); err != nil {
		return m, asPart(c.Path, config.Wrap(c.Path, err))
	}
	if c.device != nil {
		m.Params().Move(c.device)
	}
	return m, nil
}

func (k kindOf[C, M]) model(c *Checkpoint) (model, error) {
	m, err := k.load(c)
	if err != nil {
		return model{}, err
	}
	return model{k.family, m, m.Config(), m.Params()}, nil
}

// A Model is a model of any kind, such as a *mega.Classifier.
type Model interface{ Params() *nn.Params }

// A model is what a checkpoint holds, made.
type model struct {
	family family
	model  Model
	config any // such as mega.ClassifierConfig
	params *nn.Params
}

// Model makes the model that the checkpoint holds, whatever its kind.
func (c *Checkpoint) Model() (Model, error) {
	m, err := c.model()
	return m.model, err
}

func (c *Checkpoint) model() (model, error) {
	if k := find(c.Task); k != nil {
		return k.model(c)
	}
	return kinds[0].model(c) // fails and says that there is no such kind
}

// find returns the kind of that name, nil if there is none.
func find(name string) kind {
	for _, k := range kinds {
		if k.about().name == name {
			return k
		}
	}
	return nil
}

// nounOf tells the kind of a model by the names of its weights, "" if they do not
// say.
func nounOf(names []string) (noun string) {
	most := 0
	for _, k := range kinds {
		f := k.about()
		has := !slices.ContainsFunc(f.layers, func(prefix string) bool {
			return !slices.ContainsFunc(names, func(name string) bool { return strings.HasPrefix(name, prefix) })
		})
		if has && len(f.layers) > most {
			noun, most = f.noun, len(f.layers)
		}
	}
	return noun
}

// kindNames lists the kinds, with the classes of Hugging Face that they can be.
func kindNames() string {
	var names []string
	for _, k := range kinds {
		name := k.about().name
		if class := k.about().huggingFace; class != "" {
			name += " (" + class + ")"
		}
		names = append(names, name)
	}
	return strings.Join(names, ", ")
}

// setTask tells the kind of model from the reference's task.
func (c *Checkpoint) setTask(path string) error {
	var known []string
	for _, k := range kinds {
		for _, t := range k.about().tasks {
			if t.name == c.Args["task"] {
				c.Task = k.about().name
				return nil
			}
			known = append(known, t.name)
		}
	}
	name, _ := c.Args["task"].(string)
	return fmt.Errorf("%s: task is %q, want %s", path, name, strings.Join(known, ", "))
}
