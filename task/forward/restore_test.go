package forward

import (
	"context"
	"math"
	"testing"

	"github.com/mega-go/mega/autograd"
	"github.com/mega-go/mega/checkpoint"
	"github.com/mega-go/mega/format/safetensors"
	"github.com/mega-go/mega/nn"
	"github.com/mega-go/mega/train"
)

// oneBatch is a task whose every batch is a golden one.
type oneBatch struct {
	params *nn.Params
	loss   func(t *autograd.Tape) autograd.Loss
	size   float64
	taken  *[]int // the batches that were asked for
}

func (b oneBatch) Params() *nn.Params { return b.params }

func (b oneBatch) Epoch(int) (train.Batches, error) { return b, nil }

func (b oneBatch) Metrics(s train.Stats) train.Metrics { return train.Metrics{"loss": s.LossBase2()} }

func (b oneBatch) Validate(context.Context, *train.Evaluator) (train.Metrics, error) {
	return train.Metrics{"loss": 1}, nil
}

func (b oneBatch) Describe() train.Description {
	return train.Description{Task: checkpoint.LanguageModelling, Model: 1, Data: 1, Metrics: []string{"loss"}}
}

func (b oneBatch) Len() int { return 200 }

func (b oneBatch) Batch(i int) (train.Batch, error) {
	*b.taken = append(*b.taken, i)
	return b, nil
}

func (b oneBatch) Loss(t *autograd.Tape) (train.Result, error) {
	l := b.loss(t)
	return train.Result{Loss: l.Variable, Host: func() train.Stats {
		return train.Stats{Loss: l.Host().Sum, SampleSize: b.size, Tokens: b.size}
	}}, nil
}

// A stopped is a training checkpoint of the reference, with what its arguments
// say of the optimiser and where it stood.
type stopped struct {
	file, golden                    string
	updates, epoch, offset          int
	warmup, total                   float64 // of linear_decay
	peak, clip, decay, beta1, beta2 float64
}

var stoppedRuns = []stopped{
	{"lm_enwik8_checkpoint_last.pt", "lm_enwik8", 120, 1, 120, 20, 200, 0.005, 0.25, 0.1, 0.9, 0.98},
	{"lra_text_legacy.pt", "lra_text", 40, 5, 0, 10, 60, 0.004, 1, 0.01, 0.9, 0.98},
}

// rate is the learning rate of the next update (linear_decay_schedule.py:73).
func (s stopped) rate() float64 {
	return s.peak * (s.total - float64(s.updates)) / (s.total - s.warmup)
}

func (s stopped) config() train.Config {
	c := train.DefaultConfig()
	c.MaxUpdate, c.ClipNorm, c.WeightDecay, c.AdamBetas = s.updates+1, s.clip, s.decay, [2]float64{s.beta1, s.beta2}
	c.LRScheduler, c.LR, c.WarmupUpdates, c.WarmupInitLR, c.TotalNumUpdate = "linear_decay", []float64{s.peak}, int(s.warmup), 1e-7, int(s.total)
	return c
}

// TestGoesOnWhereFairseqStopped does one update from training checkpoints of the
// reference and compares every weight with the formulas of its optimiser
// (optim/adam.py:141) in float64, from the moments, the step, the learning rate
// and the gradient that the reference computed for the same weights and batch.
func TestGoesOnWhereFairseqStopped(t *testing.T) {
	for _, s := range stoppedRuns {
		t.Run(s.golden, func(t *testing.T) { goOn(t, s) })
	}
}

func goOn(t *testing.T, s stopped) {
	golden := openGolden(t, s.golden)
	params, loss := goldenModel(t, s.golden, golden)
	for _, q := range params.All() {
		clear(q.Value().Data())
	}
	c := openModel(t, referenceFiles+s.file)
	if err := checkpoint.LoadParams(params, c.Weights); err != nil {
		t.Fatal(err)
	}
	start, err := c.TrainingState(params, checkpoint.Reset{})
	if err != nil {
		t.Fatal(err)
	}
	if start.Updates != s.updates || start.Epoch != s.epoch || start.Offset != s.offset ||
		start.Adam.Steps != s.updates || math.Abs(start.Adam.LR-s.rate()) > 1e-15 {
		t.Fatalf("the run stood at %+v, adam %+v", *start, *start.Adam)
	}
	size := float64(float32s(t, golden, "b0.eval.sample_size")[0])
	want := nextWeights(t, params, start.Adam, golden, size, s)

	var taken []int
	summary, err := train.Run(context.Background(), oneBatch{params, loss, size, &taken}, s.config(), train.Options{Start: start})
	if err != nil {
		t.Fatal(err)
	}
	if summary.Updates != s.updates+1 || summary.Epoch != s.epoch || taken[0] != s.offset {
		t.Errorf("went to update %d of epoch %d from batch %d on", summary.Updates, summary.Epoch, taken[0])
	}
	for _, q := range params.All() {
		difference, moved, largest := 0.0, 0.0, 0.0
		for i, w := range want[q.Name] {
			difference = math.Max(difference, math.Abs(float64(q.Value().Data()[i])-w.after))
			moved, largest = math.Max(moved, math.Abs(w.after-w.before)), math.Max(largest, math.Abs(w.after))
		}
		// A step's size follows the gradient's last digits where moments are
		// near zero; a weight is rounded twice, for decay and for the step.
		if difference > 5e-4*moved+0x1p-23*largest {
			t.Errorf("%s: off by %.3g of a step of %.3g", q.Name, difference, moved)
		}
	}
}

type weight struct{ before, after float64 }

// nextWeights computes the weights after one update by hand.
func nextWeights(t *testing.T, params *nn.Params, adam *checkpoint.Adam, golden *safetensors.Reader, size float64, s stopped) map[string][]weight {
	t.Helper()
	const eps = 1e-8
	grads := make(map[string][]float32)
	squares := 0.0
	for _, q := range params.All() {
		grads[q.Name] = float32s(t, golden, "b0.train.grad."+q.Name)
		squares += square(grads[q.Name])
	}
	scale := math.Min(1, s.clip/(math.Sqrt(squares)/size+1e-6)) / size
	step := float64(adam.Steps + 1)
	stepSize := s.rate() * math.Sqrt(1-math.Pow(s.beta2, step)) / (1 - math.Pow(s.beta1, step))
	next := make(map[string][]weight)
	for _, q := range params.All() {
		m, v := moment(t, adam, q, ".exp_avg"), moment(t, adam, q, ".exp_avg_sq")
		for i, w := range q.Value().Data() {
			g := float64(grads[q.Name][i]) * scale
			m := s.beta1*float64(m[i]) + (1-s.beta1)*g
			v := s.beta2*float64(v[i]) + (1-s.beta2)*g*g
			after := float64(w)*(1-s.decay*s.rate()) - stepSize*m/(math.Sqrt(v)+eps)
			next[q.Name] = append(next[q.Name], weight{float64(w), after})
		}
	}
	return next
}

func moment(t *testing.T, adam *checkpoint.Adam, q *nn.Parameter, suffix string) []float32 {
	t.Helper()
	out := make([]float32, q.Value().Len())
	if err := adam.Moments.Float32Into(q.Name+suffix, out); err != nil {
		t.Fatal(err)
	}
	return out
}
