package ptx

import (
	"math"
	"math/bits"
)

// What a floating-point instruction returns for NaN (section 9.7.3: "canonical NaN").
const (
	nan32 = 0x7fffffff
	nan64 = 0x7fffffff_ffffffff
)

func f32(u uint64) float32 { return math.Float32frombits(uint32(u)) }
func f64(u uint64) float64 { return math.Float64frombits(u) }

func bits32(x float32) uint64 {
	if x != x {
		return nan32
	}
	return uint64(math.Float32bits(x))
}

func bits64(x float64) uint64 {
	if x != x {
		return nan64
	}
	return math.Float64bits(x)
}

// fma32 returns a·b + c, rounded once. The product is exact in float64. Its sum with
// c is rounded to odd: where it is not exact, to the neighbour whose last bit is 1, so
// that the second rounding, to float32, sees on which side of a tie the sum lies.
func fma32(a, b, c float32) float32 {
	product, addend := float64(a)*float64(b), float64(c)
	sum := product + addend
	if math.IsInf(sum, 0) || sum != sum {
		return float32(sum)
	}
	// What rounding took off (Knuth, The Art of Computer Programming 2, 4.2.2).
	back := sum - product
	rest := (product - (sum - back)) + (addend - back)
	if u := math.Float64bits(sum); rest != 0 && u&1 == 0 {
		if (rest > 0) == (sum > 0) {
			u++
		} else {
			u--
		}
		sum = math.Float64frombits(u)
	}
	return float32(sum)
}

// signed returns the number that the low bits of v stand for.
func signed(v uint64, width int) int64 { return int64(v<<(64-width)) >> (64 - width) }

// cut returns the low bits of v.
func cut(v uint64, width int) uint64 {
	if width == 64 {
		return v
	}
	return v & (1<<width - 1)
}

// minmax returns the smaller or larger number. A NaN gives way to a number, and -0 is
// less than +0 (9.7.3.11).
func minmax(a, b float64, larger bool) float64 {
	switch {
	case a != a:
		return b
	case b != b:
		return a
	case larger:
		return max(a, b)
	}
	return min(a, b)
}

// toInteger converts x, rounded as mode says, to an integer of some width: out of
// range it is the nearest one, and 0 for NaN (9.7.9.21).
func toInteger(x float64, mode string, width int, isSigned bool) uint64 {
	x = integral(x, mode)
	low, high := 0.0, math.Ldexp(1, width)
	if isSigned {
		low, high = -math.Ldexp(1, width-1), math.Ldexp(1, width-1)
	}
	switch {
	case x != x:
		return 0
	case x <= low && isSigned:
		return cut(1<<(width-1), width)
	case x <= low:
		return 0
	case x >= high && isSigned:
		return 1<<(width-1) - 1
	case x >= high:
		return cut(math.MaxUint64, width)
	case isSigned:
		return cut(uint64(int64(x)), width)
	case x >= 1<<63:
		return uint64(x-1<<63) + 1<<63
	}
	return uint64(x)
}

// integral rounds to an integer: to the nearest (even), to zero, down or up.
func integral(x float64, mode string) float64 {
	switch mode {
	case "rni":
		return math.RoundToEven(x)
	case "rmi":
		return math.Floor(x)
	case "rpi":
		return math.Ceil(x)
	}
	return math.Trunc(x)
}

// toFloat32 converts an integer, rounded once.
func toFloat32(v uint64, isSigned bool) float32 {
	if isSigned {
		return float32(int64(v))
	}
	return float32(v)
}

func toFloat64(v uint64, isSigned bool) float64 {
	if isSigned {
		return float64(int64(v))
	}
	return float64(v)
}

// bf16 rounds to bfloat16, to the nearest (even).
func bf16(x float32) uint64 {
	if x != x {
		return 0x7fff
	}
	u := math.Float32bits(x)
	return uint64((u + 0x7fff + u>>16&1) >> 16)
}

// shift returns v shifted left or right. Amounts beyond the width count as the width
// (9.7.7.7).
func shiftLeft(v, by uint64, width int) uint64 {
	if by >= uint64(width) {
		return 0
	}
	return cut(v<<by, width)
}

func shiftRight(v, by uint64, width int, isSigned bool) uint64 {
	if isSigned {
		return cut(uint64(signed(v, width)>>min(by, 63)), width)
	}
	if by >= uint64(width) {
		return 0
	}
	return v >> by
}

// mulHigh returns the upper half of a product.
func mulHigh(a, b uint64, width int, isSigned bool) uint64 {
	if width < 64 {
		if isSigned {
			return cut(uint64(signed(a, width)*signed(b, width)>>width), width)
		}
		return a * b >> width
	}
	high, _ := bits.Mul64(a, b)
	if isSigned {
		high -= uint64(int64(a)>>63)&b + uint64(int64(b)>>63)&a
	}
	return high
}
