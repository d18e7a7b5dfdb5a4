package train_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"github.com/mega-go/mega"
	"github.com/mega-go/mega/autograd"
	"github.com/mega-go/mega/nn"
	"github.com/mega-go/mega/train"
)

// sums is a task of a real classifier: whether more than half of the digits of
// a sequence are large. Batches differ in length.
type sums struct {
	model   *mega.Classifier
	onBatch func(epoch, i int)
}

func newSums(t *testing.T, normType string) *sums {
	t.Helper()
	c, err := mega.ClassifierArch("mega_lra_imdb")
	if err != nil {
		t.Fatal(err)
	}
	c.VocabSize, c.MaxPositions, c.SentenceClassNum, c.ChunkSize, c.TruncationLength = 14, 32, 2, 8, 0
	c.EncoderLayers, c.EncoderEmbedDim, c.EncoderHiddenDim, c.EncoderFFNEmbedDim, c.ZDim, c.NDim = 1, 16, 24, 24, 8, 4
	c.ClassifierInDim, c.ClassifierOutDim = 16, 16
	c.NormType, c.AttentionActivationFn, c.Dropout, c.AttentionDropout = normType, "softmax", 0.1, 0.1
	m, err := mega.NewClassifier(c)
	if err != nil {
		t.Fatal(err)
	}
	return &sums{model: m}
}

func (s *sums) Params() *nn.Params { return s.model.Params() }

func (s *sums) Describe() train.Description {
	return train.Description{Task: "classification", Model: s.model.Config(), Metrics: []string{"loss", "accuracy"}}
}

func (s *sums) Metrics(x train.Stats) train.Metrics {
	return train.Metrics{"loss": x.LossBase2(), "accuracy": x.Accuracy()}
}

func (s *sums) Epoch(n int) (train.Batches, error) { return sumsEpoch{s, n}, nil }

func (s *sums) Validate(ctx context.Context, e *train.Evaluator) (train.Metrics, error) {
	x, err := e.Run(ctx, sumsEpoch{s, 0})
	return s.Metrics(x), err
}

type sumsEpoch struct {
	task  *sums
	epoch int
}

func (e sumsEpoch) Len() int { return 9 }

func (e sumsEpoch) Batch(i int) (train.Batch, error) {
	const rows = 4
	rng := rand.New(rand.NewPCG(uint64(e.epoch), uint64(i)))
	b := sumsBatch{sumsEpoch: e, i: i, input: mega.Input{Rows: rows, Length: 9 + rng.IntN(20)}}
	for range rows {
		n := b.input.Length - rng.IntN(5)
		large := 0
		for k := range b.input.Length {
			token := int32(1) // padding
			if k < n {
				digit := rng.IntN(10)
				large += digit / 5
				token = int32(4 + digit)
			}
			b.input.Tokens = append(b.input.Tokens, token)
		}
		b.input.Lengths = append(b.input.Lengths, int32(n))
		b.labels = append(b.labels, int32(2*large/(n+1)))
	}
	return b, nil
}

type sumsBatch struct {
	sumsEpoch
	i      int
	input  mega.Input
	labels []int32
}

func (b sumsBatch) Loss(t *autograd.Tape) (train.Result, error) {
	if b.epoch > 0 && b.task.onBatch != nil {
		b.task.onBatch(b.epoch, b.i)
	}
	loss, err := b.task.model.Loss(t, &b.input, b.labels)
	if err != nil {
		return train.Result{}, err
	}
	n := float64(b.input.Rows)
	return train.Result{Loss: loss.Variable, Host: func() train.Stats {
		l := loss.Host()
		return train.Stats{Loss: l.Sum, SampleSize: n, Correct: float64(l.Correct), Sentences: n, Tokens: n * float64(b.input.Length)}
	}}, nil
}

func sumsConfig(updates int) train.Config {
	c := train.DefaultConfig()
	c.MaxUpdate, c.UpdateFreq, c.LogInterval, c.ClipNorm = updates, []int{2}, 10, 1
	c.LR, c.WarmupUpdates, c.AdamBetas, c.WeightDecay = []float64{0.01}, 5, [2]float64{0.9, 0.98}, 0.01
	return c
}

// bits returns everything that a model carries.
func bits(p *nn.Params) []uint32 {
	var out []uint32
	add := func(data []float32) {
		for _, v := range data {
			out = append(out, math.Float32bits(v))
		}
	}
	for _, q := range p.All() {
		add(q.Value().Data())
	}
	for _, b := range p.Buffers() {
		add(b.Data())
	}
	return out
}

// TestClassifierResumesBitForBit trains 40 updates at once with one worker, and
// 17 and then the rest with another number of workers.
func TestClassifierResumesBitForBit(t *testing.T) {
	for _, norm := range []string{"layernorm", "batchnorm"} {
		whole := newSums(t, norm)
		if _, err := train.Run(context.Background(), whole, sumsConfig(40), train.Options{Workers: autograd.NewWorkers(1)}); err != nil {
			t.Fatal(err)
		}
		want := bits(whole.Params())
		dir := filepath.Join(t.TempDir(), "run")
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		first := newSums(t, norm)
		first.onBatch = func(epoch, i int) {
			if (epoch-1)*5+i/2 == 16 { // five updates in an epoch of nine batches
				cancel()
			}
		}
		s, err := train.Run(ctx, first, sumsConfig(40), train.Options{Dir: dir, Workers: autograd.NewWorkers(2)})
		if !errors.Is(err, train.ErrInterrupted) || s.Updates != 17 {
			t.Fatalf("%s: %d updates, error %v", norm, s.Updates, err)
		}
		second := newSums(t, norm)
		if s, err := train.Run(context.Background(), second, sumsConfig(40), train.Options{Dir: dir, Workers: autograd.NewWorkers(2)}); err != nil || s.Updates != 40 {
			t.Fatalf("%s: %d updates, error %v", norm, s.Updates, err)
		}
		if !slices.Equal(bits(second.Params()), want) {
			t.Errorf("%s: weights differ", norm)
		}
	}
}

// TestClassifierHeapDoesNotGrow holds the heap after 50 updates against that
// after 500.
func TestClassifierHeapDoesNotGrow(t *testing.T) {
	task := newSums(t, "scalenorm")
	var early, late uint64
	task.onBatch = func(epoch, i int) {
		switch (epoch-1)*9 + i {
		case 50:
			early = train.LiveHeap()
		case 500:
			late = train.LiveHeap()
		}
	}
	c := sumsConfig(502)
	c.UpdateFreq, c.ValidateInterval = []int{1}, 10
	if _, err := train.Run(context.Background(), task, c, train.Options{}); err != nil {
		t.Fatal(err)
	}
	train.CheckHeap(t, early, late)
}
