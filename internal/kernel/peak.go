package kernel

import (
	"sync"
	"time"
)

const (
	probeTime = 20 * time.Millisecond // a run of a probe
	probeRuns = 3                     // the best counts
)

// PeakFMA returns how many float32 operations, in GFLOP/s, that number of
// goroutines do together when all they do is multiply-adds of the current
// implementation in registers. A multiply-add counts as two operations.
func PeakFMA(workers int) float64 {
	impl := Current()
	return probeRate(workers, func(int) int { return multiplyAdds(impl) }) / 1e9
}

// MemoryBandwidth returns how fast that number of goroutines together read memory that is in
// no cache, in GB/s.
func MemoryBandwidth(workers int) float64 {
	const most, total = 128 << 20, 1 << 30 // bytes: beyond caches, and not without bounds
	size := min(most, total/workers) / 256 * 256 / 4
	data := make([]float32, workers*size)
	for i := range data {
		data[i] = 1
	}
	impl := Current()
	return probeRate(workers, func(w int) int {
		readMemory(impl, data[w*size:][:size])
		return 4 * size
	}) / 1e9
}

// probeRate runs probe on that many goroutines over and over and returns the
// sum a second of what it returns.
func probeRate(workers int, probe func(worker int) int) float64 {
	best := 0.0
	rates := make([]float64, workers)
	for range probeRuns {
		var running sync.WaitGroup
		for w := range workers {
			running.Go(func() {
				work, start := 0, time.Now()
				for time.Since(start) < probeTime {
					work += probe(w)
				}
				rates[w] = float64(work) / time.Since(start).Seconds()
			})
		}
		running.Wait()
		total := 0.0
		for _, r := range rates {
			total += r
		}
		best = max(best, total)
	}
	return best
}

// probeTurns is the length of the loops of multiply-adds.
const probeTurns = 10000

// multiplyAddsGeneric runs a loop of multiply-adds and returns the number of
// operations, and their result so that they are not optimised away.
func multiplyAddsGeneric(x float32) (flops int, sum float32) {
	var s0, s1, s2, s3, s4, s5, s6, s7 float32
	for range probeTurns {
		s0 += x * s0
		s1 += x * s1
		s2 += x * s2
		s3 += x * s3
		s4 += x * s4
		s5 += x * s5
		s6 += x * s6
		s7 += x * s7
	}
	return 2 * 8 * probeTurns, s0 + s1 + s2 + s3 + s4 + s5 + s6 + s7
}

// readMemoryGeneric adds up x, in some order.
func readMemoryGeneric(x []float32) float32 {
	var s0, s1, s2, s3, s4, s5, s6, s7 float32
	for len(x) >= 8 {
		s0, s1, s2, s3 = s0+x[0], s1+x[1], s2+x[2], s3+x[3]
		s4, s5, s6, s7 = s4+x[4], s5+x[5], s6+x[6], s7+x[7]
		x = x[8:]
	}
	return s0 + s1 + s2 + s3 + s4 + s5 + s6 + s7
}
