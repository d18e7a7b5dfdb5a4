package checkpoint

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/mega-go/mega/internal/config"
	"github.com/mega-go/mega/internal/spell"
)

// An OverrideError is a mistake in the values that Override was given.
type OverrideError struct{ error }

// Override makes models of the checkpoint with other values of their
// configuration, by the reference's argument names (its --model-overrides). Those
// that change the shapes of weights make loading them fail.
func (c *Checkpoint) Override(values map[string]any) error {
	kind := find(c.Task)
	if kind == nil {
		return fmt.Errorf("%s: task is %q, want one of %s", c.Path, c.Task, kindNames())
	}
	known := kind.keys()
	for _, key := range slices.Sorted(maps.Keys(values)) {
		if slices.Contains(known, key) {
			continue
		}
		if near := spell.Nearest(key, known); near != "" {
			return &OverrideError{fmt.Errorf("override of unknown %q, did you mean %q?", key, near)}
		}
		return &OverrideError{fmt.Errorf("override of unknown %q, want a key of the model's configuration, such as %q", key, known[0])}
	}
	if c.config == nil {
		c.Args = maps.Clone(c.Args)
		maps.Copy(c.Args, values)
		return nil
	}
	own := make(map[string]json.RawMessage)
	if err := config.Decode(c.config, &own); err != nil {
		return fmt.Errorf("%s: %w", c.Path, err)
	}
	for key, value := range values {
		text, err := json.Marshal(value)
		if err != nil {
			return fmt.Errorf("override of %s: %w", key, err)
		}
		own[key] = text
	}
	var err error
	c.config, err = json.Marshal(own)
	return err
}
