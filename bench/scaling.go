package bench

import (
	"math"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"slices"
	"time"

	"github.com/mega-go/mega/autograd"
	"github.com/mega-go/mega/internal/parallel"
	"github.com/mega-go/mega/tensor"
)

// Scaling is the workload of MeasureScaling.
const Scaling = "scaling"

// The lengths that MeasureScaling goes through by default.
const (
	ScalingShortest = 1 << 10
	ScalingLongest  = 1 << 18
)

// The sizes of its operations, those of a layer of lra-text: a bidirectional
// average, and attention within chunks.
const (
	scalingDim, scalingStates               = 128, 16
	scalingHidden, scalingZ, scalingSegment = 256, 64, 128
)

// A Scale is what an operation, forward and backward, costs at a length.
type Scale struct {
	Operation string  `json:"operation"`
	Length    int     `json:"length"`
	Nanos     float64 `json:"ns_per_token"`    // of the fastest run
	Bytes     float64 `json:"bytes_per_token"` // of operands, result and gradients
	PeakMiB   int     `json:"peak_mib"`        // most memory that the process had resident meanwhile
}

// scalingRounds is how often MeasureScaling goes through the lengths: so that
// what slows the machine down for a while does not tell on one of them alone.
const scalingRounds = 3

// MeasureScaling measures the moving average and attention in chunks, forward
// and backward, over one sequence of each length from shortest to longest, by
// doubling. It goes through the lengths of an operation three times, and calls
// report with the best of a length the last time.
func MeasureScaling(shortest, longest, reps int, report func(Scale) error) error {
	defer parallel.Shared.Hot()()
	for _, make := range []func(rng *rand.Rand, length int) operation{newAverage, newAttention} {
		best := map[int]Scale{}
		for round := range scalingRounds {
			for length := shortest; length <= longest; length *= 2 {
				s := make(rand.New(rand.NewPCG(0, 0)), length).scale(length, reps)
				if b, ok := best[length]; !ok || s.Nanos < b.Nanos {
					best[length] = s
				}
				if round < scalingRounds-1 {
					continue
				}
				if err := report(best[length]); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// An operation is one that is scaled: what it reads, and a run of it.
type operation struct {
	name   string
	inputs []*autograd.Variable
	apply  func(t *autograd.Tape) *autograd.Variable
}

// scale measures an operation, at least reps times and for half a second. The
// fastest run counts: it is the one that nothing else on the machine held up.
func (o operation) scale(length, reps int) Scale {
	debug.FreeOSMemory()
	forgetPeak()
	t := autograd.NewTrainingTape()
	run := func() time.Duration {
		for _, v := range o.inputs {
			v.ZeroGrad()
		}
		var p autograd.Profile
		t.SetProfile(&p)
		t.Backward(o.apply(t)) // the profile leaves out that it begins with a gradient of ones
		return p.Total()
	}
	run()
	best := run()
	for i, start := 1, time.Now(); i < reps || time.Since(start) < time.Second/2; i++ {
		best = min(best, run())
	}
	bytes := t.HeldBytes()
	for _, v := range o.inputs {
		bytes += 2 * 4 * tensor.Size(v.Shape())
	}
	tokens := float64(length)
	return Scale{
		Operation: o.name, Length: length, PeakMiB: peakMiB(),
		Nanos: round(float64(best)/tokens, 1), Bytes: math.Round(float64(bytes) / tokens),
	}
}

// newAverage is the moving average of one sequence.
func newAverage(rng *rand.Rand, length int) operation {
	const d, n = scalingDim, scalingStates
	x := normal(rng, 1, 1, length, d)
	p := autograd.EMAParameters{
		Delta: normal(rng, 0.2, 2*d, n, 1), Alpha: normal(rng, 0.2, 2*d, n, 1), Beta: normal(rng, 1, 2*d, n, 1),
		Gamma: normal(rng, 1, 2*d, n), Omega: normal(rng, 1, d),
	}
	return operation{"average", []*autograd.Variable{x, p.Delta, p.Alpha, p.Beta, p.Gamma, p.Omega},
		func(t *autograd.Tape) *autograd.Variable {
			return t.EMA(x, nil, p, autograd.EMAConfig{States: n, Bidirectional: true}, nil)
		}}
}

// newAttention is softmax attention within the chunks of one sequence.
func newAttention(rng *rand.Rand, length int) operation {
	const c = scalingSegment
	q, k := normal(rng, 1, length, scalingZ), normal(rng, 1, length, scalingZ)
	v, bias := normal(rng, 1, length, scalingHidden), normal(rng, 0.1, 2*c-1)
	return operation{"attention", []*autograd.Variable{q, k, v, bias},
		func(t *autograd.Tape) *autograd.Variable {
			return t.Attention(q, k, v, autograd.AttentionConfig{
				Queries: c, Keys: c, Scale: 1 / math.Sqrt(scalingZ), Bias: bias, BiasZero: c - 1,
			})
		}}
}

// normal returns a leaf of normally distributed numbers.
func normal(rng *rand.Rand, deviation float64, shape ...int) *autograd.Variable {
	x := tensor.New(shape...)
	x.Generate(func(int) float32 { return float32(deviation * rng.NormFloat64()) })
	return autograd.NewParameter(x)
}

// forgetPeak makes peakMiB count from now on, where the system lets a process
// do so.
func forgetPeak() {
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0)
}

// Spreads returns, for each operation, the greatest cost of a token over the
// least.
func Spreads(scales []Scale) []Scale {
	var spreads []Scale
	for _, operation := range operations(scales) {
		spread := Scale{Operation: operation}
		of := func(cost func(Scale) float64) float64 {
			least, most := math.Inf(1), 0.0
			for _, s := range scales {
				if s.Operation == operation {
					least, most = min(least, cost(s)), max(most, cost(s))
				}
			}
			return most / least
		}
		spread.Nanos, spread.Bytes = of(Scale.nanos), of(Scale.bytes)
		spreads = append(spreads, spread)
	}
	return spreads
}

// operations lists those that were scaled.
func operations(scales []Scale) []string {
	var names []string
	for _, s := range scales {
		if !slices.Contains(names, s.Operation) {
			names = append(names, s.Operation)
		}
	}
	return names
}

func (s Scale) nanos() float64 { return s.Nanos }
func (s Scale) bytes() float64 { return s.Bytes }
