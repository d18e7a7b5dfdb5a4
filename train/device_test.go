package train

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mega-go/mega/autograd"
	"github.com/mega-go/mega/internal/cuda/device"
	"github.com/mega-go/mega/internal/cuda/devicetest"
	"github.com/mega-go/mega/nn"
	"github.com/mega-go/mega/tensor"
)

// TestMemoryAfterTraining holds that a run leaves nothing on a device but the task's
// parameters and buffers, whether it ends, fails, or has nothing to do: by itself, by graphs,
// and with one of two processes that share moments.
func TestMemoryAfterTraining(t *testing.T) {
	smallBuckets(t)
	c := deviceConfig()
	c.MaxUpdate, c.ModelEMA, c.ModelEMADecay, c.ZeroSharding = 3, true, 0.9, shardOptimizer
	for name, processes := range map[string]int{"alone": 1, "two processes": 2} {
		t.Run(name, func(t *testing.T) {
			dir, devices := filepath.Join(t.TempDir(), "run"), make([]*devicetest.Counter, processes)
			for _, attempt := range []string{"fails", "goes on", "is finished"} {
				toys := manyToys(processes, nn.SyncBatchNorm, 0.2)
				for i, m := range toys {
					devices[i] = devicetest.NewCounter(t)
					m.failing = func(epoch, i int) error {
						if attempt == "fails" && i == 1 {
							return errors.New("no more data")
						}
						return nil
					}
				}
				_, errs := trainTogether(t, toys, func(int) Config { return c }, func(rank int) Options {
					return Options{Dir: dir, Device: device.Replaying(devices[rank], nil)}
				})
				err := errors.Join(errs...)
				if errors.Is(err, ErrFinished) != (attempt == "is finished") || (err != nil) != (attempt != "goes on") {
					t.Errorf("a run that %s: %v", attempt, err)
				}
				for i, m := range toys {
					tensor.Free(m.moved...)
					if want := len(m.params.Tensors()); devices[i].Blocks != want {
						t.Errorf("a run that %s leaves %d blocks of memory, want the %d of its parameters", attempt, devices[i].Blocks, want)
					}
				}
			}
		})
	}
}

// TestFailedStart: a run that cannot start for want of memory leaves nothing on a device but
// the task's parameters, if they got there, and float32, whichever allocation fails.
func TestFailedStart(t *testing.T) {
	smallBuckets(t)
	for name, sharding := range map[string]string{"alone": "", "two processes": shardNothing, "divided moments": shardOptimizer} {
		t.Run(name, func(t *testing.T) {
			c := deviceConfig()
			c.MaxUpdate, c.TF32, c.ModelEMA, c.ModelEMADecay, c.ZeroSharding = 1, true, true, 0.9, sharding
			processes := 1
			if sharding != "" {
				processes = 2
			}
			parameters, failures := len(newToyOf(nn.SyncBatchNorm, 0).params.Tensors()), 0
			for limit := 1; ; limit++ {
				toys, devices := make([]*toy, processes), make([]*devicetest.Counter, processes)
				for i := range toys {
					m := newToyWide(nn.SyncBatchNorm, 0, 1400) // of several buckets
					toys[i], devices[i] = m, devicetest.NewCounter(t)
					devices[i].Limit(limit, -1)
					m.failing = func(int, int) error { return errors.New("it has started") }
				}
				_, errs := trainTogether(t, toys, func(int) Config { return c }, func(rank int) Options { return Options{Device: devices[rank]} })
				want := min(limit/parameters, 1) * parameters
				for i, d := range devices {
					if d.Blocks != want || d.TF32() {
						t.Errorf("with memory for %d blocks, %d are left and TF32 is %v, want %d and false: %v", limit, d.Blocks, d.TF32(), want, errs[i])
					}
				}
				err := errors.Join(errs...)
				if err == nil {
					t.Fatal("no error")
				}
				if strings.Contains(err.Error(), "it has started") {
					break
				}
				if failures++; !strings.Contains(err.Error(), "out of memory") {
					t.Fatal(err)
				}
			}
			if failures < 2*parameters {
				t.Errorf("only %d starts failed", failures)
			}
		})
	}
}

