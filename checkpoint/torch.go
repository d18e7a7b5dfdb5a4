package checkpoint

import (
	"errors"
	"fmt"

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
		return fmt.Errorf("holds a %T, want a fairseq checkpoint: a dict with args and model", root)
	}
	if isVision(top) {
		return errors.New("is a checkpoint of mega-image, whose model reads images in patches; such models do not exist here, so it can be neither run nor converted")
	}
	if _, err := torchfile.NewStateDict(top); err == nil && top.Len() > 0 {
		return errBareWeights
	}
	args, _ := top.Get("args")
	namespace, ok := args.(*torchfile.Namespace)
	if !ok {
		return errors.New("has no args (the argparse.Namespace of its training), want a fairseq checkpoint: a dict with args and model")
	}
	state, ok := top.Get("model")
	if !ok {
		return errors.New("has no model, want a fairseq checkpoint: a dict with args and model")
	}
	weights, err := torchfile.NewStateDict(state)
	if err != nil {
		return fmt.Errorf("model: %w", err)
	}
	if c.Args, ok = torchfile.Plain(namespace).(map[string]any); !ok {
		return errors.New("args are no namespace of plain values")
	}
	c.Weights, c.root = weights, top
	return c.setTask("args")
}

// isVision reports whether a file is of mega-image: its state_dict, under model
// or bare, embeds patches.
func isVision(top *torchfile.Dict) bool {
	const patches = "patch_embed.pemb.proj.weight"
	if _, ok := top.Get(patches); ok {
		return true
	}
	state, _ := top.Get("model")
	model, ok := state.(*torchfile.Dict)
	if !ok {
		return false
	}
	_, ok = model.Get(patches)
	return ok
}
