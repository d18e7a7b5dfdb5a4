package train

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mega-go/mega/internal/parallel"

	"github.com/mega-go/mega/autograd"
	"github.com/mega-go/mega/checkpoint"
)

func TestTrainingLearns(t *testing.T) {
	c := toyConfig()
	c.MaxUpdate, c.TotalNumUpdate = 150, 200
	s := trainToy(t, newToy(), c, "")
	if s.Updates != 150 || s.Epoch != 150/toyBatches+1 || s.Skipped != 0 || s.Reason == "" {
		t.Errorf("summary is %+v", s)
	}
	if s.Valid["accuracy"] < 60 || s.Best < s.Valid["accuracy"] {
		t.Errorf("accuracy is %g, best %g", s.Valid["accuracy"], s.Best)
	}
}

// lastState loads the last checkpoint of a run directory: moments and state.
func lastState(t *testing.T, dir string) ([]uint32, State) {
	t.Helper()
	m := newToy()
	adam := NewAdam(m.params, AdamConfig{})
	n := checkpoint.Native{Params: m.params, Optimizer: adam.buffers()}
	state, err := store{Checkpoints(dir)}.load(&n)
	if err != nil || state == nil {
		t.Fatalf("state %v, error %v", state, err)
	}
	bits := toyState(m)
	for _, b := range n.Optimizer {
		for _, v := range b.Data() {
			bits = append(bits, math.Float32bits(v))
		}
	}
	state.Seconds, state.Interval.Seconds, state.Whole.Seconds = 0, 0, 0
	for i := range state.Names {
		state.Names[i].Dir, _, _ = strings.Cut(state.Names[i].Dir, ".")
	}
	return bits, *state
}

// timeless returns a run's records without what depends on the clock.
func timeless(t *testing.T, dir string) []Record {
	t.Helper()
	records, err := ReadRecords(filepath.Join(dir, metricsFile))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		for _, name := range []string{"wps", "ups", "wall"} {
			delete(r.Metrics, name)
		}
	}
	return records
}

func TestResumeIsBitForBit(t *testing.T) {
	defer parallel.SetWorkers(0)
	for _, freq := range []int{1, 2} {
		c := toyConfig()
		c.UpdateFreq = []int{freq}
		c.SaveIntervalUpdates, c.ValidateIntervalUpdates, c.KeepIntervalUpdates = 6, 4, 2
		whole := filepath.Join(t.TempDir(), "whole")
		parallel.SetWorkers(1)
		trainToy(t, newToy(), c, whole)
		wantBits, wantState := lastState(t, whole)
		for _, workers := range []int{1, 2} {
			stops := []int{17}
			if freq == 1 && workers == 1 {
				stops = []int{17, 4, 7} // within an epoch, where a validation is due, at the end of an epoch
			}
			for _, stop := range stops {
				t.Run(fmt.Sprintf("freq %d, %d workers, stop %d", freq, workers, stop), func(t *testing.T) {
					parallel.SetWorkers(workers)
					dir := filepath.Join(t.TempDir(), "parts")
					if s := interruptToy(t, newToy(), c, dir, stop); s.Updates != stop {
						t.Fatalf("stopped at %d", s.Updates)
					}
					m := newToy()
					if s := trainToy(t, m, c, dir); s.Updates != c.MaxUpdate {
						t.Fatalf("ended at %d", s.Updates)
					}
					bits, state := lastState(t, dir)
					if !slices.Equal(bits, wantBits) {
						t.Error("weights or moments differ")
					}
					if diff := cmp.Diff(wantState, state); diff != "" {
						t.Errorf("state differs:\n%s", diff)
					}
					if diff := cmp.Diff(timeless(t, whole), timeless(t, dir)); diff != "" {
						t.Errorf("records differ:\n%s", diff)
					}
				})
			}
		}
	}
}

