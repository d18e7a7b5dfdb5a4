package main

import (
	"slices"
	"sort"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// Operations on a vec. Operands are vecs, or constants, which are broadcast;
// results are new registers unless the comment says otherwise.

// An operation is an instruction of two operands: AVX's, and its name for arm64.
type operation struct {
	avx  func(ops ...Op)
	neon string
}

var (
	opAdd      = operation{VADDPS, "fadd.4s"}
	opSubtract = operation{VSUBPS, "fsub.4s"}
	opMultiply = operation{VMULPS, "fmul.4s"}
	opDivide   = operation{VDIVPS, "fdiv.4s"}
	opMin      = operation{VMINPS, "fmin.4s"}
	opMax      = operation{VMAXPS, "fmax.4s"}
	opAnd      = operation{VANDPS, "and"}
	opOr       = operation{VORPS, "orr"}
	opXor      = operation{VXORPS, "eor"}
	opAddWide  = operation{VADDPD, "fadd.2d"} // of float64s
)

// apply sets d to a op b.
func apply(op operation, d, a, b Op) {
	if onARM {
		arm(op.neon, d, a, b)
		return
	}
	op.avx(b, a, d)
}

// vecOf returns o as registers to read.
func (k *kernel) vecOf(o any) vec {
	switch c := o.(type) {
	case Mem:
		return k.broadcastFrom(c)
	case armLanes:
		r := k.register()
		k.constantARM(c, r)
		return vec{r}
	}
	return o.(vec)
}

// broadcastFrom returns the four bytes at m in all lanes.
func (k *kernel) broadcastFrom(m Mem) vec {
	r := k.register()
	if onARM {
		armMove("FMOVS", m, r)
		return k.broadcast(r)
	}
	VBROADCASTSS(m, r)
	return vec{r}
}

// spread makes a vec of one register as long as what is in flight.
func (k *kernel) spread(v vec) vec {
	for len(v) < k.flight {
		v = append(v[:len(v):len(v)], v[0])
	}
	return v
}

// copy returns o in new registers, for an instruction that overwrites them.
func (k *kernel) copy(o any) vec {
	v := k.fresh()
	switch c := o.(type) {
	case Mem:
		k.each(func(i int) { VBROADCASTSS(c, v[i]) })
		return v
	case armLanes:
		k.each(func(i int) { k.constantARM(c, v[i]) })
		return v
	}
	from := k.spread(o.(vec))
	k.each(func(i int) { move(from[i], v[i]) })
	return v
}

// move sets a register to another.
func move(from, to Op) {
	if onARM {
		arm("mov", to, from, from)
		return
	}
	VMOVAPS(from, to)
}

// binary returns a op b.
func (k *kernel) binary(op operation, a, b any) vec {
	x, y, v := k.spread(k.vecOf(a)), k.spread(k.vecOf(b)), k.fresh()
	k.each(func(i int) { apply(op, v[i], x[i], y[i]) })
	return v
}

func (k *kernel) add(a, b any) vec { return k.binary(opAdd, a, b) }
func (k *kernel) sub(a, b any) vec { return k.binary(opSubtract, a, b) }
func (k *kernel) mul(a, b any) vec { return k.binary(opMultiply, a, b) }
func (k *kernel) div(a, b any) vec { return k.binary(opDivide, a, b) }
func (k *kernel) and(a, b any) vec { return k.binary(opAnd, a, b) }
func (k *kernel) or(a, b any) vec  { return k.binary(opOr, a, b) }
func (k *kernel) xor(a, b any) vec { return k.binary(opXor, a, b) }

// negate returns -a, abs |a|.
func (k *kernel) negate(a any) vec { return k.xor(a, word(1<<31)) }
func (k *kernel) abs(a any) vec    { return k.and(a, word(1<<31-1)) }

// atMost returns the lesser of a and limit, atLeast the greater; NaN stays
// NaN, since AVX's instructions return their last operand when either is, and
// ARM's NaN.
func (k *kernel) atMost(a, limit any) vec  { return k.binary(opMin, limit, a) }
func (k *kernel) atLeast(a, limit any) vec { return k.binary(opMax, limit, a) }

// within returns a clamped to [-limit, limit]; NaN stays NaN.
func (k *kernel) within(a any, limit float64) vec {
	return k.atMost(k.atLeast(a, constant(-limit)), constant(limit))
}

// fma returns a b + c.
func (k *kernel) fma(a, b, c any) vec {
	return k.fmaInto(k.copy(c), a, b)
}

// fnma returns c - a b.
func (k *kernel) fnma(a, b, c any) vec {
	return k.fnmaInto(k.copy(c), a, b)
}

// fnmaInto subtracts a b from v and returns v, changed in place.
func (k *kernel) fnmaInto(v vec, a, b any) vec {
	x, y := k.spread(k.vecOf(a)), k.spread(k.vecOf(b))
	k.each(func(i int) {
		if onARM {
			armInto("fmls.4s", v[i], x[i], y[i])
		} else {
			VFNMADD231PS(y[i], x[i], v[i])
		}
	})
	return v
}

// fmaInto adds a b to v, and addInto adds a; both return v, changed in place.
func (k *kernel) fmaInto(v vec, a, b any) vec {
	x, y := k.spread(k.vecOf(a)), k.spread(k.vecOf(b))
	k.each(func(i int) {
		if onARM {
			armInto("fmla.4s", v[i], x[i], y[i])
		} else {
			VFMADD231PS(y[i], x[i], v[i])
		}
	})
	return v
}

func (k *kernel) addInto(v vec, a any) vec {
	x := k.spread(k.vecOf(a))
	k.each(func(i int) { apply(opAdd, v[i], v[i], x[i]) })
	return v
}

// polynomial returns c[0] + c[1] x + ..., by Horner's rule.
func (k *kernel) polynomial(x vec, c ...float64) vec {
	n := len(c) - 1
	p := k.fma(x, constant(c[n]), constant(c[n-1]))
	for i := n - 2; i >= 0; i-- {
		k.hornerInto(p, x, constant(c[i]))
	}
	return p
}

// hornerInto replaces p by p x + c; it may lose c. ARM's instruction overwrites
// what it adds to, so there p becomes other registers.
func (k *kernel) hornerInto(p, x vec, c any) {
	if onARM {
		sum, ok := c.(vec)
		if !ok {
			sum = k.copy(c)
		}
		copy(p, k.fmaInto(sum, slices.Clone(p), x))
		return
	}
	y := k.spread(k.vecOf(c))
	k.each(func(i int) { VFMADD213PS(y[i], x[i], p[i]) })
}

func (k *kernel) sqrt(a vec) vec {
	v := k.fresh()
	k.each(func(i int) {
		if onARM {
			arm("fsqrt.4s", v[i], a[i])
		} else {
			VSQRTPS(a[i], v[i])
		}
	})
	return v
}

// shiftLeft returns the 32-bit lanes of a shifted by n.
func (k *kernel) shiftLeft(a vec, n uint64) vec {
	v := k.fresh()
	k.each(func(i int) {
		if onARM {
			arm("shl.4s", v[i], a[i], Imm(n))
		} else {
			VPSLLD(Imm(n), a[i], v[i])
		}
	})
	return v
}

// whereNegative returns a where the sign bit of x is set and b elsewhere.
func (k *kernel) whereNegative(x, a, b vec) vec {
	v := k.fresh()
	k.each(func(i int) {
		switch k.lanes {
		case 4:
			arm("cmlt.4s", v[i], x[i])
			armInto("bsl", v[i], a[i], b[i])
			return
		case 8:
			VBLENDVPS(x[i], a[i], b[i], v[i])
			return
		}
		negative := K()
		VPMOVD2M(x[i], negative)
		VBLENDMPS(a[i], b[i], negative, v[i])
	})
	return v
}

// A comparison is the predicate of VCMPPS.
type comparison uint64

const (
	unordered      comparison = 0x03 // either is NaN; only of a number with itself
	notLessOrEqual comparison = 0x16 // a > b or either is NaN
)

// keepWhere returns v where a compares to b, and zero elsewhere.
func (k *kernel) keepWhere(c comparison, a, b any, v vec) vec {
	x, y, r := k.spread(k.vecOf(a)), k.spread(k.vecOf(b)), k.fresh()
	k.each(func(i int) {
		switch k.lanes {
		case 4: // compare for the opposite, which NaN never is
			opposite := map[comparison]string{unordered: "fcmeq.4s", notLessOrEqual: "fcmge.4s"}[c]
			arm(opposite, r[i], y[i], x[i])
			arm("bic", r[i], v[i], r[i])
			return
		case 8:
			VCMPPS(Imm(uint64(c)), y[i], x[i], r[i])
			VANDPS(v[i], r[i], r[i])
			return
		}
		keep := K()
		VCMPPS(Imm(uint64(c)), y[i], x[i], keep)
		VMOVAPS_Z(v[i], keep, r[i])
	})
	return r
}

// live returns v with zeros in the lanes that are not in use.
func (k *kernel) live(v vec) vec {
	if !k.partial {
		return v
	}
	r := k.register()
	switch k.lanes {
	case 4:
		arm("low.s", r, v[0])
	case 8:
		VANDPS(k.maskY, v[0], r)
	default:
		VMOVAPS_Z(v[0], k.maskK, r)
	}
	return vec{r}
}

// liveOr returns v with other in the lanes that are not in use.
func (k *kernel) liveOr(v, other vec) vec {
	if !k.partial {
		return v
	}
	r := k.register()
	switch k.lanes {
	case 4:
		move(other[0], r)
		armInto("ins.s", r, v[0])
	case 8:
		VBLENDVPS(k.maskY, v[0], other[0], r)
	default:
		VBLENDMPS(v[0], other[0], k.maskK, r)
	}
	return vec{r}
}

// zeros returns n registers that hold zeros.
func (k *kernel) zeros(n int) vec {
	v := make(vec, n)
	for i := range v {
		v[i] = k.register()
		if onARM {
			arm("zero", v[i])
		} else {
			VXORPS(v[i], v[i], v[i])
		}
	}
	return v
}

// fold combines all lanes of v by op, in a fixed order, and leaves the result
// in the lowest lane of the register it returns, which is v[0]. The length of v
// is a power of two.
func (k *kernel) fold(op operation, v vec) VecVirtual {
	r := k.fold64(op, v)
	if onARM {
		half := k.register()
		arm("rev64", half, r)
		apply(op, r, r, half)
		return r
	}
	half := XMM()
	VPERMILPS(Imm(0xb1), r.AsX(), half)
	op.avx(half, r.AsX(), r.AsX())
	return r
}

// fold64 is fold but for the last step, that between the two 32-bit halves of
// the lowest 64 bits: all of fold where op works on 64-bit lanes.
func (k *kernel) fold64(op operation, v vec) VecVirtual {
	for n := len(v); n > 1; n /= 2 {
		for i := range n / 2 {
			apply(op, v[i], v[i], v[i+n/2])
		}
	}
	r := v[0]
	if onARM {
		half := k.register()
		arm("ext8", half, r, r)
		apply(op, r, r, half)
		return r
	}
	if k.lanes == 16 {
		high := YMM()
		VEXTRACTF64X4(Imm(1), r, high)
		op.avx(high, r.AsY(), r.AsY())
	}
	half := XMM()
	VEXTRACTF128(Imm(1), r.AsY(), half)
	op.avx(half, r.AsX(), r.AsX())
	VPERMILPS(Imm(0x4e), r.AsX(), half)
	op.avx(half, r.AsX(), r.AsX())
	return r
}

// broadcast returns the lowest lane of r in all lanes.
func (k *kernel) broadcast(r VecVirtual) vec {
	v := k.register()
	if onARM {
		arm("dup.4s", v, r)
		return vec{v}
	}
	VBROADCASTSS(r.AsX(), v)
	return vec{v}
}

func sortedKeys(m map[string]string) []string {
	var keys []string
	for key := range m {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	return keys
}
