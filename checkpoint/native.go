package checkpoint

import (
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"

	"github.com/mega-go/mega/format/filemap"
	"github.com/mega-go/mega/format/safetensors"
	"github.com/mega-go/mega/internal/atomicfile"
	"github.com/mega-go/mega/internal/config"
	"github.com/mega-go/mega/nn"
)

// The files of a native checkpoint, which is a directory. The first two are a
// model; the others let its training go on.
const (
	ConfigFile    = "config.json"
	ModelFile     = "model.safetensors"
	OptimizerFile = "optimizer.safetensors"
	StateFile     = "state.json"
	ModelEMAFile  = "model_ema.safetensors" // exponential averages of the weights, of a training that keeps them
)

// stampKey is the metadata that tells whether two files were saved together.
const stampKey = "mega_checkpoint"

// A Native is what a native checkpoint holds.
type Native struct {
	Config json.RawMessage // the model's configuration
	Params *nn.Params      // its parameters, buffers and counters

	Stamp     string          // tells this checkpoint from others of its run
	Optimizer []*nn.Buffer    // the optimiser's tensors
	ModelEMA  *nn.Params      // exponential averages of Params; nil for none
	State     json.RawMessage // everything else that training needs; nil to save a model alone

	// Give and Take are for an optimiser whose tensors share memory, and nil for
	// others. Give puts the numbers of tensor i there before it is written, and Take
	// takes them from there after it was read.
	Give, Take func(i int) error
}

// Save writes n as the directory dir, whole or not at all. dir must not exist.
func (n *Native) Save(dir string) error {
	return atomicfile.WriteDir(dir, func(temp string) error {
		file := func(name string) string { return filepath.Join(temp, name) }
		if err := writeJSON(file(ConfigFile), n.Config); err != nil {
			return err
		}
		metadata := map[string]string{"format": "mega", stampKey: n.Stamp}
		if err := writeTensors(file(ModelFile), paramTensors(n.Params), metadata); err != nil {
			return err
		}
		if n.State == nil {
			return nil
		}
		if err := writeTensors(file(OptimizerFile), n.optimizerTensors(), metadata); err != nil {
			return err
		}
		if n.ModelEMA != nil {
			if err := writeTensors(file(ModelEMAFile), paramTensors(n.ModelEMA), metadata); err != nil {
				return err
			}
		}
		return writeJSON(file(StateFile), n.State)
	})
}

func writeTensors(path string, tensors []safetensors.Tensor, metadata map[string]string) error {
	return atomicfile.WriteNew(path, func(w io.Writer) error { return safetensors.Encode(w, tensors, metadata) })
}

// paramTensors lists everything that a model carries.
func paramTensors(p *nn.Params) []safetensors.Tensor {
	var out []safetensors.Tensor
	for _, q := range p.All() {
		out = append(out, safetensors.Of(q.Name, q.Shape(), q.Value().Host()))
	}
	out = append(out, bufferTensors(p.Buffers())...)
	for _, c := range p.Counters() {
		out = append(out, safetensors.Of(c.Name, nil, []int64{c.Value}))
	}
	return out
}

func bufferTensors(buffers []*nn.Buffer) []safetensors.Tensor {
	var out []safetensors.Tensor
	for _, b := range buffers {
		out = append(out, safetensors.Of(b.Name, b.Shape(), b.Host()))
	}
	return out
}

// optimizerTensors lists the optimiser's tensors, which Give fills where there is one.
func (n *Native) optimizerTensors() []safetensors.Tensor {
	tensors := bufferTensors(n.Optimizer)
	if n.Give != nil {
		for i := range tensors {
			tensors[i].Fill = func() error { return n.Give(i) }
		}
	}
	return tensors
}

// Resume fills n.Params, n.Optimizer and n.ModelEMA, which fix the names and shapes,
// from the checkpoint dir and sets the rest of n. An error leaves n half filled.
func (n *Native) Resume(dir string) error {
	var err error
	if n.Config, err = readJSON(filepath.Join(dir, ConfigFile)); err != nil {
		return err
	}
	if n.State, err = readJSON(filepath.Join(dir, StateFile)); err != nil {
		return err
	}
	n.Stamp, err = readTensors(filepath.Join(dir, ModelFile), func(w Weights) error { return LoadParams(n.Params, w) })
	if err != nil {
		return err
	}
	err = n.readStamped(dir, OptimizerFile, func(w Weights) error { return LoadBuffers(n.Optimizer, w, n.Take) })
	if err != nil || n.ModelEMA == nil {
		return err
	}
	return n.readStamped(dir, ModelEMAFile, func(w Weights) error { return LoadParams(n.ModelEMA, w) })
}

// readStamped passes a file to load, which must have been saved with the weights.
func (n *Native) readStamped(dir, file string, load func(w Weights) error) error {
	stamp, err := readTensors(filepath.Join(dir, file), load)
	if err == nil && stamp != n.Stamp {
		err = fmt.Errorf("%s: %s is of %q but %s is of %q: they do not belong together", dir, ModelFile, n.Stamp, file, stamp)
	}
	return err
}

// readTensors passes a file to load and returns its stamp.
func readTensors(path string, load func(w Weights) error) (stamp string, err error) {
	r, err := safetensors.Open(path)
	if err != nil {
		return "", err
	}
	defer r.Close()
	if err := load(r); err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	return r.Metadata()[stampKey], nil
}

// readJSON reads a file that must be JSON.
func readJSON(path string) (json.RawMessage, error) {
	data, err := filemap.Read(path, config.MaxFile)
	if err != nil {
		return nil, err
	}
	if !json.Valid(data) {
		return nil, fmt.Errorf("%s: not JSON: is the file damaged?", path)
	}
	return data, nil
}

// writeJSON writes a file that ends in a newline.
func writeJSON(path string, data json.RawMessage) error {
	return atomicfile.WriteNew(path, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "%s\n", data)
		return err
	})
}