func TestInterruptedValidationIsDoneAgain(t *testing.T) {
	c := toyConfig()
	c.MaxUpdate = 20
	whole, dir := filepath.Join(t.TempDir(), "whole"), filepath.Join(t.TempDir(), "parts")
	trainToy(t, newToy(), c, whole)
	ctx, cancel := context.WithCancel(context.Background())
	m := newToy()
	m.onValid = func(int) (Metrics, error) {
		cancel()
		return nil, ctx.Err()
	}
	if _, err := Run(ctx, m, c, Options{Dir: dir}); !errors.Is(err, ErrInterrupted) {
		t.Fatalf("got %v", err)
	}
	if _, s := lastState(t, dir); !s.Pending || s.Updates != toyBatches || s.Epoch != 1 {
		t.Errorf("state is %+v", s)
	}
	trainToy(t, newToy(), c, dir)
	wantBits, wantState := lastState(t, whole)
	bits, state := lastState(t, dir)
	if !slices.Equal(bits, wantBits) {
		t.Error("weights or moments differ")
	}
	if diff := cmp.Diff(wantState, state); diff != "" {
		t.Errorf("state differs:\n%s", diff)
	}
	if diff := cmp.Diff(timeless(t, whole), timeless(t, dir)); diff != "" {
		t.Errorf("records differ:\n%s", diff)
	}
}

func TestMoreUpdatesGoOn(t *testing.T) {
	c := toyConfig()
	dir := filepath.Join(t.TempDir(), "run")
	c.MaxUpdate = 10
	trainToy(t, newToy(), c, dir)
	if _, err := Run(context.Background(), newToy(), c, Options{Dir: dir}); !errors.Is(err, ErrFinished) {
		t.Errorf("got %v, want ErrFinished", err)
	}
	c.MaxUpdate = 15
	if s := trainToy(t, newToy(), c, dir); s.Updates != 15 {
		t.Errorf("ended at %d", s.Updates)
	}
	last := 0
	for _, r := range timeless(t, dir) {
		if r.Kind == KindTrain && r.Update <= last {
			t.Errorf("a second record of update %d", r.Update)
		}
		last = r.Update
	}
}

func TestSkipsWhatIsNotFinite(t *testing.T) {
	c := toyConfig()
	c.MaxSkippedInRow = 2
	m := newToy()
	m.poison = func(_, i int) bool { return i == 2 || i == 3 }
	var log strings.Builder
	s, err := Run(context.Background(), m, c, Options{Progress: &log})
	if err != nil {
		t.Fatal(err)
	}
	// Two of each epoch's seven batches are skipped, and 40 updates take eight epochs.
	if s.Updates != 40 || s.Skipped != 16 {
		t.Errorf("updates %d, skipped %d", s.Updates, s.Skipped)
	}
	for _, b := range m.params.Buffers() {
		if v := b.Data()[0]; math.IsNaN(float64(v)) {
			t.Errorf("%s is NaN", b.Name)
		}
	}
	if n := m.params.Counters()[0].Value; n != 40 {
		t.Errorf("batch norm counts %d batches", n)
	}
	if !strings.Contains(log.String(), "warning: skipped an update that is not finite  update 3") {
		t.Errorf("no warning in:\n%s", log.String())
	}
}

func TestFailsAfterTooManySkips(t *testing.T) {
	for _, limits := range [][2]int{{2, 100}, {100, 2}} {
		c := toyConfig()
		c.MaxSkippedInRow, c.MaxSkipped = limits[0], limits[1]
		m := newToy()
		m.poison = func(_, i int) bool { return i >= 3 }
		s, err := Run(context.Background(), m, c, Options{})
		if err == nil || !strings.Contains(err.Error(), "the loss is NaN") || !strings.Contains(err.Error(), "first in in.weight") {
			t.Errorf("got error %v", err)
		}
		if s.Updates != 3 || s.Skipped != 3 {
			t.Errorf("updates %d, skipped %d", s.Updates, s.Skipped)
		}
	}
}

