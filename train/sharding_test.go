package train

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mega-go/mega/autograd"
	"github.com/mega-go/mega/checkpoint"
	"github.com/mega-go/mega/internal/collective"
	"github.com/mega-go/mega/nn"
	"github.com/mega-go/mega/tensor"
)

// wideToys are so large that each of some processes has a share of their moments.
func wideToys(n int) (toys []*toy) {
	for range n {
		toys = append(toys, newToyWide(nn.SyncBatchNorm, 0.2, 3000))
	}
	return toys
}

// shardedConfig is emaConfig for some updates, which are many batches long whatever the
// number of processes.
func shardedConfig(sharding string, updates int) Config {
	c := emaConfig()
	c.ZeroSharding, c.MaxUpdate, c.DistributedWorldSize = sharding, updates, 4
	return c
}

// sameFiles fails unless the last checkpoints of two runs have the same weights, averages
// and moments, bit for bit.
func sameFiles(t *testing.T, what, dir, other string) {
	t.Helper()
	got, err := LastCheckpoint(dir)
	must(t, err)
	want, err := LastCheckpoint(other)
	must(t, err)
	for _, name := range []string{checkpoint.ModelFile, checkpoint.ModelEMAFile, checkpoint.OptimizerFile} {
		a, err := os.ReadFile(filepath.Join(got, name))
		must(t, err)
		b, err := os.ReadFile(filepath.Join(want, name))
		must(t, err)
		if !bytes.Equal(a, b) {
			t.Errorf("%s: %s differs", what, name)
		}
	}
}

// smallBuckets makes buckets as small as they can be until the test ends.
func smallBuckets(t *testing.T) {
	first, mb := firstBucket, megabyte
	t.Cleanup(func() { firstBucket, megabyte = first, mb })
	firstBucket, megabyte = 1, 1
}

// TestShardingChangesNothing: weights, averages, moments and records are those of whole
// moments, bit for bit.
func TestShardingChangesNothing(t *testing.T) {
	for _, small := range []bool{false, true} {
		if small {
			smallBuckets(t)
		}
		for n := 1; n <= 4; n++ {
			dirs := map[string]string{}
			for _, sharding := range []string{shardNothing, shardOptimizer} {
				dirs[sharding] = filepath.Join(t.TempDir(), sharding)
				c := shardedConfig(sharding, 12)
				c.BF16Gradients = n == 3
				trainIn(t, wideToys(n), c, dirs[sharding])
			}
			what := fmt.Sprintf("%d processes, small buckets: %v", n, small)
			sameFiles(t, what, dirs[shardOptimizer], dirs[shardNothing])
			got, want := timeless(t, dirs[shardOptimizer]), timeless(t, dirs[shardNothing])
			if fmt.Sprint(got) != fmt.Sprint(want) || len(want) == 0 {
				t.Errorf("%s: the records are\n%v\nwant\n%v", what, got, want)
			}
		}
	}
}

// TestShardedRunsResume with other numbers of processes, which share moments or not, as
// they would if none did.
func TestShardedRunsResume(t *testing.T) {
	smallBuckets(t)
	stages := []struct {
		processes int
		sharding  string
	}{{3, shardOptimizer}, {2, shardNothing}, {4, shardOptimizer}, {2, shardOptimizer}, {1, shardOptimizer}, {3, shardOptimizer}}
	dir, whole := filepath.Join(t.TempDir(), "sharded"), filepath.Join(t.TempDir(), "whole")
	for i, stage := range stages {
		updates := 3 * (i + 1)
		trainIn(t, wideToys(stage.processes), shardedConfig(stage.sharding, updates), dir)
		trainIn(t, wideToys(stage.processes), shardedConfig(shardNothing, updates), whole)
		sameFiles(t, fmt.Sprintf("after %d updates", updates), dir, whole)
	}
}

// TestShares: every number of every parameter belongs to one process, the same in the
// eyes of all, and no process has much more than its share.
func TestShares(t *testing.T) {
	smallBuckets(t)
	for n := 1; n <= 5; n++ {
		all := make([][]*share, n)
		kept := make([]int, n)
		comms := collective.Threads(n, collective.Options{})
		for rank, c := range comms {
			params := nn.NewParams(1)
			for i, size := range []int{5, 20*autograd.AdamBlock + 1, autograd.AdamBlock, 7*autograd.AdamBlock - 1, 0, 3} {
				params.Root().Index(i).Parameter("w", nn.Constant(0), 1, size)
			}
			a := newAdam(params, AdamConfig{}, newExchange(c, params, 1, false, true))
			a.shared.eachShare(func(h *share) { all[rank] = append(all[rank], h) })
			for _, b := range a.kept() {
				kept[rank] += b.Len()
			}
			next := make([]int, len(a.params))
			for _, h := range all[rank] {
				if h.from != next[h.param] || h.to <= h.from || h.owner < 0 || h.owner >= n || (h.moments != nil) != (h.owner == rank) {
					t.Errorf("rank %d of %d has %+v, want a share from number %d", rank, n, h, next[h.param])
				}
				next[h.param] = h.to
			}
			for i, p := range a.params {
				if next[i] != tensor.Size(p.Shape()) {
					t.Errorf("rank %d of %d: %d of %d numbers of %s belong to a process", rank, n, next[i], tensor.Size(p.Shape()), p.Name)
				}
			}
		}
		total, blocks := 0, 29
		for rank, numbers := range kept {
			total += numbers
			if most := 2 * autograd.AdamBlock * ((blocks+n-1)/n + 1); numbers > most {
				t.Errorf("rank %d of %d keeps %d numbers, want %d at most", rank, n, numbers, most)
			}
			for i, h := range all[rank] {
				if o := all[0][i]; h.owner != o.owner || h.param != o.param || h.to != o.to {
					t.Errorf("rank %d of %d has %+v, and rank 0 %+v", rank, n, h, o)
				}
			}
		}
		if want := 2 * (28*autograd.AdamBlock + 8); total != want {
			t.Errorf("%d processes keep %d numbers, want %d", n, total, want)
		}
	}
}

