package kernel

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/mega-go/mega/internal/parallel"
)

// emaBenchmarks are averages of real presets: Long Range Arena's text and
// ListOps, Speech Commands, a language model's training and decoding; and one
// sequence, short and long.
var emaBenchmarks = []struct {
	name          string
	shape         EMAShape
	batch, length int
}{
	{"causal/64", EMAShape{Channels: 64, States: 16}, 4, 1024},
	{"both/80", EMAShape{Channels: 80, States: 16, Bidirectional: true}, 2, 2000},
	{"both/60", EMAShape{Channels: 60, States: 16, Bidirectional: true}, 1, 16000},
	{"both/128", EMAShape{Channels: 128, States: 16, Bidirectional: true}, 2, 1024},
	{"causal/512", EMAShape{Channels: 512, States: 16}, 1, 2048},
	{"truncated/512", EMAShape{Channels: 512, States: 16, Truncation: 1024}, 1, 2048},
	{"causal/512x2", EMAShape{Channels: 512, States: 2}, 1, 2048},
	{"long/1k", EMAShape{Channels: 128, States: 16, Bidirectional: true}, 1, 1024},
	{"long/16k", EMAShape{Channels: 128, States: 16, Bidirectional: true}, 1, 16384},
	{"long/256k", EMAShape{Channels: 128, States: 16, Bidirectional: true}, 1, 262144},
	{"step/512", EMAShape{Channels: 512, States: 16}, 1, 1},
}

// BenchmarkEMA reports nanoseconds per step, channel and direction.
func BenchmarkEMA(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, m := range emaBenchmarks {
		e := newEMACase(r, m.shape, m.batch, m.length, 0)
		if m.shape.Truncation > 0 { // some averages reach beyond it
			e.params.Delta = emaNormal(r, len(e.params.Delta), -2, 2)
		}
		var c EMACoefficients
		c.Set(nil, e.shape, e.params)
		e.x, e.ds = append(parallel.Aligned(len(e.x))[:0], e.x...), append(parallel.Aligned(len(e.x))[:0], e.ds...)
		s, dx, grads := parallel.Aligned(len(e.x)), parallel.Aligned(len(e.x)), e.params.zeroLike()
		state := make([]float32, m.batch*c.StateSize())
		run := func(name string, f func()) {
			b.Run(fmt.Sprintf("%s/%s", m.name, name), func(b *testing.B) {
				defer parallel.Shared.Hot()()
				for b.Loop() {
					f()
				}
				n := float64(b.N) * float64(m.shape.directions()*len(e.x))
				b.ReportMetric(b.Elapsed().Seconds()*1e9/n, "ns/step·channel")
			})
		}
		if m.length == 1 {
			run("step", func() { EMAStep(nil, s, e.x, nil, state, m.batch, m.length, &c) })
			continue
		}
		run("forward", func() { EMAForward(nil, s, e.x, nil, m.batch, m.length, &c) })
		run("backward", func() { EMABackward(nil, dx, grads, e.ds, e.x, nil, m.batch, m.length, &c) })
		run("set", func() { c.Set(nil, e.shape, e.params) })
	}
}
