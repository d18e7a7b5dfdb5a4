package kernel

import (
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/mega-go/mega/internal/parallel"
)

func TestZZ(t *testing.T) {
	serial := os.Getenv("ZZ") != "2"
	if serial {
		parallel.SetWorkers(1)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for _, s := range []gemmShape{
		{"y/60-204", 8000, 204, 60, false, true},
		{"y/120-60", 8000, 60, 120, false, true},
		{"dx/204-60", 8000, 60, 204, false, false},
		{"y/128-896", 2048, 896, 128, false, true},
		{"y/128-256", 2048, 256, 128, false, true},
		{"y/256-128", 2048, 128, 256, false, true},
		{"dx/896-128", 2048, 128, 896, false, false},
		{"y/512-2048", 1024, 2048, 512, false, true},
		{"dx/512-2048", 1024, 512, 2048, false, false},
		{"dw/896-128", 896, 128, 4096, true, false},
		{"dw/128-256", 128, 256, 4096, true, false},
		{"dw/204-60", 204, 60, 8000, true, false},
		{"dw/2048-512", 2048, 512, 1024, true, false},
	} {
		x, y := benchOperand(r, s.m, s.k, s.at), benchOperand(r, s.k, s.n, s.bt)
		c := parallel.Aligned(s.m * s.n)
		best := map[Implementation]time.Duration{}
		for rep := 0; rep < 25; rep++ {
			for _, i := range []Implementation{AVX512, AMX} {
				Use(i)
				start := time.Now()
				Gemm(nil, s.m, s.n, s.k, x, y, c, s.n, Epilogue{})
				if d := time.Since(start); best[i] == 0 || d < best[i] {
					best[i] = d
				}
			}
		}
		fl := 2 * float64(s.m) * float64(s.n) * float64(s.k)
		fmt.Printf("%-12s avx512 %4.0f amx %4.0f  %.2f\n", s.name, fl/float64(best[AVX512]), fl/float64(best[AMX]), float64(best[AVX512])/float64(best[AMX]))
	}
}

func TestYY(t *testing.T) {
	parallel.SetWorkers(1)
	Use(AMX)
	r := rand.New(rand.NewPCG(1, 2))
	for _, s := range []gemmShape{
		{"y/60-204", 8000, 204, 60, false, true},
		{"y/128-256", 2048, 256, 128, false, true},
		{"y/512-2048", 1024, 2048, 512, false, true},
		{"dw/896-128", 896, 128, 4096, true, false},
		{"dw/204-60", 204, 60, 8000, true, false},
	} {
		if os.Getenv("YY") != "" && os.Getenv("YY") != s.name {
			continue
		}
		x, y := benchOperand(r, s.m, s.k, s.at), benchOperand(r, s.k, s.n, s.bt)
		c := parallel.Aligned(s.m * s.n)
		start := time.Now()
		for time.Since(start) < 1500*time.Millisecond {
			Gemm(nil, s.m, s.n, s.k, x, y, c, s.n, Epilogue{})
		}
	}
}
