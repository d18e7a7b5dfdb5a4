package kernel

import "math"

// Conversions between float32 and the two kinds of 16-bit numbers that files
// hold: binary16 of IEEE 754 (1 bit of sign, 5 of exponent, 10 of fraction) and
// bfloat16 (1, 8, 7), the upper half of a float32. To 16 bits they round to
// nearest, ties to even; too large becomes infinity, and NaN stays a NaN.

// BF16ToF32 sets dst[i] to the bfloat16 number src[i].
func BF16ToF32(dst []float32, src []uint16) {
	checkLengths(len(dst), len(src))
	dst = dst[:len(src)]
	for i, h := range src {
		dst[i] = math.Float32frombits(uint32(h) << 16)
	}
}

// F32ToBF16 sets dst[i] to the bfloat16 number nearest to src[i].
func F32ToBF16(dst []uint16, src []float32) {
	checkLengths(len(dst), len(src))
	dst = dst[:len(src)]
	for i, v := range src {
		dst[i] = bf16(math.Float32bits(v))
	}
}

// bf16 rounds the bits of a float32: it adds half of what is cut off, less one
// unless the last bit that stays is odd.
func bf16(bits uint32) uint16 {
	if bits&0x7fffffff > 0x7f800000 { // a NaN, which must not round to infinity
		return uint16(bits>>16) | 0x40
	}
	return uint16((bits + 0x7fff + bits>>16&1) >> 16)
}

// F16ToF32 sets dst[i] to the binary16 number src[i].
func F16ToF32(dst []float32, src []uint16) {
	checkLengths(len(dst), len(src))
	dst = dst[:len(src)]
	for i, h := range src {
		dst[i] = f32OfF16(h)
	}
}

// f32OfF16 moves exponent and fraction to their places in a float32, as the
// number 2^112 times too small, and multiplies; that makes normal numbers of
// denormal ones too.
func f32OfF16(h uint16) float32 {
	sign, rest := uint32(h&0x8000)<<16, uint32(h&0x7fff)<<13
	if h&0x7c00 == 0x7c00 { // infinity or NaN
		return math.Float32frombits(sign | 0x7f800000 | rest)
	}
	return math.Float32frombits(sign | math.Float32bits(math.Float32frombits(rest)*0x1p112))
}

// F32ToF16 sets dst[i] to the binary16 number nearest to src[i].
func F32ToF16(dst []uint16, src []float32) {
	checkLengths(len(dst), len(src))
	dst = dst[:len(src)]
	for i, v := range src {
		dst[i] = f16(math.Float32bits(v))
	}
}

// f16 rounds the bits of a float32 to binary16.
func f16(bits uint32) uint16 {
	sign, magnitude := uint16(bits>>16&0x8000), bits&0x7fffffff
	switch {
	case magnitude > 0x7f800000: // NaN
		return sign | 0x7e00 | uint16(magnitude>>13&0x3ff)
	case magnitude >= 0x477ff000: // 65520 and above round to infinity
		return sign | 0x7c00
	case magnitude < 0x38800000: // below 2^-14: a multiple of 2^-24, which the sum with 2^-1 rounds to
		return sign | uint16(math.Float32bits(math.Float32frombits(magnitude)+0.5)-0x3f000000)
	}
	magnitude += 0xfff + magnitude>>13&1
	return sign | uint16((magnitude-0x38000000)>>13)
}