// deviceConfig is toyConfig for a few updates, every one of which is recorded. A large
// eps of Adam keeps it from making whole steps of gradients that are rounding alone, such
// as that of the bias ahead of a batch norm.
func deviceConfig() Config {
	c := toyConfig()
	c.MaxUpdate, c.LogInterval, c.AdamEps = 8, 1, 0.01
	return c
}

// trainOn trains a toy on a device, nil for the CPU, and returns its records, and what it
// has learnt and the averages that it keeps in its last checkpoint.
func trainOn(t *testing.T, on device.Device, m *toy, c Config) ([]Record, []float32) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "run")
	if _, err := Run(context.Background(), m, c, Options{Dir: dir, Device: on}); err != nil {
		t.Fatal(err)
	}
	var all []float32
	for _, x := range m.params.Tensors() {
		all = append(all, x.Host()...)
	}
	if c.ModelEMA {
		for _, x := range savedEMA(t, dir).params.Tensors() {
			all = append(all, x.Host()...)
		}
	}
	return timeless(t, dir), all
}

// near fails unless numbers are those wanted, within bound of the largest.
func near(t *testing.T, what string, got, want []float32, bound float64) {
	t.Helper()
	if len(got) != len(want) || len(want) == 0 {
		t.Fatalf("%s: %d numbers, want %d", what, len(got), len(want))
	}
	most, off := 0.0, 0.0
	for i, w := range want {
		most, off = max(most, math.Abs(float64(w))), max(off, math.Abs(float64(got[i]-w)))
		if got[i] != got[i] {
			t.Fatalf("%s: number %d is NaN", what, i)
		}
	}
	if off > bound*most {
		t.Errorf("%s: off by %.2g of the largest, want at most %.2g", what, off/most, bound)
	}
	t.Logf("%s: off by %.2g of the largest", what, off/most)
}

// TestTrainingOnDevice holds trainings on a device against those on the CPU: losses, norms
// of gradients, validations, weights, running statistics and averages, within a hundred
// roundings of a float32. Products in bfloat16 have their factors rounded alike on both, and
// their sums in another order. TF32 is near float32, and not the same.
func TestTrainingOnDevice(t *testing.T) {
	for name, change := range map[string]func(*Config, *toy){
		"plain":       func(*Config, *toy) {},
		"clipped":     func(c *Config, _ *toy) { c.ClipNorm = 0.1 },
		"averages":    func(c *Config, _ *toy) { c.ModelEMA, c.ModelEMADecay = true, 0.9 },
		"accumulated": func(c *Config, _ *toy) { c.UpdateFreq = []int{3} },
		"bfloat16":    func(c *Config, _ *toy) { c.BF16 = true },
		"TF32":        func(c *Config, _ *toy) { c.TF32 = true },
		"skipping":    func(_ *Config, m *toy) { m.poison = func(epoch, i int) bool { return epoch == 1 && i == 2 } },
		"layernorm":   func(_ *Config, m *toy) { *m = *newToyOf(nn.LayerNorm, 0.2) },
	} {
		t.Run(name, func(t *testing.T) {
			bound := 1e-5
			c, here, there := deviceConfig(), newToy(), newToy()
			change(&c, here)
			change(&c, there)
			if c.BF16 {
				if bound = 1e-3; autograd.CheckBF16() != nil {
					t.Skip(autograd.CheckBF16())
				}
			}
			own := c
			if c.TF32 { // which the CPU does not have
				bound, own.TF32 = 1e-3, false
			}
			records, want := trainOn(t, nil, here, own)
			others, got := trainOn(t, devicetest.New(t), there, c)
			if c.TF32 {
				if _, whole := trainOn(t, devicetest.New(t), newToy(), own); slices.Equal(got, whole) {
					t.Error("weights are those of float32, bit for bit")
				}
			}
			near(t, "weights and buffers", got, want, bound)
			if len(records) != len(others) || len(records) <= c.MaxUpdate {
				t.Fatalf("%d records, want %d", len(others), len(records))
			}
			for i, r := range records {
				for metric, x := range r.Metrics {
					if d := math.Abs(others[i].Metrics[metric] - x); !(d <= bound*max(1, math.Abs(x))) {
						t.Errorf("%s at update %d: %s is %g, want %g", r.Kind, r.Update, metric, others[i].Metrics[metric], x)
					}
				}
			}
		})
	}
}

