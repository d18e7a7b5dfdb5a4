package mega_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/mega-go/mega"
	"github.com/mega-go/mega/autograd"
	"github.com/mega-go/mega/internal/kernel"
	"github.com/mega-go/mega/internal/parallel"
	"github.com/mega-go/mega/nn"
)

// bits returns everything that a step changes: gradients and running statistics.
func bits(p *nn.Params) []uint32 {
	var out []uint32
	add := func(x []float32) {
		for _, v := range x {
			out = append(out, math.Float32bits(v))
		}
	}
	for _, q := range p.All() {
		add(q.Grad().Data())
	}
	for _, b := range p.Buffers() {
		add(b.Data())
	}
	return out
}

// wideConfig is a classifier whose batches are cut into several tasks by every
// operation, with all dropouts.
func wideConfig(norm, attention string) mega.ClassifierConfig {
	c := textConfig()
	c.EncoderEmbedDim, c.EncoderHiddenDim, c.EncoderFFNEmbedDim, c.ZDim = 48, 72, 80, 16
	c.ClassifierInDim, c.MaxPositions, c.ChunkSize, c.TruncationLength = 48, 256, 64, 50
	c.NormType, c.AttentionActivationFn = norm, attention
	c.Dropout, c.AttentionDropout, c.ActDropout = 0.1, 0.1, 0.1
	return c
}

// TestWorkersAgree: a training step gives the same numbers bit for bit on any
// number of workers.
func TestWorkersAgree(t *testing.T) {
	forEachKernel(t, func(t *testing.T) {
		for norm, attention := range map[string]string{"batchnorm": "laplace", "layernorm": "softmax", "scalenorm": "relu2", "rmsnorm": "softmax"} {
			if kernel.Current() == kernel.Generic && norm != "batchnorm" {
				continue // too slow for all
			}
			c := wideConfig(norm, attention)
			c.FeatureDropout = norm == "rmsnorm"
			m := newClassifier(t, c)
			in, labels := batchOf(7, 3, 190, c)
			restore := keepBuffers(m.Params())
			var want []uint32
			var loss float64
			for _, workers := range []int{1, 2, 3, 5} {
				restore()
				tape := autograd.NewTrainingTape()
				tape.SetWorkers(autograd.NewWorkers(workers))
				l := step(t, m, tape, in, labels)
				if workers == 1 {
					want, loss = bits(m.Params()), l
				} else if l != loss || !slices.Equal(bits(m.Params()), want) {
					t.Errorf("%s: other numbers with %d workers than with one", norm, workers)
				}
			}
		}
	})
}

// batchOf returns a batch of texts of different lengths with labels.
func batchOf(seed uint64, rows, length int, c mega.ClassifierConfig) (*mega.Input, []int32) {
	rng := rand.New(rand.NewPCG(seed, 41))
	in := &mega.Input{Rows: rows, Length: length}
	in.Tokens, in.Lengths = randomText(rng, rows, length, c.VocabSize, false)
	labels := make([]int32, rows)
	for i := range labels {
		labels[i] = int32(rng.IntN(c.SentenceClassNum))
	}
	return in, labels
}

// step runs one training step of a classifier and returns the loss.
func step(t testing.TB, m *mega.Classifier, tape *autograd.Tape, in *mega.Input, labels []int32) float64 {
	t.Helper()
	m.Params().ZeroGrad()
	tape.SetSeed(19)
	l, err := m.Loss(tape, in, labels)
	if err != nil {
		t.Fatal(err)
	}
	tape.Backward(l.Variable)
	return l.Host().Sum
}

// TestStepsReuseMemory: after a round of lengths neither training nor inference
// takes more memory, and what a step leaves to the garbage collector is little
// beside its activations.
func TestStepsReuseMemory(t *testing.T) {
	skipUnderRace(t)
	c := wideConfig("layernorm", "softmax")
	m := newClassifier(t, c)
	lengths := []int{256, 200, 64, 30, 1, 130, 255}
	train, infer := autograd.NewTrainingTape(), autograd.NewTape()
	round := func() {
		for i, l := range lengths {
			in, labels := batchOf(uint64(i), 3, l, c)
			step(t, m, train, in, labels)
			if _, err := m.Forward(infer, in); err != nil {
				t.Fatal(err)
			}
			infer.Reset()
		}
	}
	round()
	trained, inferred := train.HeldBytes(), infer.HeldBytes()
	for range 3 {
		round()
	}
	if train.HeldBytes() != trained || infer.HeldBytes() != inferred {
		t.Errorf("training holds %d bytes after the first round and %d later, inference %d and %d",
			trained, train.HeldBytes(), inferred, infer.HeldBytes())
	}
	in, labels := batchOf(1, 3, 256, c)
	garbage := bytesPerRun(10, func() { step(t, m, train, in, labels) })
	t.Logf("a step holds %d bytes and leaves %d to the garbage collector", trained, garbage)
	if garbage > uint64(trained/20) {
		t.Errorf("a step leaves %d bytes to the garbage collector and holds %d", garbage, trained)
	}
}

