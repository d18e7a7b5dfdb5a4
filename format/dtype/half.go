package dtype

import "math"

// FromHalf converts IEEE 754 binary16 (1 sign, 5 exponent, 10 fraction bits) to
// float32; every value is exact and a NaN keeps its payload.
func FromHalf(h uint16) float32 {
	sign := uint32(h&0x8000) << 16
	exponent := uint32(h >> 10 & 0x1f)
	fraction := uint32(h & 0x3ff)
	switch exponent {
	case 0: // subnormal: fraction · 2^-24
		return math.Float32frombits(sign | math.Float32bits(float32(fraction)*(1.0/(1<<24))))
	case 0x1f:
		return math.Float32frombits(sign | 0x7f800000 | fraction<<13)
	}
	return math.Float32frombits(sign | (exponent+127-15)<<23 | fraction<<13)
}

// toHalf rounds x to binary16, to nearest, ties to even; from 65520 on it gives
// infinity, and a NaN stays a quiet NaN.
func toHalf(x float32) uint16 {
	bits := math.Float32bits(x)
	sign := uint16(bits >> 16 & 0x8000)
	bits &= 0x7fffffff
	switch {
	case bits > 0x7f800000:
		return sign | 0x7e00 | uint16(bits>>13&0x3ff)
	case bits >= 0x477ff000: // 65520
		return sign | 0x7c00
	case bits < 0x38800000: // below 2^-14: adding 0.5 rounds at 2^-24, half's last place
		return sign | uint16(math.Float32bits(math.Float32frombits(bits)+0.5)-math.Float32bits(0.5))
	}
	bits += 0xfff + bits>>13&1
	return sign | uint16((bits-(127-15)<<23)>>13)
}

// toBFloat16 rounds x to the upper half of a float32, to nearest, ties to even.
func toBFloat16(x float32) uint16 {
	bits := math.Float32bits(x)
	if x != x {
		return uint16(bits>>16) | 0x40
	}
	return uint16((bits + 0x7fff + bits>>16&1) >> 16)
}

// RoundBF16 rounds src to bfloat16, to nearest, ties to even. dst is as long.
func RoundBF16(dst []uint16, src []float32) {
	for i, x := range src {
		dst[i] = toBFloat16(x)
	}
}

// AddBF16 adds numbers in bfloat16 to dst, which is as long.
func AddBF16(dst []float32, src []uint16) {
	for i, x := range src {
		dst[i] += math.Float32frombits(uint32(x) << 16)
	}
}
