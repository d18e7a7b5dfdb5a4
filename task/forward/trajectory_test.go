package forward

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mega-go/mega/autograd"
	"github.com/mega-go/mega/checkpoint"
	"github.com/mega-go/mega/format/safetensors"
	"github.com/mega-go/mega/nn"
	"github.com/mega-go/mega/train"
)

// TestGoldenTrajectory repeats eight updates of the reference from the same
// weights on the same batch: loss and learning rate of each within 1e-5, the
// gradient's norm within 5e-5, and the weights afterwards.
func TestGoldenTrajectory(t *testing.T) {
	for _, name := range goldenCases {
		if _, ok := openGolden(t, name).Info("trajectory.loss_gnorm_lr"); ok {
			t.Run(name, func(t *testing.T) {
				forEachKernel(t, func(t *testing.T) { checkTrajectory(t, name) })
			})
		}
	}
}

// noise lists parameters whose gradient is zero in exact arithmetic: a key's
// bias shifts all scores of a row alike, and what is added to all rows ahead of
// a batch norm is taken off again. The reference's Adam walks them on rounding
// noise.
var noise = map[string][]string{
	"mt_wmt":          {"cross_attn.k_proj.bias"},
	"lra_image":       {"nffn.fc2.bias"},
	"speech_commands": {"nffn.fc2.bias"},
}

func checkTrajectory(t *testing.T, name string) {
	golden := openGolden(t, name)
	want := float64s(t, golden, "trajectory.loss_gnorm_lr")
	params, step := goldenStep(t, name, golden)
	for i := range len(want) / 3 {
		loss, norm, rate := step(i)
		for j, got := range []float64{loss, norm, rate} {
			if w := want[3*i+j]; math.Abs(got-w) > []float64{1e-5, 5e-5, 1e-5}[j]*math.Abs(w) {
				t.Errorf("update %d: %s = %.9g, want %.9g", i+1, []string{"loss", "gradient norm", "learning rate"}[j], got, w)
			}
		}
	}
	for _, p := range params.All() {
		if contains(noise[name], p.Name) || !hasTensor(golden, "trajectory.final."+p.Name) {
			continue
		}
		final := float32s(t, golden, "trajectory.final."+p.Name)
		if d := distance(p.Value().Data(), final); d > 1e-4*math.Sqrt(square(final))+1e-5 {
			t.Errorf("final %s: off by %.3g of %.3g", p.Name, d, math.Sqrt(square(final)))
		}
	}
}

func contains(endings []string, name string) bool {
	for _, e := range endings {
		if strings.HasSuffix(name, e) {
			return true
		}
	}
	return false
}

func hasTensor(r *safetensors.Reader, name string) bool {
	_, ok := r.Info(name)
	return ok
}

// goldenStep returns a case's parameters and a function that does its update i,
// from 0, and returns the loss per sample, the gradient's norm and the rate.
func goldenStep(t *testing.T, name string, golden *safetensors.Reader) (*nn.Params, func(i int) (loss, norm, rate float64)) {
	t.Helper()
	var args struct {
		LR         []float64 `json:"lr"`
		Clip       float64   `json:"clip_norm"`
		Decay      float64   `json:"weight_decay"`
		Warmup     int       `json:"warmup_updates"`
		WarmupInit float64   `json:"warmup_init_lr"`
		Total      int       `json:"total_num_update"`
		End        float64   `json:"end_learning_rate"`
	}
	text, err := os.ReadFile(filepath.Join(goldenDir(name), "args.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &args); err != nil {
		t.Fatal(err)
	}
	config := train.DefaultConfig()
	config.LRScheduler, config.LR, config.WarmupUpdates = "linear_decay", args.LR, args.Warmup
	config.WarmupInitLR, config.TotalNumUpdate, config.EndLearningRate = args.WarmupInit, args.Total, args.End
	schedule, err := config.Schedule(0)
	if err != nil {
		t.Fatal(err)
	}
	params, forward := goldenModel(t, name, golden)
	adam := train.NewAdam(params, train.AdamConfig{Betas: [2]float64{0.9, 0.98}, Eps: 1e-8, WeightDecay: args.Decay})
	size := float64(float32s(t, golden, "b0.eval.sample_size")[0])
	tape := autograd.NewTrainingTape()
	return params, func(i int) (loss, norm, rate float64) {
		params.ZeroGrad()
		l := forward(tape)
		tape.Backward(l.Variable)
		if err := adam.Gather(); err != nil {
			t.Fatal(err)
		}
		norm = adam.Norm() / size
		rate = schedule.Rate(i, 1)
		adam.Step(rate, train.ClipScale(norm, args.Clip)/size)
		return l.Host().Sum / size, norm, rate
	}
}

// goldenModel returns a case's model without dropout and its loss on batch b0.
func goldenModel(t *testing.T, name string, golden *safetensors.Reader) (*nn.Params, func(*autograd.Tape) autograd.Loss) {
	t.Helper()
	c, err := checkpoint.Open(goldenDir(name))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	f := runner{reader: golden, options: Options{Prefix: "b0."}}
	params, pass, err := f.model(c)
	if err != nil {
		t.Fatal(err)
	}
	return params, func(tape *autograd.Tape) autograd.Loss {
		f.tape = tape
		tape.NoDropout()
		if err := pass(); err != nil {
			t.Fatal(err)
		}
		return f.loss
	}
}
