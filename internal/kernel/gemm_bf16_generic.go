package kernel

import "math"

// bf16 rounds the bits of a float32 to the nearest bfloat16 number, ties to even:
// it adds half of what is cut off, less one unless the last bit that stays is odd.
func bf16(bits uint32) uint16 {
	if bits&0x7fffffff > 0x7f800000 { // a NaN, which must not round to infinity
		return uint16(bits>>16) | 0x40
	}
	return uint16((bits + 0x7fff + bits>>16&1) >> 16)
}

// pairOf returns the pair of two numbers, rounded.
func pairOf(low, high float32) float32 {
	return math.Float32frombits(uint32(bf16(math.Float32bits(low))) | uint32(bf16(math.Float32bits(high)))<<16)
}

// ofPair returns the two numbers of a pair.
func ofPair(pair float32) (low, high float32) {
	bits := math.Float32bits(pair)
	return math.Float32frombits(bits << 16), math.Float32frombits(bits & 0xffff0000)
}

// runPairsGeneric computes a strip of pairs with panels of four columns.
func (s *strip) runPairsGeneric() {
	for i := range s.m {
		for j := 0; j < s.n; j += 4 {
			var sums [4]float32
			for p := range s.k {
				a0, a1 := ofPair(s.a[i*s.as+p*s.ks])
				for q, pair := range s.b[j/4*s.bs+4*p:][:4] {
					b0, b1 := ofPair(pair)
					sums[q] += a0 * b0
					sums[q] += a1 * b1
				}
			}
			s.store(i, j, sums[:min(4, s.n-j)])
		}
	}
}

// pairRowsGeneric makes pairs of n numbers from each of rows, stride apart:
// dst[i*pitch+p] = the pair of src[i*stride+2p] and src[i*stride+2p+1], or 0
// after an odd last.
func pairRowsGeneric(dst []float32, pitch, rows, n int, src []float32, stride int) {
	for i := range rows {
		x := src[i*stride:][:n]
		for p := range n / 2 {
			dst[i*pitch+p] = pairOf(x[2*p], x[2*p+1])
		}
		if n%2 != 0 {
			dst[i*pitch+n/2] = pairOf(x[n-1], 0)
		}
	}
}

// partner returns the row after t, or zeros if that is the last of terms.
func partner(t, terms int, src []float32, stride int) func(j int) float32 {
	if t+1 == terms {
		return func(int) float32 { return 0 }
	}
	return func(j int) float32 { return src[(t+1)*stride+j] }
}

// packPairsGeneric distributes the pairs of n numbers from terms rows, stride
// apart, two and two, over panels of nr columns, panel apart: dst[j/nr*panel+
// p*nr+j%nr] = the pair of src[2p*stride+j] and src[(2p+1)*stride+j].
func packPairsGeneric(dst []float32, panel, nr, terms, n int, src []float32, stride int) {
	for t := 0; t < terms; t += 2 {
		next := partner(t, terms, src, stride)
		for j := range n {
			dst[j/nr*panel+t/2*nr+j%nr] = pairOf(src[t*stride+j], next(j))
		}
	}
}

// packPairRunsGeneric makes pairs of terms rows, stride apart, two and two, of
// the runs of mr numbers that begin at starts, and copies them to panels, panel
// apart: dst[q*panel+p*mr+i] = the pair of src[2p*stride+starts[q]+i] and
// src[(2p+1)*stride+starts[q]+i], as far as src goes.
func packPairRunsGeneric(dst []float32, panel, mr, terms int, starts []int, src []float32, stride int) {
	for t := 0; t < terms; t += 2 {
		next := partner(t, terms, src, stride)
		last := len(src) - min(t+1, terms-1)*stride
		for q, start := range starts {
			for i := range min(mr, last-start) {
				dst[q*panel+t/2*mr+i] = pairOf(src[t*stride+start+i], next(start+i))
			}
		}
	}
}
