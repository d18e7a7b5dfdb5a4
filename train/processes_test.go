package train

import (
	"context"
	"errors"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/mega-go/mega/internal/collective"
	"github.com/mega-go/mega/nn"
)

// trainTogether runs a task in each of some processes, which are goroutines here, with
// options that o returns of a rank.
func trainTogether(t *testing.T, toys []*toy, c func(rank int) Config, o func(rank int) Options) ([]Summary, []error) {
	t.Helper()
	summaries, errs := make([]Summary, len(toys)), make([]error, len(toys))
	comms := collective.Threads(len(toys), collective.Options{Timeout: time.Minute})
	var all sync.WaitGroup
	for rank, m := range toys {
		all.Go(func() {
			options := o(rank)
			options.Communicator = comms[rank]
			summaries[rank], errs[rank] = Run(context.Background(), m, c(rank), options)
		})
	}
	all.Wait()
	return summaries, errs
}

func manyToys(n int, norm nn.NormType, dropout float64) (toys []*toy) {
	for range n {
		toys = append(toys, newToyOf(norm, dropout))
	}
	return toys
}

// trainIn runs toys together in a directory, all of one configuration.
func trainIn(t *testing.T, toys []*toy, c Config, dir string) []Summary {
	t.Helper()
	summaries, errs := trainTogether(t, toys, func(int) Config { return c }, func(int) Options { return Options{Dir: dir} })
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	return summaries
}

// TestTwoProcesses trains with two processes of a batch each and with one that
// accumulates two: the same sums, so the same weights. (The toy's batch norm has
// its own statistics in each process, so buffers are left out.)
func TestTwoProcesses(t *testing.T) {
	c := toyConfig()
	c.MaxUpdate = 14
	toys := manyToys(2, nn.BatchNorm, 0.2)
	nn.Constant(9)(nil, toys[1].params.All()[0].Value()) // to be overwritten by process 0's
	summaries := trainIn(t, toys, c, "")
	alone := newToy()
	c.UpdateFreq = []int{2}
	want := trainToy(t, alone, c, "")
	for i := range 2 {
		if summaries[i].Updates != want.Updates || summaries[i].Epoch != want.Epoch {
			t.Errorf("process %d: %+v, want %+v", i, summaries[i], want)
		}
		for j, p := range toys[i].params.All() {
			if !slices.Equal(p.Value().Data(), alone.params.All()[j].Value().Data()) {
				t.Errorf("process %d: %s differs", i, p.Name)
			}
		}
	}
}

// TestProcessesAreOne holds N processes with batches of b against one with batches of
// N·b over 50 updates, epochs that end with fewer batches than processes among them:
// losses and norms of gradients, with a synchronised batch norm. (Validations differ more:
// the gradient of the bias ahead of the norm is rounding alone, which Adam makes whole
// steps of. The norm takes them off again, but its running mean is late.)
func TestProcessesAreOne(t *testing.T) {
	c := toyConfig()
	c.MaxUpdate, c.LogInterval, c.DisableValidation, c.NoSave = 50, 1, true, true
	for _, n := range []int{2, 3, 4} {
		dir := filepath.Join(t.TempDir(), "together")
		toys := manyToys(n, nn.SyncBatchNorm, 0)
		trainIn(t, toys, c, dir)
		one, alone := newToyOf(nn.SyncBatchNorm, 0), filepath.Join(t.TempDir(), "alone")
		one.together = n
		trainToy(t, one, c, alone)
		got, want := timeless(t, dir), timeless(t, alone)
		if len(got) != len(want) || len(got) < 50 {
			t.Fatalf("%d processes: %d records, want %d", n, len(got), len(want))
		}
		worst := 0.0
		for i, r := range got {
			for name, x := range r.Metrics {
				d := math.Abs(x-want[i].Metrics[name]) / max(1e-9, math.Abs(want[i].Metrics[name]))
				if name == "gnorm" {
					d /= 10 // of differences between rows
				}
				worst = max(worst, d)
				if d > 1e-6 {
					t.Errorf("%d processes, %s at update %d: %s is %g, want %g", n, r.Kind, r.Update, name, x, want[i].Metrics[name])
				}
			}
		}
		t.Logf("%d processes: %.1e at worst", n, worst)
		for _, m := range toys[1:] {
			if !slices.Equal(toyState(m), toyState(toys[0])) {
				t.Errorf("%d processes end with different models", n)
			}
		}
	}
}

