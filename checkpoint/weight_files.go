package checkpoint

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/mega-go/mega/format/dtype"
	"github.com/mega-go/mega/format/safetensors"
	"github.com/mega-go/mega/format/torchfile"
	"github.com/mega-go/mega/internal/config"
)

// torchModelFile is where older directories of Hugging Face keep the weights.
const torchModelFile = "pytorch_model.bin"

// indexSuffix ends the name of the index of weights in several files.
const indexSuffix = ".index.json"

// weightFiles are what a directory may keep the weights in.
var weightFiles = []string{ModelFile, ModelFile + indexSuffix, torchModelFile, torchModelFile + indexSuffix}

// openWeights opens the weights of a directory: a file, or several by an index.
func (c *Checkpoint) openWeights() (Weights, error) {
	for _, name := range weightFiles {
		var w Weights
		var err error
		if strings.HasSuffix(name, indexSuffix) {
			w, err = c.openShards(name)
		} else {
			w, err = c.openWeightFile(name)
		}
		if err == nil {
			return unwrap(w), nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, errors.Join(err, c.Close())
		}
	}
	return nil, fmt.Errorf("checkpoint %s has none of %s", c.Path, strings.Join(weightFiles, ", "))
}

// openWeightFile opens a file of tensors beside the configuration.
func (c *Checkpoint) openWeightFile(name string) (Weights, error) {
	file, err := c.from.open(name)
	if err != nil {
		return nil, err
	}
	if strings.HasSuffix(name, singleSuffix) {
		r, err := safetensors.OpenFile(file)
		if err == nil {
			c.closers = append(c.closers, r.Close)
		}
		return scaled{r}, err
	}
	f, err := torchfile.OpenFile(file)
	if err != nil {
		return nil, err
	}
	c.closers = append(c.closers, f.Close)
	w, err := torchfile.NewStateDict(f.Root())
	return w, config.Wrap(c.from.path(name), err)
}

// openShards opens weights that an index divides over files, as transformers
// does with large models.
func (c *Checkpoint) openShards(name string) (Weights, error) {
	text, err := readText(c.from, name)
	if err != nil {
		return nil, err
	}
	var index struct {
		Files map[string]string `json:"weight_map"`
	}
	if err := config.Decode(text, &index); err != nil {
		return nil, config.Wrap(c.from.path(name), err)
	}
	s := shards{names: slices.Sorted(maps.Keys(index.Files)), of: make(map[string]Weights)}
	opened := make(map[string]Weights)
	for _, tensor := range s.names {
		file := index.Files[tensor]
		if opened[file] == nil {
			if file != filepath.Base(file) || !strings.HasSuffix(file, singleSuffix) && !strings.HasSuffix(file, ".bin") {
				return nil, fmt.Errorf("%s: weight_map: %q is no file of weights beside it", c.from.path(name), clip(file))
			}
			if opened[file], err = c.openWeightFile(file); err != nil {
				return nil, fmt.Errorf("%s: weight_map: %v", c.from.path(name), err) // one that is missing is no missing index
			}
		}
		if _, ok := opened[file].Shape(tensor); !ok {
			return nil, fmt.Errorf("%s: weight_map: %s is not in %s", c.from.path(name), clip(tensor), file)
		}
		s.of[tensor] = opened[file]
	}
	return s, nil
}

// shards shows the weights of several files as one.
type shards struct {
	names []string
	of    map[string]Weights // by tensor
}

func (s shards) Names() []string { return slices.Clone(s.names) }

func (s shards) Shape(name string) ([]int, bool) {
	if w, ok := s.of[name]; ok {
		return w.Shape(name)
	}
	return nil, false
}

func (s shards) DType(name string) (dtype.DType, bool) {
	if w, ok := s.of[name]; ok {
		return w.DType(name)
	}
	return dtype.Invalid, false
}

func (s shards) Float32Into(name string, dst []float32) error {
	w, ok := s.of[name]
	if !ok {
		return fmt.Errorf("no tensor %s", clip(name))
	}
	return w.Float32Into(name, dst)
}

func (s shards) Int64Scalar(name string) (int64, error) {
	w, ok := s.of[name]
	if !ok {
		return 0, fmt.Errorf("no tensor %s", clip(name))
	}
	return w.Int64Scalar(name)
}

// partNames are what tools call a part of a model: fairseq with sharded state or
// model parallelism (checkpoint_utils.py:404), Megatron, and transformers.
var partNames = regexp.MustCompile(`(-rank-?\d+)?-shard\d+\.pt$|[-_](model_)?part[-_]?\d+\.pt$|-\d{5}-of-\d{5}\.(bin|safetensors)$`)

// asPart adds to an error of a file that its name is that of a part of a model.
func asPart(path string, err error) error {
	if err == nil || !partNames.MatchString(path) {
		return err
	}
	return fmt.Errorf("%w (by its name it is one part of a model that several files hold: give the directory if it has an index, else put them together with the tool that wrote them)", err)
}
