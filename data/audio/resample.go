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
	out := make([]float32, resampledLen(len(samples), from, to))
	r := newResampler(from, to)
	r.pending = samples
	return out[:r.read(out, true)]
}

// A resampler converts samples piece by piece: what it gives in all is what
// Resample gives of all together. It remembers as many as the filter reaches.
type resampler struct {
	from, to     int
	scale, reach float64   // kernel crossings per input sample; input samples each side
	pending      []float32 // input from number start on
	start        int       // the first of pending
	next         int       // number of the output that is due
}

func newResampler(from, to int) *resampler {
	scale := rolloff * min(1, float64(to)/float64(from))
	return &resampler{from: from, to: to, scale: scale, reach: zeros / scale}
}

// write appends input and forgets what no output needs any more.
func (r *resampler) write(x []float32) {
	at := float64(r.next) * float64(r.from) / float64(r.to)
	if old := min(int(at-r.reach)-r.start, len(r.pending)); old > 0 {
		r.pending = r.pending[:copy(r.pending, r.pending[old:])]
		r.start += old
	}
	r.pending = append(r.pending, x...)
}

// read fills dst with the outputs whose input is there, or with all that are
// left if no input follows (final), and returns how many.
func (r *resampler) read(dst []float32, final bool) int {
	k := kernel()
	end := r.start + len(r.pending)
	all := resampledLen(end, r.from, r.to)
	for n := range dst {
		at := float64(r.next) * float64(r.from) / float64(r.to)
		first, last := max(0, int(math.Ceil(at-r.reach))), int(math.Floor(at+r.reach))
		if r.next >= all || last >= end && !final {
			return n
		}
		sum := 0.0
		for j := first; j <= min(last, end-1); j++ {
			sum += float64(r.pending[j-r.start]) * interpolate(k, math.Abs(at-float64(j))*r.scale)
		}
		dst[n] = float32(sum * r.scale)
		r.next++
	}
	return len(dst)
}

// interpolate returns the filter k at x crossings from its middle.
func interpolate(k []float64, x float64) float64 {
	x *= perZero
	i := min(int(x), zeros*perZero)
	return k[i] + (x-float64(i))*(k[i+1]-k[i])
}