// TestResumeOnDevice: two runs on a device have the same bits, also if one was interrupted
// and resumed on another device, with all that a checkpoint keeps.
func TestResumeOnDevice(t *testing.T) {
	for name, tf32 := range map[string]bool{"float32": false, "TF32": true} {
		t.Run(name, func(t *testing.T) {
			c := deviceConfig()
			c.TF32 = tf32
			testResumeOnDevice(t, c)
		})
	}
}

func testResumeOnDevice(t *testing.T, c Config) {
	c.ModelEMA, c.ModelEMADecay, c.UpdateFreq = true, 0.9, []int{2}
	dirs := []string{filepath.Join(t.TempDir(), "once"), filepath.Join(t.TempDir(), "again"), filepath.Join(t.TempDir(), "resumed")}
	for i, dir := range dirs {
		if i == 2 {
			ctx, cancel := context.WithCancel(context.Background())
			m := newToy()
			m.onBatch = func(epoch, i int) {
				if epoch == 1 && i == 5 {
					cancel()
				}
			}
			if _, err := Run(ctx, m, c, Options{Dir: dir, Device: devicetest.New(t)}); !errors.Is(err, ErrInterrupted) {
				t.Fatalf("got %v, want ErrInterrupted", err)
			}
		}
		s, err := Run(context.Background(), newToy(), c, Options{Dir: dir, Device: devicetest.New(t)})
		if err != nil || s.Updates != c.MaxUpdate {
			t.Fatalf("%+v, %v", s, err)
		}
	}
	sameFiles(t, "again", dirs[1], dirs[0])
	sameFiles(t, "resumed", dirs[2], dirs[0])
	if got, want := timeless(t, dirs[2]), timeless(t, dirs[0]); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("records are\n%v, want\n%v", got, want)
	}
}

