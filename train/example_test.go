package train_test

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/mega-go/mega/autograd"
	"github.com/mega-go/mega/nn"
	"github.com/mega-go/mega/tensor"
	"github.com/mega-go/mega/train"
)

// sides is a task of its own making: on which side of a line a point lies.
type sides struct {
	params *nn.Params
	linear *nn.Linear
}

func newSides() *sides {
	params := nn.NewParams(1)
	return &sides{params, nn.NewLinear(params.Root(), 2, 2, true, nn.XavierUniform)}
}

func (s *sides) Params() *nn.Params { return s.params }

func (s *sides) Describe() train.Description {
	return train.Description{Task: "sides", Metrics: []string{"loss", "accuracy"}}
}

func (s *sides) Metrics(sum train.Stats) train.Metrics {
	return train.Metrics{"loss": sum.LossBase2(), "accuracy": sum.Accuracy()}
}

func (s *sides) Epoch(n int) (train.Batches, error) { return points{s, n}, nil }

func (s *sides) Validate(ctx context.Context, e *train.Evaluator) (train.Metrics, error) {
	sum, err := e.Run(ctx, points{s, 0}) // epoch 0 is never trained on
	return s.Metrics(sum), err
}

// points are the batches of an epoch, drawn from its number.
type points struct {
	task  *sides
	epoch int
}

func (p points) Len() int { return 10 }

func (p points) Batch(i int) (train.Batch, error) {
	rng := rand.New(rand.NewPCG(uint64(p.epoch), uint64(i)))
	b := batch{task: p.task, x: tensor.New(16, 2), side: make([]int32, 16)}
	for r := range b.side {
		x, y := rng.Float32()-0.5, rng.Float32()-0.5
		copy(b.x.Row(r), []float32{x, y})
		if x > 2*y {
			b.side[r] = 1
		}
	}
	return b, nil
}

type batch struct {
	task *sides
	x    *tensor.Tensor
	side []int32
}

func (b batch) Loss(t *autograd.Tape) (train.Result, error) {
	scores := b.task.linear.Forward(t, autograd.NewConstant(b.x), autograd.Identity)
	loss := t.CrossEntropy(scores, b.side, -1, 0)
	n := float64(len(b.side))
	return train.Result{Loss: loss.Variable, Host: func() train.Stats {
		l := loss.Host()
		return train.Stats{Loss: l.Sum, SampleSize: n, Correct: float64(l.Correct), Sentences: n, Tokens: n}
	}}, nil
}

// Train a task of your own: implement train.Task and call train.Run.
func ExampleRun() {
	config := train.DefaultConfig()
	config.MaxUpdate = 100
	config.LRScheduler, config.LR = "cosine", []float64{0.1}
	config.BestCheckpointMetric, config.MaximizeBestCheckpointMetric = "accuracy", true
	summary, err := train.Run(context.Background(), newSides(), config, train.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%d updates, better than 95%%: %t\n", summary.Updates, summary.Best > 95)
	// Output: 100 updates, better than 95%: true
}
