package kernel

import (
	"testing"

	"github.com/mega-go/mega/internal/parallel"
)

func TestPeakFMA(t *testing.T) {
	eachGemmImplementation(t, func(t *testing.T) {
		if peak := PeakFMA(1); peak < 0.002 || peak > 5000 {
			t.Errorf("%v GFLOP/s", peak)
		}
	})
}

func TestMemoryBandwidth(t *testing.T) {
	if b := MemoryBandwidth(parallel.Shared.Size()); b < 0.05 || b > 5000 {
		t.Errorf("%v GB/s", b)
	}
}

func TestReadMemory(t *testing.T) {
	eachGemmImplementation(t, func(t *testing.T) {
		x := make([]float32, 192)
		for i := range x {
			x[i] = float32(i)
		}
		if got := readMemory(Current(), x); got != 191*96 {
			t.Errorf("sum %v, want %v", got, 191*96)
		}
	})
}

func BenchmarkPeak(b *testing.B) {
	for b.Loop() {
		b.ReportMetric(PeakFMA(1), "GFLOP/s/1")
		b.ReportMetric(PeakFMA(parallel.Shared.Size()), "GFLOP/s")
		b.ReportMetric(MemoryBandwidth(parallel.Shared.Size()), "GB/s")
	}
}
