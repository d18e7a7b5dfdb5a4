//go:build unix

package train

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/mega-go/mega/internal/atomicfile"
)

// TestOrderOfSaving: what a kill or a power cut leaves depends on the order in
// which a checkpoint reaches the disk: records, then its files and directory, then
// the names, checkpoint_last first, and only then is the one before deleted.
func TestOrderOfSaving(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	c := toyConfig()
	c.MaxUpdate, c.LogInterval, c.NoEpochCheckpoints = 8, 1000, true
	temporary := regexp.MustCompile(`^\..*\.tmp-.*$`)
	defer func(f func(step, path string)) { atomicfile.Observe = f }(atomicfile.Observe)
	var steps []string
	atomicfile.Observe = func(step, path string) {
		steps = append(steps, step+" "+temporary.ReplaceAllString(filepath.Base(path), "T"))
		if strings.Contains(steps[len(steps)-1], "checkpoint") && slices.Contains(steps, "rename update_8") {
			if _, err := os.Stat(filepath.Join(Checkpoints(dir), "update_7")); err != nil {
				t.Errorf("at %q the checkpoint before is gone", steps[len(steps)-1])
			}
		}
	}
	trainToy(t, newToy(), c, dir)
	var saves [][]string
	for _, step := range steps {
		if step == "sync metrics.jsonl" {
			saves = append(saves, nil)
		}
		if len(saves) > 0 && !strings.Contains(step, "curve") {
			saves[len(saves)-1] = append(saves[len(saves)-1], step)
		}
	}
	want := strings.Fields(`sync|metrics.jsonl sync|config.json sync|model.safetensors sync|optimizer.safetensors sync|state.json
		sync|T rename|update_8 sync|checkpoints rename|checkpoint_last rename|checkpoint_best sync|checkpoints`)
	for i := range want {
		want[i] = strings.ReplaceAll(want[i], "|", " ")
	}
	if len(saves) != 2 || !slices.Equal(saves[1][:min(len(saves[1]), len(want))], want) {
		t.Errorf("saving does %q, want two times %q", saves, want)
	}
}
