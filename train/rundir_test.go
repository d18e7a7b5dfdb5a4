package train

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mega-go/mega/autograd"
)

// runError trains a toy in dir and returns the error's text, "" for none.
func runError(c Config, dir string) string {
	if _, err := Run(context.Background(), newToy(), c, Options{Dir: dir}); err != nil {
		return err.Error()
	}
	return ""
}

// contents lists the files below dir, to see that none appeared or changed.
func contents(t *testing.T, dir string) string {
	t.Helper()
	var out strings.Builder
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && !d.IsDir() {
			out.WriteString(path + " " + info.ModTime().String() + "\n")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestForeignDirectoriesAreLeftAlone(t *testing.T) {
	root := t.TempDir()
	write := func(name, text string) {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	write("thesis/chapter1.tex", "")
	write("other/config.json", `{"name":"something else"}`)
	write("broken/config.json", `{"task":`)
	write("file", "")
	write("orphan/config.json", `{"task":"toy","model":{},"data":{},"training":{}}`)
	write("orphan/checkpoints/checkpoint_best/config.json", "")
	before := contents(t, root)
	for dir, want := range map[string]string{
		"thesis": "holds files (chapter1.tex) but no run",
		"other":  "not the configuration of a run",
		"broken": "is it cut off?",
		"file":   "not a directory",
		"orphan": "has checkpoint_best but no checkpoint_last to go on from",
	} {
		if got := runError(toyConfig(), filepath.Join(root, dir)); !strings.Contains(got, want) || strings.Contains(got, "stat ") {
			t.Errorf("%s: got %q, want %q", dir, got, want)
		}
	}
	if after := contents(t, root); after != before {
		t.Errorf("files changed:\n%s\nwere\n%s", after, before)
	}
}

func TestAnotherConfigurationIsRefused(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	c := toyConfig()
	interruptToy(t, newToy(), c, dir, 3)
	before := contents(t, dir)
	c.LR, c.WeightDecay, c.LogInterval = []float64{0.5}, 0, 1
	got := runError(c, dir)
	for _, want := range []string{"choose another directory", "training.lr was [0.02], now [0.5]; training.weight_decay was 0.01, now 0"} {
		if !strings.Contains(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if strings.Contains(got, "log_interval") {
		t.Errorf("log_interval may change: %s", got)
	}
	if after := contents(t, dir); after != before {
		t.Errorf("files changed:\n%s\nwere\n%s", after, before)
	}
}

func TestRunWithoutACheckpointStartsOver(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	c := toyConfig()
	c.NoSave = true
	trainToy(t, newToy(), c, dir)
	c.NoSave, c.LR = false, []float64{0.03}
	if s := trainToy(t, newToy(), c, dir); s.Updates != c.MaxUpdate {
		t.Errorf("ended at %d", s.Updates)
	}
	rc, err := ReadRunConfig(dir)
	if err != nil || rc.Training.LR[0] != 0.03 || rc.Task != "toy" {
		t.Errorf("config %+v, %v", rc, err)
	}
	updates := 0
	for _, r := range timeless(t, dir) {
		if r.Kind == KindTrain {
			updates++
		}
	}
	if want := c.MaxUpdate / c.LogInterval; updates != want {
		t.Errorf("%d records, want %d", updates, want)
	}
}

func TestDirectoryInUse(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	m := newToy()
	got := ""
	m.onBatch = func(epoch, i int) {
		if epoch == 1 && i == 3 {
			got = runError(toyConfig(), dir)
		}
	}
	trainToy(t, m, toyConfig(), dir)
	if !strings.Contains(got, "another process trains in it") {
		t.Errorf("got %q", got)
	}
}

// TestMixedCheckpoint puts the weights of one update beside the state of
// another.
func TestMixedCheckpoint(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	c := toyConfig()
	c.SaveIntervalUpdates = 2
	interruptToy(t, newToy(), c, dir, 6)
	path := func(name, file string) string { return filepath.Join(Checkpoints(dir), name, file) }
	if err := os.Rename(path("checkpoint_1_4", "state.json"), path(lastName, "state.json")); err != nil {
		t.Fatal(err)
	}
	if got := runError(c, dir); !strings.Contains(got, `weights of "update 6" with the state of "update 4"`) {
		t.Errorf("got %q", got)
	}
	if err := os.Truncate(path(lastName, "model.safetensors"), 99); err != nil {
		t.Fatal(err)
	}
	if got := runError(c, dir); !strings.Contains(got, "truncated") {
		t.Errorf("got %q", got)
	}
}

// TestDeletedCheckpointStaysDeleted: a user may delete old checkpoints.
func TestDeletedCheckpointStaysDeleted(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	c := toyConfig()
	c.SaveIntervalUpdates = 2
	interruptToy(t, newToy(), c, dir, 5)
	for _, name := range []string{"checkpoint_1_2", "update_2"} {
		if err := os.RemoveAll(filepath.Join(Checkpoints(dir), name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(filepath.Join(Checkpoints(dir), "checkpoint_1_4")); err != nil { // as if killed before
		t.Fatal(err)
	}
	interruptToy(t, newToy(), c, dir, 6)
	if _, err := os.Lstat(filepath.Join(Checkpoints(dir), "checkpoint_1_2")); err == nil {
		t.Error("the link is back")
	}
	if target, err := os.Readlink(filepath.Join(Checkpoints(dir), "checkpoint_1_4")); err != nil || target != "update_4" {
		t.Errorf("the lost link is to %q, %v", target, err)
	}
}

func TestDataThatShrank(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	interruptToy(t, newToy(), toyConfig(), dir, 5)
	m := shrunk{newToy()}
	_, err := Run(context.Background(), m, toyConfig(), Options{Dir: dir})
	if err == nil || !strings.Contains(err.Error(), "batch 5 of epoch 1, which has only 2") {
		t.Errorf("got %v", err)
	}
}

// TestUnreadableDataIsSurvived: what was trained before is saved, and goes on bit
// for bit once the data is back.
func TestUnreadableDataIsSurvived(t *testing.T) {
	c := toyConfig()
	c.UpdateFreq = []int{2}
	whole, dir := filepath.Join(t.TempDir(), "whole"), filepath.Join(t.TempDir(), "run")
	trainToy(t, newToy(), c, whole)
	want, _ := lastState(t, whole)
	w := wrapped{newToy(), func(tape *autograd.Tape, b toyBatch) (Result, error) {
		if b.epoch == 2 && b.i == 5 {
			return Result{}, errors.New("the file became shorter")
		}
		return b.Loss(tape)
	}}
	_, err := Run(context.Background(), w, c, Options{Dir: dir})
	if err == nil || !strings.Contains(err.Error(), "the file became shorter; the run is saved at update 6") {
		t.Errorf("got %v", err)
	}
	m := newToy()
	m.onValid = func(int) (Metrics, error) { return nil, errors.New("the file became shorter") }
	if _, err := Run(context.Background(), m, c, Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), "saved at update 8") {
		t.Errorf("got %v", err)
	}
	trainToy(t, newToy(), c, dir)
	if bits, _ := lastState(t, dir); !slices.Equal(bits, want) {
		t.Error("weights or moments differ")
	}
}

// shrunk is a toy with two batches.
type shrunk struct{ *toy }

func (s shrunk) Epoch(n int) (Batches, error) { return fewer{toyEpoch{s.toy, n}}, nil }

type fewer struct{ toyEpoch }

func (fewer) Len() int { return 2 }