// TestBuckets: however small the buckets are that gradients are cut into, the weights
// are the same.
func TestBuckets(t *testing.T) {
	c := toyConfig()
	c.MaxUpdate = 10
	toys := manyToys(3, nn.SyncBatchNorm, 0.2)
	trainIn(t, toys, c, "")
	defer func(most int) { firstBucket = most }(firstBucket)
	defer func(mb int) { megabyte = mb }(megabyte)
	for _, numbers := range []int{3, 40} {
		firstBucket, megabyte = 1, numbers
		c.BucketMB = 1
		again := manyToys(3, nn.SyncBatchNorm, 0.2)
		trainIn(t, again, c, "")
		if !slices.Equal(toyState(again[0]), toyState(toys[0])) {
			t.Errorf("buckets of %d numbers change the weights", numbers)
		}
	}
}

// TestWorldSize: batches per update are as many as the configuration says, whatever the
// number of processes, and a run goes on with another number.
func TestWorldSize(t *testing.T) {
	c := toyConfig()
	c.DistributedWorldSize, c.MaxUpdate = 4, 8
	alone := filepath.Join(t.TempDir(), "alone")
	trainToy(t, newToyOf(nn.LayerNorm, 0.2), c, alone)
	want := timeless(t, alone)
	dir := filepath.Join(t.TempDir(), "together")
	for i, n := range []int{3, 2, 1} {
		c.MaxUpdate = []int{3, 5, 8}[i]
		trainIn(t, manyToys(n, nn.LayerNorm, 0.2), c, dir)
	}
	got := timeless(t, dir)
	last := func(records []Record) Record {
		return records[slices.IndexFunc(records, func(r Record) bool { return r.Kind == KindValid && r.Update == 8 })]
	}
	if a, b := last(got).Metrics["loss"], last(want).Metrics["loss"]; math.Abs(a-b) > 1e-6*b {
		t.Errorf("the loss is %g, want %g", a, b)
	}
	c.DistributedWorldSize = 1
	_, errs := trainTogether(t, manyToys(2, nn.LayerNorm, 0), func(int) Config { return c }, func(int) Options { return Options{} })
	if errs[0] == nil || !strings.Contains(errs[0].Error(), "distributed_world_size is 1, and there are 2 processes") {
		t.Errorf("got %v", errs[0])
	}
}

// TestProcessesResume interrupts a run of three processes and goes on: the weights,
// moments and records are those of an undisturbed run, bit for bit, although only
// process 0 can see the directory.
func TestProcessesResume(t *testing.T) {
	c := toyConfig()
	whole, parts := filepath.Join(t.TempDir(), "whole"), filepath.Join(t.TempDir(), "parts")
	trainIn(t, manyToys(3, nn.SyncBatchNorm, 0.2), c, whole)
	for _, stop := range []int{5, 20, c.MaxUpdate} {
		part := c
		part.MaxUpdate = stop
		_, errs := trainTogether(t, manyToys(3, nn.SyncBatchNorm, 0.2), func(int) Config { return part }, func(rank int) Options {
			if rank > 0 {
				return Options{Dir: filepath.Join(t.TempDir(), "elsewhere")}
			}
			return Options{Dir: parts}
		})
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
	}
	want, _ := lastState(t, whole)
	got, _ := lastState(t, parts)
	if !slices.Equal(got, want) {
		t.Error("weights or moments differ")
	}
}

