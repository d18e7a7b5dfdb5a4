package bench

import (
	"math"

	"github.com/mega-go/mega/internal/kernel"
	"github.com/mega-go/mega/internal/parallel"
)

// A Limit is the least time that a step can take on this machine: as long as its
// multiply-adds at the peak rate or its unavoidable traffic at the memory's,
// whichever is longer. Both rates are measured with the step, before and after,
// since other guests of a shared machine change them from minute to minute.
type Limit struct {
	GFLOP        float64 `json:"gflop"` // operations, as Workload counts them
	GB           float64 `json:"gb"`    // bytes
	PeakGFLOPS   float64 `json:"peak_gflops"`
	MemoryGBS    float64 `json:"memory_gbs"`
	Milliseconds float64 `json:"limit_ms"`
	Share        float64 `json:"share"` // of the limit's rate that the step reached
}

// rates are what the machine can do at a moment.
type rates struct{ flops, bytes float64 } // a second

// measureRates measures them with all workers.
func measureRates() rates {
	workers := parallel.Shared.Size()
	return rates{1e9 * kernel.PeakFMA(workers), 1e9 * kernel.MemoryBandwidth(workers)}
}

// mean returns the rates halfway between r and s.
func (r rates) mean(s rates) rates { return rates{(r.flops + s.flops) / 2, (r.bytes + s.bytes) / 2} }

// limit compares the seconds that a step took with what the machine allows.
func (r rates) limit(flops, bytes, seconds float64) *Limit {
	least := max(flops/r.flops, bytes/r.bytes)
	return &Limit{
		GFLOP: round(flops/1e9, 3), GB: round(bytes/1e9, 3),
		PeakGFLOPS: round(r.flops/1e9, 1), MemoryGBS: round(r.bytes/1e9, 1),
		Milliseconds: round(1e3*least, 2), Share: round(least/seconds, 3),
	}
}

// demand returns the operations and the bytes of a step in a mode.
func (w Workload) demand(mode string, params int) (flops, bytes float64) {
	if mode == "train" {
		return w.shape().training(), trainingBytes * float64(params)
	}
	return w.shape().inference(), inferenceBytes * float64(params)
}

// decodeDemand returns what a step of decoding needs on average over a chunk:
// the weights once, and of each text the keys and values of the chunk so far.
func (w Workload) decodeDemand(texts, params int, weightBytes float64) (flops, bytes float64) {
	s := w.shape()
	s.tokens = texts
	cached := s.seen() * float64((s.z+s.h)*s.layers*texts)
	return s.inference(), weightBytes*float64(params) + 4*cached
}

// round rounds to a number of decimals.
func round(x float64, decimals int) float64 {
	unit := math.Pow10(decimals)
	return math.Round(x*unit) / unit
}
