package main

import (
	"sort"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// Operations on a vec. Operands are vecs, or the address of a constant, which
// is broadcast; results are new registers unless the comment says otherwise.

type instruction = func(ops ...Op)

// vecOf returns o as registers to read.
func (k *kernel) vecOf(o any) vec {
	if m, ok := o.(Mem); ok {
		r := k.register()
		VBROADCASTSS(m, r)
		return vec{r}
	}
	return o.(vec)
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
	if m, ok := o.(Mem); ok {
		k.each(func(i int) { VBROADCASTSS(m, v[i]) })
		return v
	}
	from := k.spread(o.(vec))
	k.each(func(i int) { VMOVAPS(from[i], v[i]) })
	return v
}

// binary returns a op b.
func (k *kernel) binary(op instruction, a, b any) vec {
	x, y, v := k.spread(k.vecOf(a)), k.spread(k.vecOf(b)), k.fresh()
	k.each(func(i int) { op(y[i], x[i], v[i]) })
	return v
}

func (k *kernel) add(a, b any) vec { return k.binary(VADDPS, a, b) }
func (k *kernel) sub(a, b any) vec { return k.binary(VSUBPS, a, b) }
func (k *kernel) mul(a, b any) vec { return k.binary(VMULPS, a, b) }
func (k *kernel) div(a, b any) vec { return k.binary(VDIVPS, a, b) }
func (k *kernel) and(a, b any) vec { return k.binary(VANDPS, a, b) }
func (k *kernel) or(a, b any) vec  { return k.binary(VORPS, a, b) }
func (k *kernel) xor(a, b any) vec { return k.binary(VXORPS, a, b) }

// negate returns -a, abs |a|.
func (k *kernel) negate(a any) vec { return k.xor(a, word(1<<31)) }
func (k *kernel) abs(a any) vec    { return k.and(a, word(1<<31-1)) }

// atMost returns the lesser of a and limit, atLeast the greater; NaN stays
// NaN, since the instructions return their last operand when either is.
func (k *kernel) atMost(a, limit any) vec  { return k.binary(VMINPS, limit, a) }
func (k *kernel) atLeast(a, limit any) vec { return k.binary(VMAXPS, limit, a) }

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
	k.each(func(i int) { VFNMADD231PS(y[i], x[i], v[i]) })
	return v
}

// fmaInto adds a b to v, and addInto adds a; both return v, changed in place.
func (k *kernel) fmaInto(v vec, a, b any) vec {
	x, y := k.spread(k.vecOf(a)), k.spread(k.vecOf(b))
	k.each(func(i int) { VFMADD231PS(y[i], x[i], v[i]) })
	return v
}

func (k *kernel) addInto(v vec, a any) vec {
	x := k.spread(k.vecOf(a))
	k.each(func(i int) { VADDPS(x[i], v[i], v[i]) })
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

// hornerInto replaces p by p x + c.
func (k *kernel) hornerInto(p, x vec, c any) {
	y := k.spread(k.vecOf(c))
	k.each(func(i int) { VFMADD213PS(y[i], x[i], p[i]) })
}

func (k *kernel) sqrt(a vec) vec {
	v := k.fresh()
	k.each(func(i int) { VSQRTPS(a[i], v[i]) })
	return v
}

// shiftLeft returns the 32-bit lanes of a shifted by n.
func (k *kernel) shiftLeft(a vec, n uint64) vec {
	v := k.fresh()
	k.each(func(i int) { VPSLLD(Imm(n), a[i], v[i]) })
	return v
}

// whereNegative returns a where the sign bit of x is set and b elsewhere.
func (k *kernel) whereNegative(x, a, b vec) vec {
	v := k.fresh()
	k.each(func(i int) {
		if k.lanes == 8 {
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
	unordered      comparison = 0x03 // either is NaN
	notLessOrEqual comparison = 0x16 // a > b or either is NaN
)

// keepWhere returns v where a compares to b, and zero elsewhere.
func (k *kernel) keepWhere(c comparison, a, b any, v vec) vec {
	x, y, r := k.spread(k.vecOf(a)), k.spread(k.vecOf(b)), k.fresh()
	k.each(func(i int) {
		if k.lanes == 8 {
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
	if k.lanes == 8 {
		VANDPS(k.maskY, v[0], r)
	} else {
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
	if k.lanes == 8 {
		VBLENDVPS(k.maskY, v[0], other[0], r)
	} else {
		VBLENDMPS(v[0], other[0], k.maskK, r)
	}
	return vec{r}
}

// zeros returns n registers that hold zeros.
func (k *kernel) zeros(n int) vec {
	v := make(vec, n)
	for i := range v {
		v[i] = k.register()
		VXORPS(v[i], v[i], v[i])
	}
	return v
}

// fold combines all lanes of v by op, in a fixed order, and leaves the result
// in the lowest lane of the register it returns, which is v[0]. The length of v
// is a power of two.
func (k *kernel) fold(op instruction, v vec) VecVirtual {
	r := k.fold64(op, v)
	half := XMM()
	VPERMILPS(Imm(0xb1), r.AsX(), half)
	op(half, r.AsX(), r.AsX())
	return r
}

// fold64 is fold but for the last step, that between the two 32-bit halves of
// the lowest 64 bits: all of fold where op works on 64-bit lanes.
func (k *kernel) fold64(op instruction, v vec) VecVirtual {
	for n := len(v); n > 1; n /= 2 {
		for i := range n / 2 {
			op(v[i+n/2], v[i], v[i])
		}
	}
	r := v[0]
	if k.lanes == 16 {
		high := YMM()
		VEXTRACTF64X4(Imm(1), r, high)
		op(high, r.AsY(), r.AsY())
	}
	half := XMM()
	VEXTRACTF128(Imm(1), r.AsY(), half)
	op(half, r.AsX(), r.AsX())
	VPERMILPS(Imm(0x4e), r.AsX(), half)
	op(half, r.AsX(), r.AsX())
	return r
}

// broadcast returns the lowest lane of r in all lanes.
func (k *kernel) broadcast(r VecVirtual) vec {
	v := k.register()
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
