package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/mega-go/mega/internal/parallel"
)

// attentionBenchmarks are those of real presets.
var attentionBenchmarks = []struct {
	name string
	a    Attention
}{
	{"softmax128", Attention{Segments: 64, Queries: 128, Keys: 128, Z: 64, H: 256}},
	{"softmax512", Attention{Segments: 8, Queries: 512, Keys: 512, Z: 64, H: 256}},
	{"softmax2000", Attention{Segments: 2, Queries: 2000, Keys: 2000, Z: 64, H: 160}},
	{"softmax4096", Attention{Segments: 2, Queries: 4096, Keys: 4096, Z: 64, H: 256}},
	{"causal512", Attention{Segments: 4, Queries: 512, Keys: 512, Z: 128, H: 1024, Causal: true}},
	{"causal2048", Attention{Segments: 1, Queries: 2048, Keys: 2048, Z: 128, H: 1024, Causal: true}},
	{"relu2/1024", Attention{Segments: 4, Queries: 1024, Keys: 1024, Z: 64, H: 256, Function: AttentionReLU2}},
	{"laplace1000", Attention{Segments: 16, Queries: 1000, Keys: 1000, Z: 30, H: 120, Function: AttentionLaplace}},
	{"laplace4096", Attention{Segments: 4, Queries: 4096, Keys: 4096, Z: 32, H: 128, Function: AttentionLaplace}},
	{"decode1/4096", Attention{Segments: 1, Queries: 1, Keys: 4096, Z: 128, H: 1024}},
	{"decode4/1024", Attention{Segments: 4, Queries: 1, Keys: 1024, Z: 128, H: 1024}},
	{"append16/2048", Attention{Segments: 1, Queries: 16, Keys: 2048, Z: 128, H: 1024, Causal: true}},
}

// attentionPairs returns the number of pairs of a query and a key that it sees.
func attentionPairs(a *Attention) float64 {
	n := 0
	for i := range a.Queries {
		n += a.visible(i)
	}
	return float64(n) * float64(a.Segments)
}

// BenchmarkAttention reports the rate over unmasked pairs, what of it the
// matrix products alone would reach in the shapes that they have here (one
// worker), and for decoding the rate at which keys and values are read.
func BenchmarkAttention(b *testing.B) {
	for _, c := range attentionBenchmarks {
		a := c.a
		a.Bias = []float32{}
		p := newAttentionProblem(rand.New(rand.NewPCG(1, 2)), a)
		run := func(name string, work, alone float64, f func()) {
			b.Run(c.name+"/"+name, func(b *testing.B) {
				defer parallel.Shared.Hot()()
				for b.Loop() {
					f()
				}
				rate := work * float64(b.N) / b.Elapsed().Seconds() / 1e9
				b.ReportMetric(rate, "GFLOP/s")
				if parallel.Shared.Size() == 1 {
					b.ReportMetric(100*rate/alone, "%gemm")
				}
				b.ReportMetric(float64(4*a.Segments*a.Keys*(a.Z+a.H))*float64(b.N)/b.Elapsed().Seconds()/1e9, "GB/s")
			})
		}
		pairs, z, h := attentionPairs(&a), float64(a.Z), float64(a.H)
		m, n := min(a.Queries, a.heights().tile), min(a.Keys, attentionKeys)
		products, valueProducts := gemmTime(m, n, a.Z), gemmTime(m, a.H, n)
		forward := products + valueProducts
		run("forward", 2*pairs*(z+h), 2*float64(m*n)*(z+h)/forward/1e9, func() { p.a.Forward(p.out, p.q, p.k, p.v, p.stats) })
		if a.Queries < a.Keys {
			continue
		}
		backward := products + gemmTime(m, n, a.H) + gemmTime(m, a.Z, n) + gemmTime(n, a.Z, m) + gemmTime(n, a.H, m)
		run("backward", 2*pairs*(3*z+2*h), 2*float64(m*n)*(3*z+2*h)/backward/1e9, func() {
			p.a.Backward(p.dq, p.dk, p.dv, p.dbias, p.dout, p.q, p.k, p.v, p.out, p.stats)
		})
	}
}

// BenchmarkAttentionCold is a query of each of lm-enwik8's twelve layers, whose keys
// and values other reading has driven from the caches.
func BenchmarkAttentionCold(b *testing.B) {
	const z, h, layers = 128, 1024, 12
	other := uniform(rand.New(rand.NewPCG(1, 2)), 40<<20)
	for _, keys := range []int{200, 500, 1000, 2000} {
		a := Attention{Segments: 1, Queries: 1, Keys: keys, Z: z, H: h, Bias: []float32{}}
		var of [layers]*attentionProblem
		for i := range of {
			of[i] = newAttentionProblem(rand.New(rand.NewPCG(1, uint64(i))), a)
		}
		b.Run(fmt.Sprint(keys), func(b *testing.B) {
			b.SetBytes(4 * layers * int64(keys) * (z + h))
			defer parallel.Shared.Hot()()
			for b.Loop() {
				b.StopTimer()
				readMemory(Current(), other)
				b.StartTimer()
				for _, p := range of {
					p.a.Forward(p.out, p.q, p.k, p.v, p.stats)
				}
			}
		})
	}
}

// gemmTime returns the seconds that a product with a packed right-hand side
// takes on one worker.
func gemmTime(m, n, k int) float64 {
	r := rand.New(rand.NewPCG(1, 2))
	draw := func(rows, columns int) Matrix {
		x := make([]float32, rows*columns)
		for i := range x {
			x[i] = r.Float32()
		}
		return Matrix{Data: x, Stride: columns}
	}
	x, y := draw(m, k), packB(k, n, draw(k, n))
	c := make([]float32, m*n)
	best := math.Inf(1)
	for start := time.Now(); time.Since(start) < 20*time.Millisecond; {
		const rounds = 20
		begin := time.Now()
		for range rounds {
			GemmPackedSerial(m, n, k, x, y, c, n, Epilogue{})
		}
		best = min(best, time.Since(begin).Seconds()/rounds)
	}
	return best
}