// skipUnderRace skips a test of what is allocated where pools forget.
func skipUnderRace(t *testing.T) {
	t.Helper()
	if raceEnabled {
		t.Skip("the race detector makes pools forget")
	}
}

// bytesPerRun returns how many bytes f allocates on average.
func bytesPerRun(runs int, f func()) uint64 {
	f()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range runs {
		f()
	}
	runtime.ReadMemStats(&after)
	return (after.TotalAlloc - before.TotalAlloc) / uint64(runs)
}

// TestStepAllocations: a step makes a bounded number of small allocations, which
// depends on the layers and neither on lengths nor on how many steps came before.
func TestStepAllocations(t *testing.T) {
	skipUnderRace(t)
	c := wideConfig("layernorm", "softmax")
	m, tape := newClassifier(t, c), autograd.NewTrainingTape()
	count := func(length int) float64 {
		in, labels := batchOf(1, 3, length, c)
		return testing.AllocsPerRun(5, func() { step(t, m, tape, in, labels) })
	}
	long := count(256)
	short := count(64)
	for range 5 {
		count(64)
	}
	again := count(256)
	t.Logf("%g allocations at length 256, %g at 64, %g later", long, short, again)
	if again > long+2 {
		t.Errorf("%g allocations a step at first, %g later", long, again)
	}
	const perBlock, rest = 600, 200
	if limit := float64(perBlock*c.EncoderLayers + rest); long > limit {
		t.Errorf("%g allocations a step, want at most %g", long, limit)
	}
	if long > 1.2*short {
		t.Errorf("%g allocations at length 256, %g at length 64", long, short)
	}
}

// TestInferenceMemoryOfDepth: inference holds the memory of a layer, not of all.
func TestInferenceMemoryOfDepth(t *testing.T) {
	held := func(layers int) int {
		c := wideConfig("layernorm", "softmax")
		c.EncoderLayers = layers
		in, _ := batchOf(1, 3, 256, c)
		tape := autograd.NewTape()
		if _, err := newClassifier(t, c).Forward(tape, in); err != nil {
			t.Fatal(err)
		}
		return tape.HeldBytes()
	}
	if two, eight := held(2), held(8); eight > two {
		t.Errorf("%d bytes for two layers, %d for eight", two, eight)
	}
}

// layerOf returns the number of the layer that a parameter belongs to, or -1.
func layerOf(name string) int {
	for i := range 2 {
		if strings.Contains(name, fmt.Sprintf(".layers.%d.", i)) {
			return i
		}
	}
	return -1
}

// TestFrozenLayers freezes the embedding and then layer by layer: the gradients
// of the others stay as they are, and less memory is held.
func TestFrozenLayers(t *testing.T) {
	c := wideConfig("scalenorm", "softmax")
	m, tape := newClassifier(t, c), autograd.NewTrainingTape()
	in, labels := batchOf(3, 3, 100, c)
	step(t, m, tape, in, labels)
	want := map[string][]float32{}
	for _, q := range m.Params().All() {
		want[q.Name] = slices.Clone(q.Grad().Data())
	}
	all := tape.HeldBytes()
	for frozen := range 3 { // the embedding, and then the first layers
		for i, q := range m.Params().All() {
			if i == 0 || layerOf(q.Name) >= 0 && layerOf(q.Name) < frozen {
				q.SetTrainable(false)
			}
		}
		tape = autograd.NewTrainingTape()
		step(t, m, tape, in, labels)
		for i, q := range m.Params().All() {
			switch {
			case i == 0 || layerOf(q.Name) >= 0 && layerOf(q.Name) < frozen:
				if q.Grad() != nil {
					t.Errorf("%s is frozen and has a gradient", q.Name)
				}
			case !slices.Equal(q.Grad().Data(), want[q.Name]):
				t.Errorf("%d layers frozen: another gradient of %s", frozen, q.Name)
			}
		}
	}
	if tape.HeldBytes() > all/2 {
		t.Errorf("%d bytes with all layers frozen, %d with none", tape.HeldBytes(), all)
	}
}

// TestTapeComputesOnItsWorkers: a step on a tape that has one worker starts none
// of the process's.
func TestTapeComputesOnItsWorkers(t *testing.T) {
	defer parallel.SetWorkers(0)
	for norm, attention := range map[string]string{"batchnorm": "laplace", "layernorm": "softmax", "scalenorm": "relu2"} {
		c := wideConfig(norm, attention)
		m := newClassifier(t, c)
		in, labels := batchOf(7, 3, 190, c)
		for _, own := range []int{1, 3} {
			parallel.SetWorkers(3) // whose goroutines start at the first call
			runtime.GC()
			before := runtime.NumGoroutine()
			tape := autograd.NewTrainingTape()
			tape.SetWorkers(autograd.NewWorkers(own))
			step(t, m, tape, in, labels)
			if started := runtime.NumGoroutine() - before; started > own-1 {
				t.Errorf("%s: %d goroutines started, want %d", norm, started, own-1)
			}
			runtime.KeepAlive(tape)
		}
	}
}
