package ptx

import (
	"math"
	"math/bits"
	"strconv"
)

// A function is an instruction that computes a number from up to three.
type function struct {
	to      int   // bits of the result
	from    []int // bits of the operands
	compute func(a, b, c uint64) uint64
	divides bool // b must not be 0
	wider   bool // the operand may be in a wider register, whose low bits count (9.4.1)
}

// functions are all of these, by their full name.
var functions = makeFunctions()

func makeFunctions() map[string]function {
	t := make(table)
	for _, width := range []int{16, 32, 64} {
		t.addIntegers(width)
		t.addBits(width)
	}
	t.addWide()
	t.addPredicates()
	t.addSpecial32()
	t.addFloats()
	t.addIntegerConversions()
	t.addFloatConversions()
	return t
}

type table map[string]function

// numbers adds an instruction whose operands and result have one width.
func (t table) numbers(name string, width, operands int, f func(a, b, c uint64) uint64) {
	from := []int{width, width, width}
	t[name] = function{to: width, from: from[:operands], compute: f}
}

// addIntegers adds arithmetic (9.7.1) and comparisons (9.7.5).
func (t table) addIntegers(w int) {
	for _, kind := range []string{"s", "u"} {
		isSigned := kind == "s"
		n := "." + kind + strconv.Itoa(w)
		wide := func(v uint64) int64 { // comparable
			if isSigned {
				return signed(v, w)
			}
			return int64(v ^ 1<<63)
		}
		t.numbers("add"+n, w, 2, func(a, b, _ uint64) uint64 { return cut(a+b, w) })
		t.numbers("sub"+n, w, 2, func(a, b, _ uint64) uint64 { return cut(a-b, w) })
		t.numbers("mul.lo"+n, w, 2, func(a, b, _ uint64) uint64 { return cut(a*b, w) })
		t.numbers("mul.hi"+n, w, 2, func(a, b, _ uint64) uint64 { return mulHigh(a, b, w, isSigned) })
		t.numbers("mad.lo"+n, w, 3, func(a, b, c uint64) uint64 { return cut(a*b+c, w) })
		t.numbers("min"+n, w, 2, func(a, b, _ uint64) uint64 {
			if wide(b) < wide(a) {
				return b
			}
			return a
		})
		t.numbers("max"+n, w, 2, func(a, b, _ uint64) uint64 {
			if wide(b) > wide(a) {
				return b
			}
			return a
		})
		t["shr"+n] = function{to: w, from: []int{w, 32}, compute: func(a, b, _ uint64) uint64 { return shiftRight(a, b, w, isSigned) }}
		t["div"+n] = function{to: w, from: []int{w, w}, divides: true, compute: func(a, b, _ uint64) uint64 {
			if isSigned {
				return cut(uint64(signed(a, w)/signed(b, w)), w)
			}
			return a / b
		}}
		t["rem"+n] = function{to: w, from: []int{w, w}, divides: true, compute: func(a, b, _ uint64) uint64 {
			if isSigned {
				return cut(uint64(signed(a, w)%signed(b, w)), w)
			}
			return a % b
		}}
		for name, holds := range orders {
			t["setp."+name+n] = function{to: 1, from: []int{w, w}, compute: func(a, b, _ uint64) uint64 {
				x, y := wide(a), wide(b)
				return truth(holds(x < y, x == y))
			}}
		}
	}
	n := ".s" + strconv.Itoa(w)
	t.numbers("neg"+n, w, 1, func(a, _, _ uint64) uint64 { return cut(-a, w) })
	t.numbers("abs"+n, w, 1, func(a, _, _ uint64) uint64 {
		if signed(a, w) < 0 {
			return cut(-a, w)
		}
		return a
	})
}

// orders are the comparisons, given whether the first number is less or equal.
var orders = map[string]func(less, equal bool) bool{
	"eq": func(_, equal bool) bool { return equal },
	"ne": func(_, equal bool) bool { return !equal },
	"lt": func(less, _ bool) bool { return less },
	"le": func(less, equal bool) bool { return less || equal },
	"gt": func(less, equal bool) bool { return !less && !equal },
	"ge": func(less, _ bool) bool { return !less },
}

