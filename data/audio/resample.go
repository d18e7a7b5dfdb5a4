package audio

import (
	"math"
	"sync"
)

// The filter of Resample: a sinc cut off a little below the lower of the two
// Nyquist rates, under a Kaiser window that reaches zeros crossings each side.
// It keeps what lies below 0.9 of that rate within 0.01 dB and lets nothing
// above it through that is louder than -80 dB.
const (
	zeros      = 64
	rolloff    = 0.95
	kaiserBeta = 9.0
	perZero    = 1024 // table entries between crossings
)

// kernel returns one side of the filter and a zero to interpolate against.
var kernel = sync.OnceValue(func() []float64 {
	k := make([]float64, zeros*perZero+2)
	for i := range zeros*perZero + 1 {
		x := float64(i) / perZero
		window := besselI0(kaiserBeta*math.Sqrt(max(0, 1-x*x/(zeros*zeros)))) / besselI0(kaiserBeta)
		k[i] = window
		if i > 0 {
			k[i] *= math.Sin(math.Pi*x) / (math.Pi * x)
		}
	}
	return k
})

// besselI0 is the modified Bessel function of order zero, by its series.
func besselI0(x float64) float64 {
	sum, term := 1.0, 1.0
	for n := 1.0; term > 1e-17*sum; n++ {
		term *= x * x / (4 * n * n)
		sum += term
	}
	return sum
}

// resampledLen returns the number of samples of Resample's result.
func resampledLen(n, from, to int) int {
	return int((int64(n)*int64(to) + int64(from) - 1) / int64(from))
}

// Resample converts samples from one rate to another, both positive; it
// returns the same slice if they are equal. The result has
// ceil(len·to/from) samples.
func Resample(samples []float32, from, to int) []float32 {
	if from == to {
		return samples
	}
	k := kernel()
	out := make([]float32, resampledLen(len(samples), from, to))
	ratio := float64(to) / float64(from)
	scale := rolloff * min(1, ratio) // kernel crossings per input sample
	reach := zeros / scale
	for i := range out {
		at := float64(i) / ratio
		first := max(0, int(math.Ceil(at-reach)))
		last := min(len(samples)-1, int(math.Floor(at+reach)))
		sum := 0.0
		for j := first; j <= last; j++ {
			sum += float64(samples[j]) * interpolate(k, math.Abs(at-float64(j))*scale)
		}
		out[i] = float32(sum * scale)
	}
	return out
}

// interpolate returns the filter k at x crossings from its middle.
func interpolate(k []float64, x float64) float64 {
	x *= perZero
	i := min(int(x), zeros*perZero)
	return k[i] + (x-float64(i))*(k[i+1]-k[i])
}
