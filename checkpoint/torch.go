package checkpoint

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mega-go/mega/format/filemap"
	"github.com/mega-go/mega/format/torchfile"
)

// openTorch opens a file of torch.save: a checkpoint of fairseq, which is a dict
// with the arguments of the run in args and the weights in model (fairseq
// checkpoint_utils.py:331), or the weights in the directory of Hugging Face that
// it lies in.
func openTorch(file *filemap.File, from files) (*Checkpoint, error) {
	path := file.Name()
	f, err := torchfile.OpenFile(file)
	if err != nil {
		return nil, err
	}
	c := &Checkpoint{Path: path, closers: []func() error{f.Close}}
	err = c.readTorch(f.Root())
	if err == nil {
		return c, nil
	}
	c.Close()
	if errors.Is(err, errBareWeights) && path == from.path(torchModelFile) {
		return openDir(from)
	}
	return nil, fmt.Errorf("%s: %w", path, err)
}

// errBareWeights is what a file with nothing but weights gives.
var errBareWeights = errors.New("holds weights without their configuration, want a fairseq checkpoint (a dict with args and model), or a file beside its " + ConfigFile)

// readTorch takes over the content of a fairseq checkpoint.
func (c *Checkpoint) readTorch(root any) error {
	top, ok := root.(*torchfile.Dict)
	if !ok {
		return fmt.Errorf("holds a %s, want a fairseq checkpoint: a dict with args and model", torchfile.TypeName(root))
	}
	if ok, err := c.readVision(top); ok {
		return err
	}
	if _, err := torchfile.NewStateDict(top); err == nil && top.Len() > 0 {
		return errBareWeights
	}
	state, ok := top.Get("model")
	if !ok {
		return fmt.Errorf("has no model, want a fairseq checkpoint: a dict with args (or cfg) and model; it holds %s", withNearest(keysOf(top), nil))
	}
	weights, err := torchfile.NewStateDict(state)
	if err != nil {
		return fmt.Errorf("model: %w", err)
	}
	c.Weights, c.root = unwrap(weights), top
	key, err := c.readTorchArgs(top)
	if err != nil {
		return err
	}
	return c.setTask(key)
}

// readTorchArgs reads the arguments of a run and returns where they are: args,
// or, since fairseq 0.10, cfg, with args left as None.
func (c *Checkpoint) readTorchArgs(top *torchfile.Dict) (string, error) {
	for _, key := range []string{"args", "cfg"} {
		value, _ := top.Get(key)
		if value == nil {
			continue
		}
		args, ok := torchfile.Plain(value).(map[string]any)
		if !ok {
			return key, fmt.Errorf("%s is %s, want the arguments of a training by name", key, torchfile.TypeName(value))
		}
		if key == "cfg" {
			args = flattenGroups(args)
		}
		c.Args = args
		return key, nil
	}
	return "", fmt.Errorf("has neither args nor cfg, the arguments of its training, want a fairseq checkpoint: a dict with args (or cfg) and model; it holds %s", withNearest(keysOf(top), nil))
}

// flattenGroups returns the arguments that a cfg of fairseq 0.10 to 0.12 has by
// group (common, dataset, optimization, ...). The name of a part is its argument
// of before: task._name is task, and model._name arch. Where several groups have
// a name, the model's value counts, then the task's.
func flattenGroups(cfg map[string]any) map[string]any {
	args := make(map[string]any)
	groups := slices.Sorted(maps.Keys(cfg))
	for _, group := range append(groups, "task", "model") {
		values, _ := cfg[group].(map[string]any)
		for key, value := range values {
			args[key] = resolve(cfg, value)
		}
		delete(args, "_name")
	}
	for _, group := range groups {
		values, _ := cfg[group].(map[string]any)
		if group == "model" {
			group = "arch"
		}
		if _, ok := args[group].(string); !ok && values["_name"] != nil {
			args[group] = values["_name"]
		}
	}
	return args
}

// resolve returns what a value such as "${task.tokens_per_sample}" refers to.
func resolve(cfg map[string]any, value any) any {
	text, _ := value.(string)
	path, ok := strings.CutPrefix(strings.TrimSuffix(text, "}"), "${")
	if !ok {
		return value
	}
	group, key, _ := strings.Cut(path, ".")
	values, _ := cfg[group].(map[string]any)
	if at, ok := values[key]; ok {
		return at
	}
	return value
}

// keysOf lists the keys of a dict.
func keysOf(d *torchfile.Dict) []string {
	var keys []string
	for key := range d.All() {
		keys = append(keys, fmt.Sprint(key))
	}
	return keys
}
