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

// A resampler converts samples piece by piece. Its output is what Resample makes of
// all pieces together. It remembers the samples that the filter reaches.
type resampler struct {
	from, to     int
	scale, reach float64   // kernel crossings per input sample; input samples each side
	pending      []float32 // input from number start on
	start        int       // the first of pending
	next         int       // number of the output that is due
	filters      map[int][]float64
}

func newResampler(from, to int) *resampler {
	scale := rolloff * min(1, float64(to)/float64(from))
	return &resampler{from: from, to: to, scale: scale, reach: zeros / scale, filters: make(map[int][]float64)}
}

// filter returns the weights of the inputs around an output that lies part/to
// after an input: those from size inputs before that one to size after. Rates in
// common use have few different parts, and each is computed once.
func (r *resampler) filter(part int) (weights []float64, size int) {
	size = int(r.reach) + 1
	if w, ok := r.filters[part]; ok {
		return w, size
	}
	k := kernel()
	w := make([]float64, 2*size+1)
	for i := range w {
		x := math.Abs(float64(part)/float64(r.to)-float64(i-size)) * r.scale
		if x <= zeros {
			w[i] = interpolate(k, x) * r.scale
		}
	}
	if len(r.filters) >= maxFilters {
		clear(r.filters)
	}
	r.filters[part] = w
	return w, size
}

// maxFilters bounds what a resampler remembers; 44.1 to 16 kHz needs 160.
const maxFilters = 1024

// write appends input and forgets what no output needs any more.
func (r *resampler) write(x []float32) {
	first := r.next*r.from/r.to - int(r.reach) - 1
	if old := min(first-r.start, len(r.pending)); old > 0 {
		r.pending = r.pending[:copy(r.pending, r.pending[old:])]
		r.start += old
	}
	r.pending = append(r.pending, x...)
}

// read fills dst with the outputs whose input is there, or with all that are
// left if no input follows (final), and returns how many.
func (r *resampler) read(dst []float32, final bool) int {
	end := r.start + len(r.pending)
	all := resampledLen(end, r.from, r.to)
	for n := range dst {
		middle := r.next * r.from / r.to // the input at or before the output
		weights, size := r.filter(r.next * r.from % r.to)
		if r.next >= all || middle+size >= end && !final {
			return n
		}
		first, last := max(0, middle-size), min(middle+size, end-1)
		weights = weights[first-(middle-size):]
		sum := 0.0
		for i, x := range r.pending[first-r.start : last+1-r.start] {
			sum += weights[i] * float64(x)
		}
		dst[n] = float32(sum)
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
