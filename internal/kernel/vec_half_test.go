package kernel

import (
	"math"
	"testing"
)

// f16Value is the meaning of a finite binary16 number, by its definition.
func f16Value(h uint16) float64 {
	exponent, fraction := int(h>>10&31), float64(h&0x3ff)
	v := math.Ldexp(1024+fraction, exponent-25)
	if exponent == 0 {
		v = math.Ldexp(fraction, -24)
	}
	return math.Copysign(v, 0.5-float64(h>>15))
}

func TestF16(t *testing.T) {
	for i := range 1 << 16 {
		h := uint16(i)
		var f [1]float32
		var back [1]uint16
		F16ToF32(f[:], []uint16{h})
		F32ToF16(back[:], f[:])
		infinite, isNaN := h&0x7fff == 0x7c00, h&0x7fff > 0x7c00
		switch {
		case isNaN && (f[0] == f[0] || back[0]&0x7fff <= 0x7c00):
			t.Fatalf("NaN %04x becomes %g and %04x", h, f[0], back[0])
		case !isNaN && back[0] != h:
			t.Fatalf("%04x comes back as %04x", h, back[0])
		case infinite && !math.IsInf(float64(f[0]), 1-2*int(h>>15)):
			t.Fatalf("%04x is %g", h, f[0])
		case !isNaN && !infinite && float64(f[0]) != f16Value(h):
			t.Fatalf("%04x is %g, want %g", h, f[0], f16Value(h))
		}
	}
}

// TestF16Rounding checks the numbers half way between two neighbours, and those
// next to them.
func TestF16Rounding(t *testing.T) {
	for h := uint16(0); h < 0x7c00; h++ {
		upper := 65536.0
		if h < 0x7bff {
			upper = f16Value(h + 1)
		}
		middle := float32((f16Value(h) + upper) / 2)
		even := h + h&1
		for _, c := range []struct {
			v    float32
			want uint16
		}{
			{middle, even},
			{math.Nextafter32(middle, 0), h},
			{math.Nextafter32(middle, 1e9), h + 1},
			{-middle, even | 0x8000},
		} {
			var got [1]uint16
			if F32ToF16(got[:], []float32{c.v}); got[0] != c.want {
				t.Fatalf("%g becomes %04x, want %04x", c.v, got[0], c.want)
			}
		}
	}
}

func TestBF16(t *testing.T) {
	for i := range 1 << 16 {
		h := uint16(i)
		var f [1]float32
		var got [3]uint16
		BF16ToF32(f[:], []uint16{h})
		bits := uint32(h) << 16
		if math.Float32bits(f[0]) != bits {
			t.Fatalf("%04x is %08x", h, math.Float32bits(f[0]))
		}
		if h&0x7fff > 0x7f80 {
			if F32ToBF16(got[:1], f[:]); got[0]&0x7fff <= 0x7f80 {
				t.Fatalf("NaN %04x becomes %04x", h, got[0])
			}
			continue
		}
		if h&0x7fff == 0x7f80 {
			continue // beyond infinity lies NaN
		}
		F32ToBF16(got[:], []float32{math.Float32frombits(bits | 0x7fff), math.Float32frombits(bits | 0x8000), math.Float32frombits(bits | 0x8001)})
		if got != [3]uint16{h, h + h&1, h + 1} {
			t.Fatalf("around %04x: %04x", h, got)
		}
	}
	var got [2]uint16
	F32ToBF16(got[:], []float32{float32(math.Inf(1)), math.Float32frombits(0x7f800001)})
	if got[0] != 0x7f80 || got[1]&0x7fff <= 0x7f80 {
		t.Errorf("infinity and the least NaN become %04x", got)
	}
}

func BenchmarkHalf(b *testing.B) {
	const n = 8192
	f, h := make([]float32, n), make([]uint16, n)
	for i := range f {
		f[i] = float32(i)/100 - 40
	}
	benchVec(b, "F32ToF16", n, func() { F32ToF16(h, f) })
	benchVec(b, "F16ToF32", n, func() { F16ToF32(f, h) })
	benchVec(b, "F32ToBF16", n, func() { F32ToBF16(h, f) })
	benchVec(b, "BF16ToF32", n, func() { BF16ToF32(f, h) })
}
