package kernel

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/mega-go/mega/internal/parallel"
)

// A gemmShape is a product of m × k by k × n numbers.
type gemmShape struct {
	name    string
	m, n, k int
	at, bt  bool // whether A and B are stored transposed
}

// gemmShapes are products of real presets: R rows of tokens, a forward
// product Y = X Wᵀ, and the two of its backward, dX = dY W and dW = dYᵀ X.
var gemmShapes = []gemmShape{
	{"square", 1024, 1024, 1024, false, false},
	{"forward/128", 4096, 512, 128, false, true},
	{"forward/80", 2000, 384, 80, false, true},
	{"forward/512", 4096, 2176, 512, false, true},
	{"dx/128", 4096, 128, 512, false, false},
	{"dx/512", 4096, 512, 2176, false, false},
	{"dw/204", 60, 204, 16000, true, false},
	{"dw/128", 512, 128, 4096, true, false},
	{"dw/512", 2176, 512, 4096, true, false},
	{"dw/1024", 1024, 512, 4096, true, false},
	{"dp/30", 256, 30, 126, true, false},
	{"dp/120", 256, 120, 126, true, false},
	{"tile/64", 32, 128, 64, false, true},
	{"decode1/512", 1, 2048, 512, false, true},
	{"decode16/512", 16, 2048, 512, false, true},
}

// peaks returns the peak of one worker and of all, in GFLOP/s.
var peaks = sync.OnceValues(func() (one, all float64) { return PeakFMA(1), PeakFMA(parallel.Shared.Size()) })

// benchOperand returns an operand in memory as tensors have it.
func benchOperand(r *rand.Rand, rows, cols int, transposed bool) Matrix {
	m := gemmOperand(r, rows, cols, transposed, 0)
	data := parallel.Aligned(len(m.Data))
	copy(data, m.Data)
	m.Data = data
	return m
}

func BenchmarkGemm(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	one, all := peaks()
	for _, s := range gemmShapes {
		x := benchOperand(r, s.m, s.k, s.at)
		y := benchOperand(r, s.k, s.n, s.bt)
		packed := packB(s.k, s.n, y)
		c := parallel.Aligned(s.m * s.n)
		run := func(name string, peak float64, f func()) {
			b.Run(fmt.Sprintf("%s/%s", s.name, name), func(b *testing.B) {
				defer parallel.Shared.Hot()()
				for b.Loop() {
					f()
				}
				rate := 2 * float64(s.m) * float64(s.n) * float64(s.k) * float64(b.N) / b.Elapsed().Seconds() / 1e9
				b.ReportMetric(rate, "GFLOP/s")
				b.ReportMetric(100*rate/peak, "%peak")
			})
		}
		run("all", all, func() { Gemm(nil, s.m, s.n, s.k, x, y, c, s.n, Epilogue{}) })
		run("one", one, func() {
			p := product{serial: true, m: s.m, n: s.n, k: s.k, a: x, raw: y, out: output{c: c, ldc: s.n}}
			p.multiply(partsInTiles(s.k, s.n))
		})
		run("packed", all, func() { GemmPacked(nil, s.m, s.n, s.k, x, packed, c, s.n, Epilogue{}) })
	}
}

// BenchmarkWeights multiplies a few rows, as many as there are texts side by side,
// by 168 MB of packed weights in turn: what decoding with a large model does.
func BenchmarkWeights(b *testing.B) {
	const n, k, matrices = 2048, 1024, 20
	r := rand.New(rand.NewPCG(1, 2))
	var weights [matrices]*Packed
	for i := range weights {
		weights[i] = packB(k, n, gemmOperand(r, k, n, true, 0))
	}
	for _, m := range []int{1, 4, 14} {
		x, c := gemmOperand(r, m, k, false, 0), make([]float32, m*n)
		b.Run(fmt.Sprint(m), func(b *testing.B) {
			b.SetBytes(4 * n * k * matrices)
			defer parallel.Shared.Hot()()
			for b.Loop() {
				for _, w := range weights {
					GemmPacked(nil, m, n, k, x, w, c, n, Epilogue{})
				}
			}
		})
	}
}

// Shares are of the peak of float32, so that 200% is that of bfloat16.
func BenchmarkGemmBF16(b *testing.B) {
	if err := CheckBF16(); err != nil {
		b.Skip(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	_, all := peaks()
	for _, s := range gemmShapes {
		x := gemmOperand(r, s.m, s.k, s.at, 0)
		y := gemmOperand(r, s.k, s.n, s.bt, 0)
		c := parallel.Aligned(s.m * s.n)
		b.Run(s.name, func(b *testing.B) {
			defer parallel.Shared.Hot()()
			for b.Loop() {
				GemmBF16(nil, s.m, s.n, s.k, x, y, c, s.n, Epilogue{})
			}
			rate := 2 * float64(s.m) * float64(s.n) * float64(s.k) * float64(b.N) / b.Elapsed().Seconds() / 1e9
			b.ReportMetric(rate, "GFLOP/s")
			b.ReportMetric(100*rate/all, "%peak")
		})
	}
}

// BenchmarkGemmCold multiplies operands that are in no cache, as a layer does with tensors
// of other layers between two of its own.
func BenchmarkGemmCold(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	_, all := peaks()
	for _, s := range []gemmShape{
		{"y/60-204", 32000, 204, 60, false, true},
		{"y/120-60", 32000, 60, 120, false, true},
		{"dx/204-60", 32000, 60, 204, false, false},
		{"y/128-896", 8192, 896, 128, false, true},
		{"y/128-256", 8192, 256, 128, false, true},
		{"y/256-128", 8192, 128, 256, false, true},
		{"dx/896-128", 8192, 128, 896, false, false},
		{"dw/896-128", 896, 128, 8192, true, false},
		{"dw/128-256", 128, 256, 8192, true, false},
		{"dw/204-60", 204, 60, 32000, true, false},
	} {
		const sets = 6
		var x, y [sets]Matrix
		var c [sets][]float32
		for i := range sets {
			x[i] = benchOperand(r, s.m, s.k, s.at)
			y[i] = benchOperand(r, s.k, s.n, s.bt)
			c[i] = parallel.Aligned(s.m * s.n)
			Fill(c[i], 1) // so that its pages are there
		}
		b.Run(s.name, func(b *testing.B) {
			defer parallel.Shared.Hot()()
			i := 0
			for b.Loop() {
				Gemm(nil, s.m, s.n, s.k, x[i%sets], y[i%sets], c[i%sets], s.n, Epilogue{})
				i++
			}
			rate := 2 * float64(s.m) * float64(s.n) * float64(s.k) * float64(b.N) / b.Elapsed().Seconds() / 1e9
			b.ReportMetric(rate, "GFLOP/s")
			b.ReportMetric(100*rate/all, "%peak")
		})
	}
}
