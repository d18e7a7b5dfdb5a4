package task

import (
	"context"
	"math"
	"testing"

	"github.com/mega-go/mega/autograd"
	"github.com/mega-go/mega/checkpoint"
	"github.com/mega-go/mega/checkpoint/safetensors"
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
	return train.Result{Loss: l.Variable, Stats: train.Stats{Loss: l.Sum, SampleSize: b.size, Tokens: b.size}}, nil
}

// TestGoesOnWhereFairseqStopped does one update from a training checkpoint of the
// reference and compares every weight with the formulas of its optimiser
// (optim/adam.py:141) in float64, from the moments, the step, the learning rate
// and the gradient that the reference computed for the same weights and batch.
func TestGoesOnWhereFairseqStopped(t *testing.T) {
	const updates, warmup, total, peak = 120, 20, 200, 0.005
	golden := openGolden(t, "lm_enwik8")
	params, loss := goldenModel(t, "lm_enwik8", golden)
	for _, q := range params.All() {
		clear(q.Value().Data())
	}
	c, err := checkpoint.Open("../checkpoint/torchfile/testdata/lm_enwik8_checkpoint_last.pt")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := checkpoint.LoadParams(params, c.Weights); err != nil {
		t.Fatal(err)
	}
	start, err := c.TrainingState(params)
	if err != nil {
		t.Fatal(err)
	}
	rate := peak * (total - updates) / (total - warmup) // linear_decay_schedule.py:73
	if start.Updates != updates || start.Epoch != 1 || start.Offset != 120 || start.Adam.Steps != 120 || math.Abs(start.Adam.LR-rate) > 1e-15 {
		t.Fatalf("the run stood at %+v, adam %+v", *start, *start.Adam)
	}
	size := float64(float32s(t, golden, "b0.eval.sample_size")[0])
	want := nextWeights(t, params, start.Adam, golden, size, rate)

	config := train.DefaultConfig()
	config.MaxUpdate, config.ClipNorm, config.WeightDecay, config.AdamBetas = updates+1, 0.25, 0.1, [2]float64{0.9, 0.98}
	config.LRScheduler, config.LR, config.WarmupUpdates, config.WarmupInitLR, config.TotalNumUpdate = "linear_decay", []float64{peak}, warmup, 1e-7, total
	var taken []int
	summary, err := train.Run(context.Background(), oneBatch{params, loss, size, &taken}, config, train.Options{Start: start})
	if err != nil {
		t.Fatal(err)
	}
	if summary.Updates != updates+1 || summary.Epoch != 1 || taken[0] != 120 {
		t.Errorf("went to update %d of epoch %d from batch %d on", summary.Updates, summary.Epoch, taken[0])
	}
	for _, q := range params.All() {
		difference, moved := 0.0, 0.0
		for i, w := range want[q.Name] {
			difference = math.Max(difference, math.Abs(float64(q.Value().Data()[i])-w.after))
			moved = math.Max(moved, math.Abs(w.after-w.before))
		}
		// A step's size follows the gradient's last digits where moments are
		// near zero.
		if difference > 5e-4*moved {
			t.Errorf("%s: off by %.3g of a step of %.3g", q.Name, difference, moved)
		}
	}
}

type weight struct{ before, after float64 }

// nextWeights computes the weights after one update by hand.
func nextWeights(t *testing.T, params *nn.Params, adam *checkpoint.Adam, golden *safetensors.Reader, size, rate float64) map[string][]weight {
	t.Helper()
	const beta1, beta2, eps, decay, clip = 0.9, 0.98, 1e-8, 0.1, 0.25
	grads := make(map[string][]float32)
	squares := 0.0
	for _, q := range params.All() {
		grads[q.Name] = float32s(t, golden, "b0.train.grad."+q.Name)
		squares += square(grads[q.Name])
	}
	scale := math.Min(1, clip/(math.Sqrt(squares)/size+1e-6)) / size
	step := float64(adam.Steps + 1)
	stepSize := rate * math.Sqrt(1-math.Pow(beta2, step)) / (1 - math.Pow(beta1, step))
	next := make(map[string][]weight)
	for _, q := range params.All() {
		m, v := moment(t, adam, q, ".exp_avg"), moment(t, adam, q, ".exp_avg_sq")
		for i, w := range q.Value().Data() {
			g := float64(grads[q.Name][i]) * scale
			m := beta1*float64(m[i]) + (1-beta1)*g
			v := beta2*float64(v[i]) + (1-beta2)*g*g
			after := float64(w)*(1-decay*rate) - stepSize*m/(math.Sqrt(v)+eps)
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
