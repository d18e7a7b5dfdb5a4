package train

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mega-go/mega/autograd"
	"github.com/mega-go/mega/checkpoint"
	"github.com/mega-go/mega/nn"
	"github.com/mega-go/mega/tensor"
)

// wrapped is a toy whose batches pass through a function.
type wrapped struct {
	*toy
	loss func(t *autograd.Tape, b toyBatch) (Result, error)
}

func (w wrapped) Epoch(n int) (Batches, error) { return wrappedEpoch{toyEpoch{w.toy, n}, w}, nil }

type wrappedEpoch struct {
	toyEpoch
	task wrapped
}

func (e wrappedEpoch) Batch(i int) (Batch, error) {
	b, err := e.toyEpoch.Batch(i)
	return wrappedBatch{b.(toyBatch), e.task}, err
}

type wrappedBatch struct {
	toyBatch
	task wrapped
}

func (b wrappedBatch) Loss(t *autograd.Tape) (Result, error) { return b.task.loss(t, b.toyBatch) }

// TestSkipsByNormAndByLoss: either that is not finite is reason enough.
func TestSkipsByNormAndByLoss(t *testing.T) {
	for name, loss := range map[string]float64{"norm alone": 1, "loss alone": math.Inf(1)} {
		m := newToy()
		m.poison = func(_, i int) bool { return i == 2 && name == "norm alone" }
		w := wrapped{m, func(tape *autograd.Tape, b toyBatch) (Result, error) {
			r, err := b.Loss(tape)
			if b.epoch > 0 && b.i == 2 {
				s := r.Host()
				s.Loss = loss
				r.Host = func() Stats { return s }
			}
			return r, err
		}}
		// One of each epoch's seven batches is skipped, and 40 updates end in the seventh.
		s, err := Run(context.Background(), w, toyConfig(), Options{})
		if err != nil || s.Updates != 40 || s.Skipped != 7 {
			t.Errorf("%s: %d updates, %d skipped, %v", name, s.Updates, s.Skipped, err)
		}
	}
}

// TestBrokenWeightsAreNotKept: neither as the best checkpoint nor as the last.
func TestBrokenWeightsAreNotKept(t *testing.T) {
	c := toyConfig()
	c.SaveIntervalUpdates, c.ValidateIntervalUpdates = 3, 3
	dir := filepath.Join(t.TempDir(), "run")
	m := newToy()
	updates := 0
	w := wrapped{m, func(tape *autograd.Tape, b toyBatch) (Result, error) {
		if updates++; updates == 6 { // as a step would
			m.params.All()[2].Value().Data()[1] = float32(math.NaN())
		}
		return b.Loss(tape)
	}}
	_, err := Run(context.Background(), w, c, Options{Dir: dir})
	if want := m.params.All()[2].Name + " not finite"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %q", err, want)
	}
	if _, s := lastState(t, dir); s.Updates != 3 || s.Names.directory(bestName) != "update_3" {
		t.Errorf("the last checkpoint is of update %d, the best %s", s.Updates, s.Names.directory(bestName))
	}
}

// TestBrokenWeightsAreNotBegunFrom, whether they are of a run or loaded before.
func TestBrokenWeightsAreNotBegunFrom(t *testing.T) {
	m := newToy()
	m.params.All()[0].Value().Data()[0] = float32(math.Inf(1))
	if _, err := Run(context.Background(), m, toyConfig(), Options{}); err == nil || !strings.Contains(err.Error(), "in.weight is not finite in the weights to begin from") {
		t.Errorf("got %v", err)
	}
}

// TestBrokenRunIsNamed: a run whose last checkpoint holds NaN does not go on.
func TestBrokenRunIsNamed(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	interruptToy(t, newToy(), toyConfig(), dir, 5)
	last, err := LastCheckpoint(dir)
	must(t, err)
	file := filepath.Join(last, checkpoint.OptimizerFile)
	text, err := os.ReadFile(file)
	must(t, err)
	copy(text[len(text)-4:], "\xff\xff\xff\xff")
	must(t, os.WriteFile(file, text, 0o644))
	_, err = Run(context.Background(), newToy(), toyConfig(), Options{Dir: dir})
	if err == nil || !strings.HasPrefix(err.Error(), last) || !strings.Contains(err.Error(), "is not finite in the weights to begin from") {
		t.Errorf("got %v, want %s", err, last)
	}
}

// TestModelOfNaNIsNeverBest, though its accuracy is the best.
func TestModelOfNaNIsNeverBest(t *testing.T) {
	c := toyConfig()
	c.MaxUpdate = 14
	m := newToy()
	m.onValid = func(n int) (Metrics, error) {
		return []Metrics{{"loss": 1, "accuracy": 50}, {"loss": math.NaN(), "accuracy": 90}}[n-1], nil
	}
	if s := trainToy(t, m, c, ""); s.Best != 50 || s.BestUpdate != toyBatches {
		t.Errorf("best %g at %d", s.Best, s.BestUpdate)
	}
}

