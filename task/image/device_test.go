package image

import (
	"fmt"
	"image/color"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/mega-go/mega"
	"github.com/mega-go/mega/checkpoint"
	"github.com/mega-go/mega/internal/cuda/device"
	"github.com/mega-go/mega/internal/cuda/devicetest"
	"github.com/mega-go/mega/train"
)

// patterned writes n pictures of each of more classes than five, into directories of classes:
// stripes that grow narrower from class to class, and move from picture to picture.
func patterned(t *testing.T, n int) string {
	t.Helper()
	dir := t.TempDir()
	for class := range 7 {
		path := filepath.Join(dir, fmt.Sprint(class))
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
		for k := range n {
			writePixels(t, filepath.Join(path, fmt.Sprintf("%d.png", k)), func(x, y int) color.Color {
				return color.RGBA{uint8(30 * (class + 1) * (x + k)), uint8(9 * (y + k)), uint8(36 * class), 255}
			})
		}
	}
	return dir
}

// deviceConfigs returns the configurations of a training like those of the recipes, of three
// updates: pictures are varied and mixed in every way, and the second of two blocks is left
// out for half of them. A large eps keeps Adam from making whole steps of gradients that are
// rounding alone.
func deviceConfigs(dir string) (train.Config, DataConfig, mega.VisionConfig) {
	c, d, m := train.DefaultConfig(), DefaultDataConfig(), tiny()
	c.MaxUpdate, c.LogInterval, c.ModelEMA, c.ModelEMADecay = 3, 1, true, 0.9
	c.LRScheduler, c.LR, c.WarmupUpdates, c.WarmupInitLR, c.MinLR = "cosine", []float64{0.02}, 1, 0.01, 0.001
	c.AdamBetas, c.AdamEps, c.WeightDecay, c.ClipNorm = [2]float64{0.9, 0.98}, 0.01, 0.05, 0.1
	d.Data, d.BatchSize, d.MaxSentences, d.Repeats, d.HeldOut = dir, 4, 7, 1, []float64{0.3}
	m.Depth, m.DropPathRate = 2, 0.5
	return c, d, m
}

// trainOn trains a model of pictures on a device, nil for the CPU. It returns the task, what
// the run has measured, and the weights with the averages of them that it has saved.
func trainOn(t *testing.T, c train.Config, d DataConfig, m mega.VisionConfig, on device.Device) (*Task, []train.Record, []float32) {
	t.Helper()
	task, err := NewTask(d, m)
	if err != nil {
		t.Fatal(err)
	}
	run := filepath.Join(t.TempDir(), "run")
	if s, err := train.Run(t.Context(), task, c, train.Options{Dir: run, Device: on}); err != nil || s.Updates != c.MaxUpdate {
		t.Fatalf("%+v, %v", s, err)
	}
	records, err := train.ReadRecords(filepath.Join(run, "metrics.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	saved, err := checkpoint.Open(run)
	if err != nil {
		t.Fatal(err)
	}
	defer saved.Close()
	if err := saved.UseModelEMA(); err != nil {
		t.Fatal(err)
	}
	averaged, err := saved.Vision()
	if err != nil {
		t.Fatal(err)
	}
	var numbers []float32
	for _, x := range slices.Concat(task.Params().Tensors(), averaged.Params().Tensors()) {
		numbers = append(numbers, x.Host()...)
	}
	return task, records, numbers
}

// TestTrainOnDevice trains models of pictures on a device, by graphs, as on the CPU: one as the
// recipes do, and one with choices that they do not make. Losses, norms of gradients,
// validations, weights and averages of weights agree within a hundred roundings of a float32.
// Nothing stays on the device but the parameters.
func TestTrainOnDevice(t *testing.T) {
	if testing.Short() {
		t.Skip("the interpreter takes its time")
	}
	const bound = 1e-5
	dir := patterned(t, 3)
	for name, change := range map[string]func(*train.Config, *DataConfig, *mega.VisionConfig){
		"recipes": func(*train.Config, *DataConfig, *mega.VisionConfig) {},
		"others": func(c *train.Config, d *DataConfig, m *mega.VisionConfig) {
			c.MaxUpdate, c.DisableValidation, d.ClassWeights = 2, true, []string{"0=3"}
			m.NormType, m.PatchImpl, m.NoPosEmb, m.DropRate, m.AttnDropRate = "batchnorm", mega.PatchLinear, true, 0.2, 0.2
		},
	} {
		t.Run(name, func(t *testing.T) {
			c, d, m := deviceConfigs(dir)
			change(&c, &d, &m)
			counter := devicetest.NewCounter(t)
			on := device.Replaying(counter, nil)
			_, records, want := trainOn(t, c, d, m, nil)
			task, others, got := trainOn(t, c, d, m, on)
			if n := len(task.Params().Tensors()); counter.Blocks != n {
				t.Errorf("training leaves %d blocks of memory, want the %d of its parameters", counter.Blocks, n)
			}
			if w := on.(*device.Replayer).Work(); w.Replays == 0 {
				t.Errorf("no update was replayed: %+v", w)
			}
			compareRecords(t, others, records, bound)
			compareNumbers(t, got, want, bound)
		})
	}
}

// compareRecords fails unless two runs have measured the same, whatever time they took.
func compareRecords(t *testing.T, got, want []train.Record, bound float64) {
	t.Helper()
	if len(got) != len(want) || len(want) == 0 {
		t.Fatalf("%d records, want %d", len(got), len(want))
	}
	for i, r := range want {
		for metric, x := range r.Metrics {
			if slices.Contains([]string{"wps", "ups", "wall"}, metric) {
				continue
			}
			if y := got[i].Metrics[metric]; !(math.Abs(y-x) <= bound*max(1, math.Abs(x))) {
				t.Errorf("%s at update %d: %s is %g, want %g", r.Kind, r.Update, metric, y, x)
			}
		}
	}
}

// compareNumbers fails unless numbers are those wanted, within bound of the largest.
func compareNumbers(t *testing.T, got, want []float32, bound float64) {
	t.Helper()
	if len(got) != len(want) || len(want) == 0 {
		t.Fatalf("%d numbers, want %d", len(got), len(want))
	}
	most, off := 0.0, 0.0
	for i, w := range want {
		d := math.Abs(float64(got[i] - w))
		if d != d {
			t.Fatalf("number %d is %g, want %g", i, got[i], w)
		}
		most, off = max(most, math.Abs(float64(w))), max(off, d)
	}
	if t.Logf("off by %.2g of the largest", off/most); !(off <= bound*most) {
		t.Errorf("off by %.2g of the largest, want at most %g", off/most, bound)
	}
}
