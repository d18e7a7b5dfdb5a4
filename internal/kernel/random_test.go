package kernel

import (
	"fmt"
	"math"
	"slices"
	"testing"
)

// TestPhiloxKnownAnswers checks the rounds against the vectors for
// "philox4x32 7" that Random123, the authors' implementation, comes with
// (tests/kat_vectors).
func TestPhiloxKnownAnswers(t *testing.T) {
	for _, k := range []struct {
		counter [4]uint32
		seed    uint64
		want    [4]uint32
	}{
		{[4]uint32{}, 0, [4]uint32{0x5f6fb709, 0x0d893f64, 0x4f121f81, 0x4f730a48}},
		{[4]uint32{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, 0xffffffffffffffff,
			[4]uint32{0x5207ddc2, 0x45165e59, 0x4d8ee751, 0x8c52f662}},
		{[4]uint32{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, 0x299f31d0a4093822,
			[4]uint32{0x4dfccaba, 0x190a87f0, 0xc47362ba, 0xb6b5242a}},
	} {
		keys := philoxKeys(k.seed)
		if got := philoxBlock(k.counter, &keys); got != k.want {
			t.Errorf("counter %08x gives %08x, want %08x", k.counter, got, k.want)
		}
	}
}

// TestPhiloxImplementations checks that all give the same words, across the
// carry of the counter's halves too.
func TestPhiloxImplementations(t *testing.T) {
	for _, first := range []uint64{0, 1, 1<<28 - 1, 1<<60 - 2, 12345678901} {
		keys := philoxKeys(first*0x9e3779b97f4a7c15 + 5)
		want := make([]uint32, 5*philoxGroup)
		philoxGeneric(want, first, &keys)
		eachVec(t, func(t *testing.T) {
			got := make([]uint32, len(want)+1)
			philox(got[:len(want)], first, &keys)
			if !slices.Equal(got[:len(want)], want) || got[len(want)] != 0 {
				t.Errorf("from group %d: the words differ", first)
			}
		})
	}
}

// uniforms sets dst[i] to the upper 24 bits of word offset+i of seed, over 2^24.
func uniforms(dst []float32, seed, offset uint64) {
	source := wordSource{keys: philoxKeys(seed)}
	for done := 0; done < len(dst); {
		for _, word := range source.next(offset+uint64(done), len(dst)-done) {
			dst[done] = float32(word>>8) / (1 << 24)
			done++
		}
	}
}

// dropoutMask sets dst[i] to what Dropout multiplies element i by.
func dropoutMask(dst []float32, seed, offset uint64, p float32) {
	Fill(dst, 1)
	Dropout(dst, dst, seed, offset, p)
}

// TestRandomIsByCounter checks that any part of a stream can be had alone, and
// that words and Dropout are the same in every implementation.
func TestRandomIsByCounter(t *testing.T) {
	const n, seed, start = 5000, 77, 1<<40 + 13
	whole, mask := make([]float32, n), make([]float32, n)
	before := Current()
	if err := Use(Generic); err != nil {
		t.Fatal(err)
	}
	uniforms(whole, seed, start)
	dropoutMask(mask, seed, start, 0.25)
	Use(before)
	eachVec(t, func(t *testing.T) {
		for i := 0; i < n; i += 1 + i/3 {
			for _, size := range []int{0, 1, 7, 63, 64, 65, 1023, 1024, 1025, n - i} {
				size = min(size, n-i)
				x := newBlock(1, size, size, i%7, func() float32 { return 1 })
				uniforms(x.data, seed, start+uint64(i))
				if !slices.Equal(x.data, whole[i:i+size]) {
					t.Fatalf("the words of [%d, %d) is not part of the whole", i, i+size)
				}
				dropoutMask(x.data, seed, start+uint64(i), 0.25)
				if !slices.Equal(x.data, mask[i:i+size]) || !x.intact() {
					t.Fatalf("Dropout of [%d, %d) is not part of the whole", i, i+size)
				}
			}
		}
	})
}

// TestDropoutRule checks Dropout against the words: element i is dropped where
// the word, of which uniforms shows the upper bits, is below 2^32 p.
func TestDropoutRule(t *testing.T) {
	const n, seed, offset, p = 3000, 5, 99, 0.3
	u := make([]float32, n)
	uniforms(u, seed, offset)
	eachVec(t, func(t *testing.T) {
		x := newBlock(1, n, n, 3, func() float32 { return 7 })
		y := newBlock(1, n, n, 5, func() float32 { return guard })
		x.data[0], x.data[1], x.data[2] = float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))
		Dropout(y.data, x.data, seed, offset, p)
		for i, v := range y.data {
			scaled := x.data[i] / (1 - p)
			if kept := u[i] >= p; !kept && v != 0 || kept && math.Abs(float64(v-scaled)) > 1e-6 || kept && (v == v) != (scaled == scaled) {
				t.Fatalf("element %d: %g of %g at %g", i, v, x.data[i], u[i])
			}
		}
		Dropout(x.data, x.data, seed, offset, p)
		if !y.intact() || !slices.Equal(x.data[3:], y.data[3:]) {
			t.Error("in place the result differs, or it is outside")
		}
		Dropout(y.data, x.data, seed, offset, 0)
		if !slices.Equal(y.data[3:], x.data[3:]) {
			t.Error("p = 0 drops")
		}
		if Dropout(y.data, x.data, seed, offset, 1); slices.ContainsFunc(y.data, func(v float32) bool { return v != 0 }) {
			t.Error("p = 1 keeps")
		}
	})
}