// TestShardedNotFinite: an update that is not finite is skipped by all processes, which
// name the parameter that one process alone has seen.
func TestShardedNotFinite(t *testing.T) {
	c := shardedConfig(shardOptimizer, 8)
	dirs := map[string]string{}
	for _, sharding := range []string{shardNothing, shardOptimizer} {
		dirs[sharding] = filepath.Join(t.TempDir(), sharding)
		c.ZeroSharding = sharding
		toys := wideToys(3)
		for _, m := range toys {
			m.poison = func(epoch, i int) bool { return epoch == 2 && i == 1 }
		}
		summaries := trainIn(t, toys, c, dirs[sharding])
		for rank, s := range summaries {
			if s.Skipped != 1 {
				t.Errorf("%s: rank %d skipped %d updates, want 1", sharding, rank, s.Skipped)
			}
		}
	}
	sameFiles(t, "after a skipped update", dirs[shardOptimizer], dirs[shardNothing])
	text, err := os.ReadFile(filepath.Join(dirs[shardOptimizer], "train.log"))
	must(t, err)
	if !strings.Contains(string(text), "parameter=in.weight") {
		t.Errorf("train.log does not name in.weight:\n%s", text)
	}
}

// TestShardedFilesThatFail: what goes wrong with files in process 0 ends all processes.
func TestShardedFilesThatFail(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	toys := wideToys(3)
	toys[0].onBatch = func(epoch, i int) {
		if epoch == 2 && i == 0 {
			if err := errors.Join(os.RemoveAll(Checkpoints(dir)), os.WriteFile(Checkpoints(dir), nil, 0o644)); err != nil {
				t.Error(err)
			}
		}
	}
	c := shardedConfig(shardOptimizer, 8)
	options := func(int) Options { return Options{Dir: dir} }
	_, errs := trainTogether(t, toys, func(int) Config { return c }, options)
	for rank, err := range errs {
		if err == nil || !strings.Contains(err.Error(), "saving a checkpoint: ") || rank > 0 && !strings.Contains(err.Error(), "rank 0: ") {
			t.Errorf("rank %d: %v, want that saving failed", rank, err)
		}
	}
	for want, spoil := range map[string]func(x []float32){
		"out.bias.exp_avg_sq, a mean of squares, is negative": func(x []float32) { x[len(x)-1] = -1 },
		"out.bias.exp_avg_sq is not finite":                   func(x []float32) { x[len(x)-1] = float32(math.NaN()) },
	} {
		dir = filepath.Join(t.TempDir(), "run")
		trainIn(t, wideToys(2), c, dir)
		spoilLastNumber(t, dir, spoil)
		longer := c
		longer.MaxUpdate = 16
		_, errs := trainTogether(t, wideToys(2), func(int) Config { return longer }, options)
		for rank, err := range errs {
			if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), dir) {
				t.Errorf("rank %d: %v, want %s", rank, err, want)
			}
		}
	}
}

// spoilLastNumber changes the end of the moments in a run's last checkpoint.
func spoilLastNumber(t *testing.T, dir string, spoil func(x []float32)) {
	t.Helper()
	last, err := LastCheckpoint(dir)
	must(t, err)
	file := filepath.Join(last, checkpoint.OptimizerFile)
	data, err := os.ReadFile(file)
	must(t, err)
	x := make([]float32, 1)
	spoil(x)
	bits := math.Float32bits(x[0])
	copy(data[len(data)-4:], []byte{byte(bits), byte(bits >> 8), byte(bits >> 16), byte(bits >> 24)})
	must(t, os.WriteFile(file, data, 0o644))
}

// TestZeroShardingHasTwoValues, and processes agree on one.
func TestZeroShardingHasTwoValues(t *testing.T) {
	c := shardedConfig("gradients", 4)
	if err := c.Validate(); err == nil || !strings.Contains(err.Error(), `zero_sharding is "gradients", want none or os`) {
		t.Errorf("got %v", err)
	}
	_, errs := trainTogether(t, wideToys(2), func(rank int) Config {
		return shardedConfig([]string{shardOptimizer, shardNothing}[rank], 4)
	}, func(int) Options { return Options{} })
	if err := errors.Join(errs...); err == nil || !strings.Contains(err.Error(), `training.zero_sharding is "os" on rank 0, absent on rank 1`) {
		t.Errorf("got %v", err)
	}
}