// TestTF32: a run in TF32 says so in its configuration, does not go on in float32, and is
// not for the CPU nor beside bfloat16.
func TestTF32(t *testing.T) {
	c, dir := deviceConfig(), filepath.Join(t.TempDir(), "run")
	c.MaxUpdate, c.TF32 = 1, true
	on := devicetest.New(t)
	m := newToy()
	m.onValid = func(int) (Metrics, error) {
		if !on.TF32() {
			t.Error("a validation in float32")
		}
		return Metrics{"loss": 1, "accuracy": 0.5}, nil
	}
	if _, err := Run(context.Background(), m, c, Options{Dir: dir, Device: on}); err != nil || m.valids == 0 {
		t.Fatalf("%d validations, %v", m.valids, err)
	}
	if rc, err := ReadRunConfig(dir); err != nil || !rc.Training.TF32 {
		t.Errorf("the run's configuration has TF32 %v, %v", rc.Training.TF32, err)
	}
	plain, both := c, c
	plain.TF32, plain.MaxUpdate, both.BF16 = false, 2, true
	for want, run := range map[string]func() error{
		"training.tf32 was true": func() error {
			_, err := Run(context.Background(), newToy(), plain, Options{Dir: dir, Device: on})
			return err
		},
		"it is for CUDA devices of compute capability 8.0 or later": func() error {
			_, err := Run(context.Background(), newToy(), c, Options{})
			return err
		},
		"factors of products are rounded to one of them": both.Validate,
	} {
		if err := run(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if on.TF32() {
		t.Error("the device stays in TF32 for a run that is not")
	}
}

// TestProcessesOnDevices trains in two processes, each on a device of its own, with a
// synchronised batch norm and epochs whose last update has a batch for only one: as two
// processes on the CPU do, and with the same bits however moments are divided.
func TestProcessesOnDevices(t *testing.T) {
	if testing.Short() {
		t.Skip("not in short mode")
	}
	smallBuckets(t)
	c := deviceConfig()
	c.MaxUpdate, c.DisableValidation, c.ModelEMA, c.ModelEMADecay = 4, true, true, 0.9
	dirs := map[string]string{}
	for _, name := range []string{"cpu", shardNothing, shardOptimizer} {
		toys := []*toy{newToyWide(nn.SyncBatchNorm, 0.2, 1400), newToyWide(nn.SyncBatchNorm, 0.2, 1400)}
		dir := filepath.Join(t.TempDir(), name)
		dirs[name] = dir
		own := c
		if name != "cpu" {
			own.ZeroSharding = name
		}
		_, errs := trainTogether(t, toys, func(int) Config { return own }, func(int) Options {
			o := Options{Dir: dir}
			if name != "cpu" {
				o.Device = devicetest.New(t)
			}
			return o
		})
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(toyState(toys[0]), toyState(toys[1])) {
			t.Errorf("%s: the processes end with different models", name)
		}
	}
	sameFiles(t, "divided moments", dirs[shardOptimizer], dirs[shardNothing])
	got, want := timeless(t, dirs[shardNothing]), timeless(t, dirs["cpu"])
	for i, r := range want {
		for metric, x := range r.Metrics {
			if d := math.Abs(got[i].Metrics[metric] - x); !(d <= 1e-5*max(1, math.Abs(x))) {
				t.Errorf("%s at update %d: %s is %g, want %g", r.Kind, r.Update, metric, got[i].Metrics[metric], x)
			}
		}
	}
}

// TestProcessesOnDifferentDevices: a process on the CPU does not train with one on a device.
func TestProcessesOnDifferentDevices(t *testing.T) {
	_, errs := trainTogether(t, manyToys(2, nn.LayerNorm, 0), func(int) Config { return deviceConfig() }, func(rank int) Options {
		if rank == 0 {
			return Options{}
		}
		return Options{Device: devicetest.New(t)}
	})
	want := "it has cuda kernels, not " + autograd.Implementation() + " (MEGA_KERNEL and device choose)"
	if err := errors.Join(errs...); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %q", err, want)
	}
}

// A broken device refuses launches after some.
type broken struct {
	device.Device
	launches int
}

func (b *broken) Launch(kernel string, grid, block [3]int, args ...any) error {
	if b.launches--; b.launches < 0 {
		return errors.New("it is on fire")
	}
	return b.Device.Launch(kernel, grid, block, args...)
}

// TestValidationLacks: a run whose validation a device lacks something for is saved before
// it ends.
func TestValidationLacks(t *testing.T) {
	on, m, dir := devicetest.New(t), newToy(), filepath.Join(t.TempDir(), "run")
	m.onValid = func(int) (Metrics, error) {
		device.Lacks(on, "a validation")
		return nil, nil
	}
	c := deviceConfig()
	c.MaxUpdate = 2
	_, err := Run(context.Background(), m, c, Options{Dir: dir, Device: on})
	if err == nil || !strings.Contains(err.Error(), "a validation is not available on the device interpreter: use the CPU for it; the run is saved at update 2") {
		t.Errorf("%v", err)
	}
	if s, err := Run(context.Background(), newToy(), c, Options{Dir: dir}); err != nil || s.Updates != 2 {
		t.Errorf("on the CPU: %+v, %v", s, err)
	}
}

// TestDeviceFails: what a device fails at, in the first update or later, is an error that
// names it.
func TestDeviceFails(t *testing.T) {
	for _, after := range []int{0, 20, 300} {
		_, err := Run(context.Background(), newToy(), deviceConfig(), Options{Device: &broken{devicetest.New(t), after}})
		var failure *device.Failure
		if !errors.As(err, &failure) || failure.Device != "interpreter" || !strings.Contains(err.Error(), "it is on fire") {
			t.Errorf("after %d launches: %v", after, err)
		}
	}
}
