package dtype

import (
	"encoding/binary"
	"math"
	"slices"
	"testing"
)

func TestParseIsInverseOfString(t *testing.T) {
	for d := Bool; d <= F64; d++ {
		if got, ok := Parse(d.String()); !ok || got != d || d.Size() == 0 {
			t.Errorf("Parse(%q) = %v, %v; size %d", d, got, ok, d.Size())
		}
	}
	for _, name := range []string{"", "invalid", "f32", "F4"} {
		if d, ok := Parse(name); ok {
			t.Errorf("Parse(%q) = %v", name, d)
		}
	}
	if DType(200).String() != "invalid" || DType(200).Size() != 0 {
		t.Error("a type beyond the list is not invalid")
	}
}

// halfByFormula is the definition of binary16: ±fraction · 2^(exponent−25).
func halfByFormula(h uint16) float64 {
	sign := 1 - 2*float64(h>>15)
	exponent, fraction := int(h>>10&31), float64(h&1023)
	switch {
	case exponent == 31 && fraction > 0:
		return math.NaN()
	case exponent == 31:
		return sign * math.Inf(1)
	case exponent == 0:
		return sign * math.Ldexp(fraction, -24)
	}
	return sign * math.Ldexp(1024+fraction, exponent-25)
}

func TestHalfConversionsOfEveryPattern(t *testing.T) {
	for i := range 1 << 16 {
		h := uint16(i)
		want, got := halfByFormula(h), FromHalf(h)
		if math.IsNaN(want) {
			if got == got || toHalf(got)&0x7fff <= 0x7c00 || toHalf(got)>>15 != h>>15 {
				t.Fatalf("%#04x: %v, back %#04x, want NaN", h, got, toHalf(got))
			}
			continue
		}
		if float64(got) != want || toHalf(got) != h {
			t.Fatalf("%#04x: %v, back %#04x, want %v", h, got, toHalf(got), want)
		}
	}
}

// TestNarrowingRoundsToNearestEven compares with the nearest of the two
// neighbours, found by formula, at and around every midpoint.
func TestNarrowingRoundsToNearestEven(t *testing.T) {
	for i := range 0x7bff {
		lo, hi := uint16(i), uint16(i+1)
		mid := float32((halfByFormula(lo) + halfByFormula(hi)) / 2)
		even := lo
		if lo&1 == 1 {
			even = hi
		}
		below, above := math.Nextafter32(mid, 0), math.Nextafter32(mid, 1e9)
		if toHalf(mid) != even || toHalf(below) != lo || toHalf(above) != hi || toHalf(-mid) != even|0x8000 {
			t.Fatalf("around the middle of %#04x and %#04x: %#04x %#04x %#04x", lo, hi, toHalf(below), toHalf(mid), toHalf(above))
		}
	}
	if toHalf(65519) != 0x7bff || toHalf(65520) != 0x7c00 || toHalf(float32(math.Inf(-1))) != 0xfc00 {
		t.Error("overflow does not round to infinity at 65520")
	}
}

func TestBFloat16RoundsToNearestEven(t *testing.T) {
	for _, c := range []struct {
		bits uint32
		want uint16
	}{
		{0x3f800000, 0x3f80}, {0x3f808000, 0x3f80}, {0x3f808001, 0x3f81}, {0x3f818000, 0x3f82},
		{0x3f817fff, 0x3f81}, {0xbf808001, 0xbf81}, {0x7f7fffff, 0x7f80}, {0x00000001, 0},
		{0x7f800000, 0x7f80}, {0xff800000, 0xff80}, {0x7f800001, 0x7fc0}, {0xffc00000, 0xffc0},
	} {
		if got := toBFloat16(math.Float32frombits(c.bits)); got != c.want {
			t.Errorf("%#08x: %#04x, want %#04x", c.bits, got, c.want)
		}
	}
}

func TestFloat32sOfEveryType(t *testing.T) {
	values := []float32{0, -0.5, 1, 384, float32(math.Inf(1))} // exact in all
	for _, d := range []DType{F16, BF16, F32, F64} {
		b, err := FromFloat32s(d, values)
		if err != nil || len(b) != len(values)*d.Size() {
			t.Fatalf("%v: %d bytes, %v", d, len(b), err)
		}
		got := make([]float32, len(values))
		if err := Float32s(got, d, b); err != nil || !slices.Equal(got, values) {
			t.Errorf("%v: %v, %v, want %v", d, got, err, values)
		}
	}
	if err := Float32s(make([]float32, 1), I64, make([]byte, 8)); err == nil {
		t.Error("I64 converted to float32")
	}
	if _, err := FromFloat32s(I64, values); err == nil {
		t.Error("float32 converted to I64")
	}
}

func checkInt64s[T Number](t *testing.T, values []T, want ...int64) {
	t.Helper()
	got := make([]int64, len(values))
	if err := Int64s(got, Of[T](), Bytes(values)); err != nil || !slices.Equal(got, want) {
		t.Errorf("%v: %v, %v, want %v", Of[T](), got, err, want)
	}
}

func TestInt64sOfEveryType(t *testing.T) {
	checkInt64s(t, []bool{true, false}, 1, 0)
	checkInt64s(t, []uint8{0, 255}, 0, 255)
	checkInt64s(t, []int8{-128, 127}, -128, 127)
	checkInt64s(t, []uint16{65535}, 65535)
	checkInt64s(t, []int16{-32768}, -32768)
	checkInt64s(t, []uint32{math.MaxUint32}, math.MaxUint32)
	checkInt64s(t, []int32{math.MinInt32}, math.MinInt32)
	checkInt64s(t, []uint64{math.MaxInt64}, math.MaxInt64)
	checkInt64s(t, []int64{math.MinInt64, 7}, math.MinInt64, 7)
	one := make([]int64, 1)
	if err := Int64s(one, U64, binary.LittleEndian.AppendUint64(nil, 1<<63)); err == nil {
		t.Error("2^63 converted to int64")
	}
	if err := Int64s(one, F32, make([]byte, 4)); err == nil {
		t.Error("F32 converted to int64")
	}
	if Of[float32]() != F32 || Of[float64]() != F64 {
		t.Error("Of of a float is wrong")
	}
}