// TestDropoutStatistics checks the rate, and that what happens to an element
// says nothing of its neighbours, of elements a power of two away, or of the
// same element under another seed. The bounds are five standard deviations.
func TestDropoutStatistics(t *testing.T) {
	const n = 1 << 18
	mask := func(seed, offset uint64, p float32) []float32 {
		m := make([]float32, n)
		dropoutMask(m, seed, offset, p)
		return m
	}
	for _, p := range []float32{0.001, 0.1, 0.5, 0.9} {
		keep, deviation := 1-float64(p), math.Sqrt(float64(p)*(1-float64(p))/n)
		a := mask(1, 0, p)
		if rate := kept(a, a) / keep; math.Abs(rate-1) > 5*deviation/keep {
			t.Errorf("p = %g: %g of the elements are kept", p, rate*keep)
		}
		together := func(what string, b []float32) {
			// Both are kept with probability keep², with the deviation of a coin of that.
			both := kept(a[:len(b)], b)
			if e := math.Abs(both - keep*keep); e > 5*math.Sqrt(keep*keep*(1-keep*keep)/float64(len(b))) {
				t.Errorf("p = %g: kept together with %s: %g, want %g", p, what, both, keep*keep)
			}
		}
		for shift := 1; shift < n/2; shift *= 2 {
			together(fmt.Sprintf("the element %d on", shift), a[shift:])
		}
		for _, seed := range []uint64{0, 2, 3, 1 << 32, 1<<32 + 1, 1<<63 + 1} {
			together(fmt.Sprintf("seed %d", seed), mask(seed, 0, p))
		}
		together("the next offset", mask(1, n, p))
		together("offset 2^32", mask(1, 1<<32, p))
	}
}

// kept is the share of elements that neither mask drops.
func kept(a, b []float32) float64 {
	count := 0
	for i, v := range b {
		if v != 0 && a[i] != 0 {
			count++
		}
	}
	return float64(count) / float64(len(b))
}

// TestUniform checks the moments and the spread over 64 bins.
func TestUniform(t *testing.T) {
	const n, bins = 1 << 18, 64
	u := make([]float32, n)
	uniforms(u, 3, 0)
	var mean, square, chi float64
	var counts [bins]float64
	for _, v := range u {
		if v < 0 || v >= 1 {
			t.Fatalf("%g is not in [0, 1)", v)
		}
		mean += float64(v) / n
		square += float64(v) * float64(v) / n
		counts[int(v*bins)]++
	}
	for _, c := range counts {
		chi += (c - n/bins) * (c - n/bins) / (n / bins)
	}
	if math.Abs(mean-0.5) > 5*math.Sqrt(1.0/12/n) || math.Abs(square-1.0/3) > 5*math.Sqrt(4.0/45/n) || chi < 25 || chi > 120 {
		t.Errorf("mean %g, mean square %g, chi square %g with 63 degrees of freedom", mean, square, chi)
	}
}

func BenchmarkRandom(b *testing.B) {
	const n = 8192
	x, y := make([]float32, n), make([]float32, n)
	benchVec(b, "Dropout", n, func() { Dropout(y, x, 1, 2, 0.1) })
}