func truth(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

// addBits adds what takes numbers as bits (9.7.7) and moves them.
func (t table) addBits(w int) {
	n := ".b" + strconv.Itoa(w)
	t.numbers("and"+n, w, 2, func(a, b, _ uint64) uint64 { return a & b })
	t.numbers("or"+n, w, 2, func(a, b, _ uint64) uint64 { return a | b })
	t.numbers("xor"+n, w, 2, func(a, b, _ uint64) uint64 { return a ^ b })
	t.numbers("not"+n, w, 1, func(a, _, _ uint64) uint64 { return cut(^a, w) })
	t["shl"+n] = function{to: w, from: []int{w, 32}, compute: func(a, b, _ uint64) uint64 { return shiftLeft(a, b, w) }}
	for _, equal := range []string{"eq", "ne"} {
		want := equal == "eq"
		t["setp."+equal+n] = function{to: 1, from: []int{w, w}, compute: func(a, b, _ uint64) uint64 { return truth((a == b) == want) }}
	}
	for _, kind := range []string{"b", "u", "s", "f"} {
		k := "." + kind + strconv.Itoa(w)
		if k == ".f16" {
			continue
		}
		t["selp"+k] = function{to: w, from: []int{w, w, 1}, compute: func(a, b, p uint64) uint64 {
			if p != 0 {
				return a
			}
			return b
		}}
		t.numbers("mov"+k, w, 1, func(a, _, _ uint64) uint64 { return a })
	}
}

// addWide adds products twice as wide as their factors.
func (t table) addWide() {
	for _, w := range []int{16, 32} {
		s, u := ".wide.s"+strconv.Itoa(w), ".wide.u"+strconv.Itoa(w)
		product := func(a, b uint64) uint64 { return cut(uint64(signed(a, w)*signed(b, w)), 2*w) }
		two, three := []int{w, w}, []int{w, w, 2 * w}
		t["mul"+s] = function{to: 2 * w, from: two, compute: func(a, b, _ uint64) uint64 { return product(a, b) }}
		t["mul"+u] = function{to: 2 * w, from: two, compute: func(a, b, _ uint64) uint64 { return a * b }}
		t["mad"+s] = function{to: 2 * w, from: three, compute: func(a, b, c uint64) uint64 { return cut(product(a, b)+c, 2*w) }}
		t["mad"+u] = function{to: 2 * w, from: three, compute: func(a, b, c uint64) uint64 { return cut(a*b+c, 2*w) }}
	}
}

func (t table) addPredicates() {
	t.numbers("and.pred", 1, 2, func(a, b, _ uint64) uint64 { return a & b })
	t.numbers("or.pred", 1, 2, func(a, b, _ uint64) uint64 { return a | b })
	t.numbers("xor.pred", 1, 2, func(a, b, _ uint64) uint64 { return a ^ b })
	t.numbers("not.pred", 1, 1, func(a, _, _ uint64) uint64 { return a ^ 1 })
	t.numbers("mov.pred", 1, 1, func(a, _, _ uint64) uint64 { return a })
}

// addSpecial32 adds instructions that exist for 32 bits alone, or are needed there.
func (t table) addSpecial32() {
	t.numbers("popc.b32", 32, 1, func(a, _, _ uint64) uint64 { return uint64(bits.OnesCount32(uint32(a))) })
	t.numbers("clz.b32", 32, 1, func(a, _, _ uint64) uint64 { return uint64(bits.LeadingZeros32(uint32(a))) })
	t.numbers("brev.b32", 32, 1, func(a, _, _ uint64) uint64 { return uint64(bits.Reverse32(uint32(a))) })
	t.numbers("bfe.u32", 32, 3, func(a, b, c uint64) uint64 { return cut(shiftRight(a, b&0xff, 32, false), int(min(c&0xff, 32))) })
	t.numbers("shf.l.wrap.b32", 32, 3, func(a, b, c uint64) uint64 { return cut((b<<32|a)<<(c&31)>>32, 32) })
	t.numbers("shf.r.wrap.b32", 32, 3, func(a, b, c uint64) uint64 { return cut((b<<32|a)>>(c&31), 32) })
	t.numbers("prmt.b32", 32, 3, func(a, b, c uint64) (r uint64) {
		bytes := b<<32 | a
		for i := range 4 {
			selector := c >> (4 * i)
			v := bytes >> (8 * (selector & 7)) & 0xff
			if selector&8 != 0 { // its sign, eight times
				v = v >> 7 * 0xff
			}
			r |= v << (8 * i)
		}
		return r
	})
}

// addFloats adds arithmetic of floating point (9.7.3). It has no adds and muls without
// a rounding, which a driver may fuse, and nothing approximate or flushed to zero.
func (t table) addFloats() {
	t.numbers("add.rn.f32", 32, 2, func(a, b, _ uint64) uint64 { return bits32(f32(a) + f32(b)) })
	t.numbers("sub.rn.f32", 32, 2, func(a, b, _ uint64) uint64 { return bits32(f32(a) - f32(b)) })
	t.numbers("mul.rn.f32", 32, 2, func(a, b, _ uint64) uint64 { return bits32(f32(a) * f32(b)) })
	t.numbers("div.rn.f32", 32, 2, func(a, b, _ uint64) uint64 { return bits32(f32(a) / f32(b)) })
	t.numbers("rcp.rn.f32", 32, 1, func(a, _, _ uint64) uint64 { return bits32(1 / f32(a)) })
	t.numbers("fma.rn.f32", 32, 3, func(a, b, c uint64) uint64 { return bits32(fma32(f32(a), f32(b), f32(c))) })
	t.numbers("sqrt.rn.f32", 32, 1, func(a, _, _ uint64) uint64 { return bits32(float32(math.Sqrt(float64(f32(a))))) })
	t.numbers("add.rn.f64", 64, 2, func(a, b, _ uint64) uint64 { return bits64(f64(a) + f64(b)) })
	t.numbers("sub.rn.f64", 64, 2, func(a, b, _ uint64) uint64 { return bits64(f64(a) - f64(b)) })
	t.numbers("mul.rn.f64", 64, 2, func(a, b, _ uint64) uint64 { return bits64(f64(a) * f64(b)) })
	t.numbers("div.rn.f64", 64, 2, func(a, b, _ uint64) uint64 { return bits64(f64(a) / f64(b)) })
	t.numbers("rcp.rn.f64", 64, 1, func(a, _, _ uint64) uint64 { return bits64(1 / f64(a)) })
	t.numbers("fma.rn.f64", 64, 3, func(a, b, c uint64) uint64 { return bits64(math.FMA(f64(a), f64(b), f64(c))) })
	t.numbers("sqrt.rn.f64", 64, 1, func(a, _, _ uint64) uint64 { return bits64(math.Sqrt(f64(a))) })
	t.addFloatsOf(32, func(u uint64) float64 { return float64(f32(u)) }, func(x float64) uint64 { return bits32(float32(x)) })
	t.addFloatsOf(64, f64, bits64)
}

// addFloatsOf adds what is the same for both widths, given how to read and write.
func (t table) addFloatsOf(w int, read func(uint64) float64, write func(float64) uint64) {
	n := ".f" + strconv.Itoa(w)
	sign := uint64(1) << (w - 1)
	canonical := func(v uint64) uint64 {
		if x := read(v); x != x {
			return write(x)
		}
		return v
	}
	t.numbers("neg"+n, w, 1, func(a, _, _ uint64) uint64 { return canonical(a ^ sign) })
	t.numbers("abs"+n, w, 1, func(a, _, _ uint64) uint64 { return canonical(a &^ sign) })
	t.numbers("copysign"+n, w, 2, func(a, b, _ uint64) uint64 { return a&sign | b&^sign })
	t.numbers("min"+n, w, 2, func(a, b, _ uint64) uint64 { return write(minmax(read(a), read(b), false)) })
	t.numbers("max"+n, w, 2, func(a, b, _ uint64) uint64 { return write(minmax(read(a), read(b), true)) })
	compare := func(name string, f func(x, y float64) bool) {
		t["setp."+name+n] = function{to: 1, from: []int{w, w}, compute: func(a, b, _ uint64) uint64 { return truth(f(read(a), read(b))) }}
	}
	unordered := func(x, y float64) bool { return x != x || y != y }
	for name, holds := range orders {
		compare(name, func(x, y float64) bool { return !unordered(x, y) && holds(x < y, x == y) })
		compare(name+"u", func(x, y float64) bool { return unordered(x, y) || holds(x < y, x == y) })
	}
	compare("num", func(x, y float64) bool { return !unordered(x, y) })
	compare("nan", unordered)
}

// addIntegerConversions adds cvt between integers, whose widths are also those of 8
// bits in registers of 16 and more.
func (t table) addIntegerConversions() {
	for _, from := range []int{8, 16, 32, 64} {
		for _, to := range []int{16, 32, 64} {
			for _, kinds := range []string{"uu", "us", "su", "ss"} {
				name := "cvt." + kinds[:1] + strconv.Itoa(to) + "." + kinds[1:] + strconv.Itoa(from)
				isSigned := kinds[1] == 's'
				t[name] = function{to: to, from: []int{max(from, 16)}, wider: true, compute: func(a, _, _ uint64) uint64 {
					if isSigned {
						return cut(uint64(signed(a, from)), to)
					}
					return cut(cut(a, from), to)
				}}
			}
		}
	}
}

// addFloatConversions adds cvt from and to floating point.
func (t table) addFloatConversions() {
	for _, w := range []int{16, 32, 64} {
		for _, kind := range []string{"s", "u"} {
			isSigned := kind == "s"
			n := "." + kind + strconv.Itoa(w)
			extend := func(v uint64) uint64 {
				if isSigned {
					return uint64(signed(v, w))
				}
				return v
			}
			for _, mode := range []string{"rzi", "rni", "rmi", "rpi"} {
				t["cvt."+mode+n+".f32"] = function{to: w, from: []int{32}, compute: func(a, _, _ uint64) uint64 {
					return toInteger(float64(f32(a)), mode, w, isSigned)
				}}
				t["cvt."+mode+n+".f64"] = function{to: w, from: []int{64}, compute: func(a, _, _ uint64) uint64 {
					return toInteger(f64(a), mode, w, isSigned)
				}}
			}
			t["cvt.rn.f32"+n] = function{to: 32, from: []int{w}, compute: func(a, _, _ uint64) uint64 { return bits32(toFloat32(extend(a), isSigned)) }}
			t["cvt.rn.f64"+n] = function{to: 64, from: []int{w}, compute: func(a, _, _ uint64) uint64 { return bits64(toFloat64(extend(a), isSigned)) }}
		}
	}
	for _, mode := range []string{"rzi", "rni", "rmi", "rpi"} {
		t.numbers("cvt."+mode+".f32.f32", 32, 1, func(a, _, _ uint64) uint64 { return bits32(float32(integral(float64(f32(a)), mode))) })
		t.numbers("cvt."+mode+".f64.f64", 64, 1, func(a, _, _ uint64) uint64 { return bits64(integral(f64(a), mode)) })
	}
	t["cvt.f64.f32"] = function{to: 64, from: []int{32}, compute: func(a, _, _ uint64) uint64 { return bits64(float64(f32(a))) }}
	t["cvt.rn.f32.f64"] = function{to: 32, from: []int{64}, compute: func(a, _, _ uint64) uint64 { return bits32(float32(f64(a))) }}
	t.numbers("cvt.rn.bf16x2.f32", 32, 2, func(a, b, _ uint64) uint64 { return bf16(f32(a))<<16 | bf16(f32(b)) })
	t.numbers("cvt.rna.tf32.f32", 32, 1, func(a, _, _ uint64) uint64 { return tf32(a) })
	t["cvt.rn.bf16.f32"] = function{to: 16, from: []int{32}, compute: func(a, _, _ uint64) uint64 { return bf16(f32(a)) }}
}
