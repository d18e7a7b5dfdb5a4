package checkpoint

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/mega-go/mega"
	"github.com/mega-go/mega/internal/spell"
)

// Override makes models of the checkpoint with other values of their
// configuration, by the reference's argument names (its --model-overrides). Those
// that change the shapes of weights make loading them fail.
func (c *Checkpoint) Override(values map[string]any) error {
	known := overridable[c.Task]
	for _, key := range slices.Sorted(maps.Keys(values)) {
		if slices.Contains(known, key) {
			continue
		}
		if near := spell.Nearest(key, known); near != "" {
			return fmt.Errorf("override of unknown %q, did you mean %q?", key, near)
		}
		return fmt.Errorf("override of unknown %q, want a key of the model's configuration, such as %q", key, known[0])
	}
	if c.config == nil {
		c.Args = maps.Clone(c.Args)
		maps.Copy(c.Args, values)
		return nil
	}
	var config map[string]any
	if err := json.Unmarshal(c.config, &config); err != nil {
		return fmt.Errorf("%s: %w", c.Path, err)
	}
	maps.Copy(config, values)
	var err error
	c.config, err = json.Marshal(config)
	return err
}

// overridable lists the keys of each kind of model's configuration.
var overridable = map[string][]string{
	Classification:    configKeys[mega.ClassifierConfig](),
	LanguageModelling: configKeys[mega.LanguageModelConfig](),
	Translation:       configKeys[mega.TranslatorConfig](),
}

func configKeys[T any]() []string {
	var keys []string
	for _, f := range reflect.VisibleFields(reflect.TypeFor[T]()) {
		if key, _, _ := strings.Cut(f.Tag.Get("json"), ","); key != "" && key != "arch" {
			keys = append(keys, key)
		}
	}
	return keys
}