func TestJudge(t *testing.T) {
	best := func(x float64) *float64 { return &x }
	inf := math.Inf(1)
	for _, c := range []struct {
		was      *float64
		value    float64
		maximize bool
		want     bool
	}{
		{nil, 5, true, true}, {nil, math.NaN(), true, false}, {nil, inf, true, false}, {nil, -inf, false, false},
		{best(5), 6, true, true}, {best(5), 4, true, false}, {best(5), 4, false, true}, {best(5), 6, false, false},
		{best(5), 5, true, true}, {best(5), 5, false, true}, // an equal one replaces the best
		{best(5), inf, true, false}, {best(5), math.NaN(), true, false}, {best(5), math.NaN(), false, false},
	} {
		s := State{Best: c.was}
		if got := s.judge(c.value, c.maximize); got != c.want || s.Best != nil && !finite(*s.Best) {
			t.Errorf("%v after %v (maximize %v): %v, best %v", c.value, c.was, c.maximize, got, s.Best)
		}
	}
}

// TestStopsAtTheRateItself: stop_min_lr stops before an epoch at that rate, not
// only below it.
func TestStopsAtTheRateItself(t *testing.T) {
	c := toyConfig()
	c.LRScheduler, c.WarmupUpdates, c.StopMinLR = "fixed", 0, c.LR[0]
	if s := trainToy(t, newToy(), c, ""); s.Updates != 0 || !strings.Contains(s.Reason, "learning rate") {
		t.Errorf("%+v", s)
	}
}

// TestDropoutDiffers between updates, and between the batches of one.
func TestDropoutDiffers(t *testing.T) {
	var masks [][]float32
	w := wrapped{newToy(), func(tape *autograd.Tape, b toyBatch) (Result, error) {
		ones := tensor.New(1, 64)
		for i := range ones.Data() {
			ones.Data()[i] = 1
		}
		mask := slices.Clone(nn.Dropout{P: 0.5}.Forward(tape, autograd.NewConstant(ones)).Value().Data())
		for i, m := range masks {
			if slices.Equal(m, mask) {
				t.Errorf("batch %d drops what batch %d did", len(masks), i)
			}
		}
		masks = append(masks, mask)
		return b.Loss(tape)
	}}
	c := toyConfig()
	c.MaxUpdate, c.UpdateFreq = 3, []int{2}
	if _, err := Run(context.Background(), w, c, Options{}); err != nil || len(masks) != 6 {
		t.Errorf("%d batches, %v", len(masks), err)
	}
}

// startFrom gives m the weights of a run, and returns where its training stood.
func startFrom(t *testing.T, run string, m *toy) *checkpoint.Training {
	t.Helper()
	open, err := checkpoint.Open(run)
	must(t, err)
	t.Cleanup(func() { open.Close() })
	state, err := open.TrainingState(m.params, checkpoint.Reset{})
	must(t, err)
	must(t, checkpoint.LoadParams(m.params, open.Weights))
	return state
}

// negated are weights of the other sign.
type negated struct{ checkpoint.Weights }

func (n negated) Float32Into(name string, x []float32) error {
	err := n.Weights.Float32Into(name, x)
	for i := range x {
		x[i] = -x[i]
	}
	return err
}

// TestNegativeSquaresAreNotBegunFrom: a step would take their root.
func TestNegativeSquaresAreNotBegunFrom(t *testing.T) {
	from, m := filepath.Join(t.TempDir(), "from"), newToy()
	interruptToy(t, newToy(), toyConfig(), from, 5)
	state := startFrom(t, from, m)
	state.Path, state.Adam.Moments = from, negated{state.Adam.Moments}
	_, err := Run(context.Background(), m, toyConfig(), Options{Start: state})
	if err == nil || !strings.Contains(err.Error(), ".exp_avg_sq, a mean of squares, is negative") || !strings.Contains(err.Error(), from) {
		t.Errorf("got %v", err)
	}
}

// TestResumedAdamCountsItsOwnSteps, which are others than the run's updates where
// it began from a checkpoint of something else.
func TestResumedAdamCountsItsOwnSteps(t *testing.T) {
	c := toyConfig()
	from := filepath.Join(t.TempDir(), "from")
	interruptToy(t, newToy(), c, from, 5)
	start := func(m *toy) *checkpoint.Training {
		state := startFrom(t, from, m)
		state.Adam.Steps = 2
		return state
	}
	run := func(dir string, until int) []uint32 {
		m, c := newToy(), c
		c.MaxUpdate = until
		_, err := Run(context.Background(), m, c, Options{Dir: dir, Start: start(m)})
		must(t, err)
		return toyState(m)
	}
	want := run(filepath.Join(t.TempDir(), "whole"), 12)
	parts := filepath.Join(t.TempDir(), "parts")
	run(parts, 8)
	if !slices.Equal(run(parts, 12), want) {
		t.Error("the weights differ from those of a run without a break")
	}
}
