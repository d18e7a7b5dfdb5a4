package checkpoint

import (
	"errors"
	"fmt"

	"github.com/mega-go/mega/format/filemap"
	"github.com/mega-go/mega/format/safetensors"
)

const (
	// singleSuffix ends the names of checkpoints that are a single file.
	singleSuffix = ".safetensors"
	// configKey is the metadata in which such a file holds its Config.
	configKey = "mega_config"
)

// openSingle opens a safetensors file: one with a Config in its metadata, or the
// weights of the directory that it lies in.
func openSingle(file *filemap.File, from files) (*Checkpoint, error) {
	path := file.Name()
	r, err := safetensors.OpenFile(file)
	if err != nil {
		return nil, err
	}
	text, ok := r.Metadata()[configKey]
	if !ok {
		return openBeside(r, path, from)
	}
	c := &Checkpoint{Path: path, Weights: unwrap(scaled{r}), closers: []func() error{r.Close}}
	if err := c.setConfig([]byte(text)); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %s: %w", path, configKey, err), c.Close())
	}
	return c, nil
}

// openBeside opens the directory of a file without configuration.
func openBeside(r *safetensors.Reader, path string, from files) (*Checkpoint, error) {
	if err := r.Close(); err != nil {
		return nil, err
	}
	if path == from.path(ModelFile) {
		return openDir(from)
	}
	if path == from.path(ModelEMAFile) {
		c, err := openDir(from)
		if err == nil {
			err = c.UseModelEMA()
		}
		return c, err
	}
	return nil, fmt.Errorf("%s holds tensors without the configuration of their model, want a file that mega convert wrote, or %s beside its %s", path, ModelFile, ConfigFile)
}
