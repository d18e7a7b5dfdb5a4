package kernel

import "math"

// Random numbers here are a function of a seed and a counter, and of nothing
// else: the same in every implementation and on every machine, whichever worker
// asks for which part in whichever order. The function is Philox 4x32 with
// seven rounds, the fewest with which it passes all of TestU01's BigCrush
// (Salmon et al., Parallel Random Numbers: As Easy as 1, 2, 3, SC 2011). Its key is the seed, its
// counter a 64-bit number c in the low half and zero in the high half, its
// output four words of 32 bits.
//
// Word number i of a seed, i in [0, 2^64), is word w of the output for counter
// 16 g + l, where i = 64 g + 16 w + l with w in [0, 4) and l in [0, 16). So a
// register of sixteen counters gives four registers of words in order.

const (
	philoxRounds = 7
	philoxGroup  = 64 // words that sixteen counters give
)

// philoxKeys returns the two key words of each round.
func philoxKeys(seed uint64) (keys [2 * philoxRounds]uint32) {
	k0, k1 := uint32(seed), uint32(seed>>32)
	for r := range philoxRounds {
		keys[2*r], keys[2*r+1] = k0, k1
		k0 += 0x9e3779b9 // the golden ratio
		k1 += 0xbb67ae85 // √3 - 1
	}
	return keys
}

// A wordSource makes the words of one seed, a block at a time.
type wordSource struct {
	keys   [2 * philoxRounds]uint32
	buffer [4 * philoxGroup]uint32 // small, for each source begins with zeros in it
}

// next returns the words from number offset on, up to n of them; they hold
// until the next call.
func (s *wordSource) next(offset uint64, n int) []uint32 {
	skip := int(offset % philoxGroup)
	end := min(skip+n, len(s.buffer))
	groups := ceilDiv(end, philoxGroup)
	philox(s.buffer[:groups*philoxGroup], offset/philoxGroup, &s.keys)
	return s.buffer[skip:end]
}

// Dropout sets dst[i] = 0 with probability p, to within 2^-33, and
// x[i] / (1 - p) otherwise, as word offset+i of seed falls: element i is dropped
// if the word is less than 2^32 p. The same call on the gradient is the backward
// pass. dst may be x. With p <= 0 nothing is dropped, with p >= 1 everything.
func Dropout(dst, x []float32, seed, offset uint64, p float32) {
	checkLengths(len(dst), len(x))
	if p >= 1 {
		fill(dst, 0)
		return
	}
	if !(p > 0) {
		copy(dst, x)
		return
	}
	threshold := uint32(math.Round(float64(p) * (1 << 32)))
	factor := float32(1 / (1 - float64(p)))
	source := wordSource{keys: philoxKeys(seed)}
	for len(dst) > 0 {
		words := source.next(offset, len(dst))
		n := len(words)
		dropoutApply(dst[:n], x[:n], words, threshold, factor)
		dst, x, offset = dst[n:], x[n:], offset+uint64(n)
	}
}
