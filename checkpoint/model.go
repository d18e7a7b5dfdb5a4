package checkpoint

import (
	"fmt"
	"maps"

	"github.com/mega-go/mega/internal/config"
)

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
