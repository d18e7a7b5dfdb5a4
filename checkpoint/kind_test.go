package checkpoint

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/mega-go/mega"
)

// TestKinds holds what the table says of each kind against the rest: a kind with
// tasks of the reference has the defaults of their arguments, and the architectures
// that stand for them exist.
func TestKinds(t *testing.T) {
	var defaults map[string]map[string]any
	if err := json.Unmarshal(referenceDefaults, &defaults); err != nil {
		t.Fatal(err)
	}
	archs := slices.Concat(mega.ClassifierArchs(), mega.LanguageModelArchs(), mega.TranslatorArchs(), mega.VisionArchs())
	taken := map[string]string{}
	for _, k := range kinds {
		f := k.about()
		if find(f.name).about().name != f.name || f.noun == "" || len(f.layers) == 0 || slices.Contains(k.keys(), "arch") || len(k.keys()) < 10 {
			t.Errorf("%+v with the keys %q is not whole", f, k.keys())
		}
		if nounOf(f.layers) != f.noun {
			t.Errorf("weights %q are taken for a %s, want %s", f.layers, nounOf(f.layers), f.noun)
		}
		if len(f.tasks) > 0 && len(defaults[f.name]) == 0 {
			t.Errorf("reference_args.json has no arguments for %s", f.name)
		}
		for _, task := range f.tasks {
			if other := taken[task.name]; other != "" || !slices.Contains(archs, task.arch) {
				t.Errorf("task %s of %s: also of %q, or its architecture %s is unknown", task.name, f.name, other, task.arch)
			}
			taken[task.name] = f.name
			c := Checkpoint{Args: map[string]any{"task": task.name}}
			if err := c.setTask("args.json"); err != nil || c.Task != f.name {
				t.Errorf("task %s is taken for %s, want %s: %v", task.name, c.Task, f.name, err)
			}
		}
	}
}