func TestPatienceAndBest(t *testing.T) {
	c := toyConfig()
	c.MaxUpdate, c.MaxEpoch, c.Patience, c.KeepLastEpochs = 0, 20, 3, 1
	values := []float64{50, 60, 60, math.NaN(), 70, 65, 64, 63, 99}
	m := newToy()
	m.onValid = func(n int) (Metrics, error) { return Metrics{"accuracy": values[n-1]}, nil }
	dir := filepath.Join(t.TempDir(), "run")
	s := trainToy(t, m, c, dir)
	if s.Updates != 8*toyBatches || s.Best != 70 || s.BestUpdate != 5*toyBatches || !strings.Contains(s.Reason, "no better accuracy in 3") {
		t.Errorf("summary is %+v", s)
	}
	for name, want := range map[string]string{lastName: "update_56", bestName: "update_35", "checkpoint8": "update_56"} {
		if target, err := os.Readlink(filepath.Join(Checkpoints(dir), name)); err != nil || target != want {
			t.Errorf("%s is %s, %v, want %s", name, target, err, want)
		}
	}
	if found, _ := filepath.Glob(filepath.Join(Checkpoints(dir), "update_*")); len(found) != 2 {
		t.Errorf("kept %v", found)
	}
}

func TestStopsByRateAndEpochs(t *testing.T) {
	c := toyConfig()
	c.MaxUpdate, c.TotalNumUpdate, c.StopMinLR, c.WarmupInitLR = 0, 20, 1e-9, 1e-7
	if s := trainToy(t, newToy(), c, ""); s.Updates != 3*toyBatches || !strings.Contains(s.Reason, "learning rate") {
		t.Errorf("by rate: %+v", s)
	}
	c = toyConfig()
	c.MaxUpdate, c.MaxEpoch, c.ValidateInterval, c.SaveInterval, c.UpdateFreq = 0, 3, 2, 2, []int{1, 3, 10}
	m := newToy()
	dir := filepath.Join(t.TempDir(), "run")
	if s := trainToy(t, m, c, dir); s.Updates != 7+3+1 || s.Epoch != 4 {
		t.Errorf("by epochs: %+v", s)
	}
	if m.valids != 2 { // after epoch 2, and at the end
		t.Errorf("validated %d times", m.valids)
	}
	if _, s := lastState(t, dir); s.Updates != 11 {
		t.Errorf("saved at %d", s.Updates)
	}
}

func TestNoSaveAndNoValidation(t *testing.T) {
	c := toyConfig()
	c.NoSave, c.DisableValidation = true, true
	m := newToy()
	dir := filepath.Join(t.TempDir(), "run")
	if s := trainToy(t, m, c, dir); s.Valid != nil || m.valids != 0 {
		t.Errorf("validated %d times: %+v", m.valids, s)
	}
	if entries, err := os.ReadDir(Checkpoints(dir)); err != nil || len(entries) != 0 {
		t.Errorf("saved %v, %v", entries, err)
	}
}

func TestProfile(t *testing.T) {
	c := toyConfig()
	c.MaxUpdate = 3
	var p autograd.Profile
	if _, err := Run(context.Background(), newToy(), c, Options{Profile: &p}); err != nil {
		t.Fatal(err)
	}
	calls := map[string]int{}
	for _, row := range p.Rows() {
		calls[row.Name] = row.Calls
	}
	if calls["loader"] < 3 || calls["optimiser"] != 2*3 || calls["linear'"] < 2*3 {
		t.Errorf("calls by operation: %v", calls)
	}
}

func TestRunErrors(t *testing.T) {
	c := toyConfig()
	c.BestCheckpointMetric = "bleu"
	if _, err := Run(context.Background(), newToy(), c, Options{}); err == nil || !strings.Contains(err.Error(), "measures loss, accuracy") {
		t.Errorf("unknown metric: %v", err)
	}
	c = toyConfig()
	c.LogInterval, c.ClipNorm, c.AdamBetas[1], c.UpdateFreq = 0, -1, 1, []int{0}
	_, err := Run(context.Background(), newToy(), c, Options{})
	for _, want := range []string{"log_interval is 0", "clip_norm is -1", "adam_betas[1] is 1", "update_freq[0] is 0"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	m := newToy()
	m.onValid = func(int) (Metrics, error) { return nil, errors.New("broken") }
	if _, err := Run(context.Background(), m, toyConfig(), Options{}); err == nil || err.Error() != "validation: broken" {
		t.Errorf("failing validation: %v", err)
	}
}
