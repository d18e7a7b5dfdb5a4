package train_test

import (
	"context"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"github.com/mega-go/mega"
	"github.com/mega-go/mega/autograd"
	"github.com/mega-go/mega/internal/cuda/device"
	"github.com/mega-go/mega/internal/cuda/devicetest"
	"github.com/mega-go/mega/nn"
	"github.com/mega-go/mega/tensor"
	"github.com/mega-go/mega/train"
)

// deviceConfig is sumsConfig for a few updates without validation. A large eps keeps Adam
// from making whole steps of gradients that are rounding alone.
func deviceConfig(updates int) train.Config {
	c := sumsConfig(updates)
	c.AdamEps, c.DisableValidation, c.NoSave = 0.01, true, true
	return c
}

// byteSums is a language model of the texts of sums.
type byteSums struct {
	*sums
	model *mega.LanguageModel
}

func newByteSums(t *testing.T) byteSums {
	t.Helper()
	c, err := mega.LanguageModelArch("mega_lm_enwik8_base")
	if err != nil {
		t.Fatal(err)
	}
	c.VocabSize, c.DecoderLayers, c.DecoderEmbedDim, c.DecoderInputDim, c.DecoderHiddenDim = 20, 1, 16, 16, 24
	c.DecoderFFNEmbedDim, c.DecoderZDim, c.DecoderNDim, c.DecoderChunkSize = 24, 8, 4, 8
	c.RelPosBias, c.NormalizeBefore, c.ShareDecoderInputOutputEmbed = "rotary", true, true
	m, err := mega.NewLanguageModel(c)
	if err != nil {
		t.Fatal(err)
	}
	return byteSums{newSums(t, "layernorm"), m}
}

func (b byteSums) Params() *nn.Params { return b.model.Params() }

func (b byteSums) Epoch(n int) (train.Batches, error) {
	return train.BatchesOf(9, func(i int) ([]int32, error) {
		rng := rand.New(rand.NewPCG(uint64(n), uint64(i)))
		tokens := make([]int32, 2*17)
		for j := range tokens {
			tokens[j] = int32(4 + (j+rng.IntN(3))%12)
		}
		return tokens, nil
	}, func(t *autograd.Tape, x []int32) (train.Result, error) {
		in, targets := slices.Concat(x[:16], x[17:33]), slices.Concat(x[1:17], x[18:])
		loss, err := b.model.Loss(t, in, targets, 2, 16)
		return train.BatchStats(2, len(in), false).Result(loss, false), err
	}), nil
}

// TestModelsOnDevice holds trainings of real models on a device against those on the CPU:
// classifiers whose attention is in chunks, with padding and dropout, by layer norm and by
// batch norm, and a language model.
func TestModelsOnDevice(t *testing.T) {
	if testing.Short() {
		t.Skip("not in short mode")
	}
	for name, open := range map[string]func() train.Task{
		"layernorm": func() train.Task { return newSums(t, "layernorm") },
		"batchnorm": func() train.Task { return newSums(t, "batchnorm") },
		"language":  func() train.Task { return newByteSums(t) },
	} {
		t.Run(name, func(t *testing.T) {
			var learnt [2][]float32
			for i, on := range []device.Device{nil, devicetest.NewCounter(t)} {
				task, c := open(), deviceConfig(3)
				c.UpdateFreq = []int{1}
				if s, err := train.Run(context.Background(), task, c, train.Options{Device: on}); err != nil || s.Updates != 3 {
					t.Fatalf("%+v, %v", s, err)
				}
				for _, x := range task.Params().Tensors() {
					learnt[i] = append(learnt[i], x.Host()...)
				}
			}
			const bound = 1e-5 // of the largest number
			most, off := 0.0, 0.0
			for i, w := range learnt[0] {
				most, off = max(most, math.Abs(float64(w))), max(off, math.Abs(float64(learnt[1][i]-w)))
			}
			if t.Logf("off by %.2g of the largest", off/most); !(off <= bound*most) || most == 0 {
				t.Errorf("off by %.2g of the largest, want at most %g", off/most, bound)
			}
		})
	}
}

// TestCopiesOfAnUpdate: how much is copied to and from a device does not grow with the
// layers of a model, and what comes back is the losses of each batch and the squares of
// the gradients.
func TestCopiesOfAnUpdate(t *testing.T) {
	if testing.Short() {
		t.Skip("not in short mode")
	}
	copies := func(layers, updates int) (reads, writes int) {
		s := newSums(t, "layernorm")
		c := s.model.Config()
		c.EncoderLayers = layers
		var err error
		if s.model, err = mega.NewClassifier(c); err != nil {
			t.Fatal(err)
		}
		on := devicetest.NewCounter(t)
		s.onBatch = func(epoch, i int) {
			if epoch == 1 && i == 0 { // after the weights have gone over
				on.Reads, on.Writes = 0, 0
			}
		}
		if _, err := train.Run(context.Background(), s, deviceConfig(updates), train.Options{Device: on}); err != nil {
			t.Fatal(err)
		}
		return on.Reads, on.Writes
	}
	reads1, writes1 := copies(1, 1)
	reads2, writes2 := copies(2, 1)
	again, _ := copies(1, 2)
	if writes1 == 0 || writes1 != writes2 {
		t.Errorf("%d copies to a device with one layer, %d with two", writes1, writes2)
	}
	if got := again - reads1; got != 3 { // two batches and their gradients
		t.Errorf("%d copies from a device for an update of two batches, want 3", got)
	}
	t.Logf("an update of two batches: %d copies to a device; one layer reads %d, two %d", writes1, reads1, reads2)
}

// TestLoadOnDevice: parameters that are on a device are saved and read again as they are.
func TestLoadOnDevice(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	c := deviceConfig(1)
	c.NoSave = false
	s := newSums(t, "batchnorm")
	if _, err := train.Run(context.Background(), s, c, train.Options{Device: devicetest.NewCounter(t), Dir: dir}); err != nil {
		t.Fatal(err)
	}
	want := numbersOf(s.Params().Tensors())
	other := newSums(t, "batchnorm")
	if _, err := train.Run(context.Background(), other, c, train.Options{Dir: dir}); err == nil {
		t.Error("a finished run goes on")
	}
	if got := numbersOf(other.Params().Tensors()); !slices.Equal(got, want) {
		t.Error("the CPU reads other numbers than a device has saved")
	}
}

func numbersOf(tensors []*tensor.Tensor) (all []float32) {
	for _, x := range tensors {
		all = append(all, x.Host()...)
	}
	return all
}
