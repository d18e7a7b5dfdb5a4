package kernel

import "math/bits"

// philoxGeneric fills dst, whole groups of words, from group first on.
func philoxGeneric(dst []uint32, first uint64, keys *[2 * philoxRounds]uint32) {
	for i := 0; i < len(dst); i += philoxGroup {
		for lane := range uint64(16) {
			counter := 16*(first+uint64(i/philoxGroup)) + lane
			words := philoxBlock([4]uint32{uint32(counter), uint32(counter >> 32)}, keys)
			for w, v := range words {
				dst[i+16*w+int(lane)] = v
			}
		}
	}
}

// philoxBlock returns the output of Philox 4x32 for counter c.
func philoxBlock(c [4]uint32, keys *[2 * philoxRounds]uint32) [4]uint32 {
	for r := range philoxRounds {
		high0, low0 := bits.Mul32(0xd2511f53, c[0])
		high1, low1 := bits.Mul32(0xcd9e8d57, c[2])
		c = [4]uint32{high1 ^ c[1] ^ keys[2*r], low1, high0 ^ c[3] ^ keys[2*r+1], low0}
	}
	return c
}

func dropoutApplyGeneric(dst, x []float32, bits []uint32, threshold uint32, scale float32) {
	for i, b := range bits {
		if b >= threshold {
			dst[i] = scale * x[i]
		} else {
			dst[i] = 0
		}
	}
}