// TestErrorEndsAllProcesses: whatever fails in one process, all end, and say which it
// was.
func TestErrorEndsAllProcesses(t *testing.T) {
	broken := errors.New("the disk is gone")
	for name, spoil := range map[string]func(m *toy){
		"a batch":      func(m *toy) { m.failing = func(epoch, i int) error { return map[bool]error{i == 4: broken}[true] } },
		"a validation": func(m *toy) { m.onValid = func(int) (Metrics, error) { return nil, broken } },
	} {
		toys := manyToys(3, nn.SyncBatchNorm, 0)
		spoil(toys[1])
		_, errs := trainTogether(t, toys, func(int) Config { return toyConfig() }, func(int) Options { return Options{} })
		for rank, err := range errs {
			if err == nil || !strings.Contains(err.Error(), broken.Error()) || rank != 1 && !strings.Contains(err.Error(), "rank 1: ") {
				t.Errorf("%s: rank %d: %v", name, rank, err)
			}
		}
	}
}

// TestForeignProcessesAreRefused: a process of another mind is named, with what differs.
func TestForeignProcessesAreRefused(t *testing.T) {
	for want, change := range map[string]func(c *Config, o *Options){
		"training.max_update is 40 on rank 0, 41 on rank 2": func(c *Config, _ *Options) { c.MaxUpdate++ },
		`it is version "2", not "1"`:                        func(_ *Config, o *Options) { o.Version = "2" },
	} {
		at := func(rank int) (Config, Options) {
			c, o := toyConfig(), Options{Version: "1"}
			if rank == 2 {
				change(&c, &o)
			}
			return c, o
		}
		_, errs := trainTogether(t, manyToys(3, nn.BatchNorm, 0), func(rank int) Config { c, _ := at(rank); return c }, func(rank int) Options { _, o := at(rank); return o })
		for rank, err := range errs {
			if err == nil || !strings.Contains(err.Error(), "rank 2 (on ") || !strings.Contains(err.Error(), want) {
				t.Errorf("rank %d: %v, want %s", rank, err, want)
			}
		}
	}
}

// TestSaveOnRequest: a request in one process makes process 0 save.
func TestSaveOnRequest(t *testing.T) {
	c := toyConfig()
	c.NoEpochCheckpoints, c.DisableValidation, c.SaveInterval = true, true, 1000
	dir := filepath.Join(t.TempDir(), "run")
	requests := make(chan os.Signal, 1)
	toys := manyToys(2, nn.BatchNorm, 0)
	saved := map[string]bool{}
	toys[1].onBatch = func(epoch, i int) {
		if epoch == 2 && i == 1 {
			requests <- syscall.SIGTERM
		}
	}
	toys[0].onBatch = func(epoch, i int) {
		found, _ := filepath.Glob(filepath.Join(Checkpoints(dir), "update_*"))
		for _, path := range found {
			saved[filepath.Base(path)] = true
		}
	}
	_, errs := trainTogether(t, toys, func(int) Config { return c }, func(rank int) Options {
		return Options{Dir: dir, Save: map[int]chan os.Signal{1: requests}[rank]}
	})
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	if got := slices.Collect(maps.Keys(saved)); !slices.Equal(got, []string{"update_5"}) { // four updates an epoch
		t.Errorf("saved %v before the end, want update_5", got)
	}
}

// TestEvaluationIsThatOfOneProcess, bit for bit.
func TestEvaluationIsThatOfOneProcess(t *testing.T) {
	m := newToy()
	want, err := NewEvaluator(Alone{}, nil).Run(context.Background(), toyEpoch{m, 0})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{2, 3, 8} {
		var all sync.WaitGroup
		for _, c := range collective.Threads(n, collective.Options{}) {
			all.Go(func() {
				got, err := NewEvaluator(c, nil).Run(context.Background(), toyEpoch{newToy(), 0})
				if err != nil || got != want {
					t.Errorf("rank %d of %d: %+v, %v, want %+v", c.Rank(), n, got, err, want)
				}
			})
		}
		all.Wait()
	}
}
