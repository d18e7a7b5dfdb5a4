package checkpoint

import (
	"fmt"

	"github.com/mega-go/mega/checkpoint/torchfile"
)

// openTorch opens a checkpoint of fairseq: a dict with the arguments of the run
// in args and the weights in model (fairseq checkpoint_utils.py:362).
func openTorch(path string) (*Checkpoint, error) {
	f, err := torchfile.Open(path)
	if err != nil {
		return nil, err
	}
	c, err := fromTorch(path, f.Root())
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	c.close = f.Close
	return c, nil
}

func fromTorch(path string, root any) (*Checkpoint, error) {
	top, ok := root.(*torchfile.Dict)
	if !ok {
		return nil, fmt.Errorf("holds a %T, want a fairseq checkpoint: a dict with args and model", root)
	}
	args, ok := top.Get("args")
	namespace, isNamespace := args.(*torchfile.Namespace)
	if !ok || !isNamespace {
		return nil, fmt.Errorf("has no args (the argparse.Namespace of its training), want a fairseq checkpoint")
	}
	model, ok := top.Get("model")
	if !ok {
		return nil, fmt.Errorf("has no model, want a fairseq checkpoint: a dict with args and model")
	}
	weights, err := torchfile.NewStateDict(model)
	if err != nil {
		return nil, err
	}
	c := &Checkpoint{Path: path, Weights: weights}
	plain, ok := torchfile.Plain(namespace).(map[string]any)
	if !ok {
		return nil, fmt.Errorf("args are no namespace of plain values")
	}
	c.Args = plain
	return c, c.setTask(path)
}
