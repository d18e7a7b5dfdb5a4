package train

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mega-go/mega/checkpoint"
	"github.com/mega-go/mega/nn"
)

// emaConfig is toyConfig with averages of the weights.
func emaConfig() Config {
	c := toyConfig()
	c.ModelEMA, c.ModelEMADecay = true, 0.9
	return c
}

// savedEMA returns the averages in the last checkpoint of a run, as a model.
func savedEMA(t *testing.T, dir string) *toy {
	t.Helper()
	m := newToy()
	last, err := LastCheckpoint(dir)
	if err != nil {
		t.Fatal(err)
	}
	n := checkpoint.Native{Params: newToy().params, Optimizer: NewAdam(m.params, AdamConfig{}).buffers(), ModelEMA: m.params}
	if err := n.Resume(last); err != nil {
		t.Fatal(err)
	}
	return m
}

// TestModelEMAIsTheAverage holds the averages against their definition in float64:
// they begin as the first weights and take in those after each update.
func TestModelEMAIsTheAverage(t *testing.T) {
	c, dir, m := emaConfig(), filepath.Join(t.TempDir(), "run"), newToy()
	want := numbers(m.params)
	seen := 0
	follow := func() {
		for i, x := range numbers(m.params) {
			want[i] = c.ModelEMADecay*want[i] + (1-c.ModelEMADecay)*x
		}
		seen++
	}
	first := true
	m.onBatch = func(int, int) { // before each forward pass: what the update before has left
		if !first {
			follow()
		}
		first = false
	}
	trainToy(t, m, c, dir)
	follow()
	if seen != c.MaxUpdate {
		t.Fatalf("%d updates were seen, want %d", seen, c.MaxUpdate)
	}
	for i, x := range numbers(savedEMA(t, dir).params) {
		if math.Abs(x-want[i]) > 1e-6*max(1, math.Abs(want[i])) {
			t.Fatalf("number %d of the averages is %v, want %v", i, x, want[i])
		}
	}
}

// numbers returns every number of a model.
func numbers(p *nn.Params) (all []float64) {
	for _, t := range p.Tensors() {
		for _, x := range t.Host() {
			all = append(all, float64(x))
		}
	}
	return all
}

// TestModelEMAIsValidated: its scores are those of a model with the averages for
// weights, stand beside those of the weights, and may choose the best checkpoint.
func TestModelEMAIsValidated(t *testing.T) {
	c, dir, m := emaConfig(), filepath.Join(t.TempDir(), "run"), newToy()
	c.BestCheckpointMetric = "ema_loss"
	c.MaximizeBestCheckpointMetric = false
	s := trainToy(t, m, c, dir)
	for prefix, of := range map[string]*toy{"": m, "ema_": savedEMA(t, dir)} {
		want, err := of.Validate(context.Background(), NewEvaluator(Alone{}, nil))
		if err != nil {
			t.Fatal(err)
		}
		for name, v := range want {
			if got := s.Valid[prefix+name]; got != v {
				t.Errorf("%s%s is %v, want %v", prefix, name, got, v)
			}
		}
	}
	if s.Valid["loss"] == s.Valid["ema_loss"] {
		t.Error("the averages score as the weights do")
	}
	if s.Best > s.Valid["ema_loss"] {
		t.Errorf("the best ema_loss is %v, and the last %v", s.Best, s.Valid["ema_loss"])
	}
}

// TestModelEMALeavesTrainingAlone: the weights are those of a run without averages.
func TestModelEMALeavesTrainingAlone(t *testing.T) {
	with, without := newToy(), newToy()
	trainToy(t, with, emaConfig(), "")
	trainToy(t, without, toyConfig(), "")
	if !slices.Equal(toyState(with), toyState(without)) {
		t.Error("weights differ")
	}
}

func TestModelEMAResumes(t *testing.T) {
	c := emaConfig()
	whole, parts := filepath.Join(t.TempDir(), "whole"), filepath.Join(t.TempDir(), "parts")
	trainToy(t, newToy(), c, whole)
	interruptToy(t, newToy(), c, parts, 17)
	trainToy(t, newToy(), c, parts)
	if !slices.Equal(toyState(savedEMA(t, whole)), toyState(savedEMA(t, parts))) {
		t.Error("the averages differ after a break")
	}
	last, err := LastCheckpoint(parts)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(last, checkpoint.ModelEMAFile)); err != nil {
		t.Fatal(err)
	}
	c.MaxUpdate++
	if _, err := Run(context.Background(), newToy(), c, Options{Dir: parts}); err == nil || !strings.Contains(err.Error(), checkpoint.ModelEMAFile) {
		t.Errorf("without its averages: error %v", err)
	}
	c.ModelEMADecay = 0.5
	if _, err := Run(context.Background(), newToy(), c, Options{Dir: whole}); err == nil || !strings.Contains(err.Error(), "model_ema_decay was 0.9, now 0.5") {
		t.Errorf("with another decay: error %v", err)
	}
}

func TestModelEMADecayIsAShare(t *testing.T) {
	c := emaConfig()
	c.ModelEMADecay = 1
	if err := c.Validate(); err == nil || !strings.Contains(err.Error(), "model_ema_decay is 1, want") {
		t.Errorf("error %v", err)
	}
}

// TestOldRunsResume: a configuration from before there were averages is that of a run
// without.
func TestOldRunsResume(t *testing.T) {
	c, dir := toyConfig(), filepath.Join(t.TempDir(), "run")
	trainToy(t, newToy(), c, dir)
	text, err := os.ReadFile(filepath.Join(dir, runConfigFile))
	if err != nil || strings.Contains(string(text), "model_ema") {
		t.Errorf("%v: %s", err, text)
	}
	c.MaxUpdate++
	trainToy(t, newToy(), c, dir)
}
