package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// result stores the lowest lane of r as the function's result, a float32.
func (k *kernel) result(r VecVirtual) { storeLowest(r, k.returned()) }

// storeLowest writes the lowest lane of r.
func storeLowest(r VecVirtual, m Mem) {
	if onARM {
		armMove("FMOVS", r, m)
		return
	}
	VMOVSS(r.AsX(), m)
}

// returned returns the address of the function's result.
func (k *kernel) returned() Mem {
	component := ReturnIndex
	if onARM {
		component = neon.ReturnIndex
	}
	b, err := component(0).Resolve()
	if err != nil {
		panic(err)
	}
	return b.Addr
}

// emitReductions emits what turns a vector into a number.
func emitReductions(set instructionSet) {
	k := newKernel(set, "dot", "a, b *float32, n int", "float32", "returns Σ a b, in a fixed order.")
	total := k.zeros(4)
	k.columns("n", 4, func() { k.fmaInto(total, k.load("a"), k.load("b")) })
	k.result(k.fold(opAdd, total))
	k.done()

	k = newKernel(set, "sumSquares", "x *float32, n int", "float64", "returns Σ x², in a fixed order.")
	total = k.zeros(4)
	k.columns("n", 2, func() {
		for i, v := range k.widen(k.load("x")) {
			fmaWide(v, v, total[i])
		}
	})
	if sum := k.fold64(opAddWide, total); onARM {
		armMove("FMOVD", sum, k.returned())
	} else {
		VMOVSD(sum.AsX(), k.returned())
	}
	k.done()

	emitMax(set)
}

// emitMax emits the search for the greatest element. AVX's instruction forgets
// NaN, so the bits of NaNs are gathered beside it.
func emitMax(set instructionSet) {
	k := newKernel(set, "max", "x *float32, n int", "float32", "returns the maximum of x, NaN if any element is NaN.")
	k.flight = 4
	best, nan := k.copy(word(0xff800000)), k.zeros(1)
	k.columns("n", 4, func() {
		v := k.liveOr(k.load("x"), best)
		seen := k.keepWhere(unordered, v, v, v)
		k.each(func(i int) {
			apply(opMax, best[i], best[i], v[i])
			apply(opOr, nan[0], nan[0], seen[i])
		})
	})
	extreme, bits := k.fold(opMax, best), k.fold(opOr, nan)
	if onARM {
		arm("orr", extreme, extreme, bits)
	} else {
		VORPS(bits.AsX(), extreme.AsX(), extreme.AsX())
	}
	k.result(extreme)
	k.done()
}

// widen returns the lanes of v as float64s, two registers for each of v's.
func (k *kernel) widen(v vec) vec {
	var wide vec
	for _, r := range v {
		low, high := k.register(), k.register()
		switch k.lanes {
		case 4:
			arm("fcvtl", low, r)
			arm("fcvtl2", high, r)
		case 8:
			half := XMM()
			VEXTRACTF128(Imm(1), r, half)
			VCVTPS2PD(r.AsX(), low)
			VCVTPS2PD(half, high)
		default:
			half := YMM()
			VEXTRACTF64X4(Imm(1), r, half)
			VCVTPS2PD(r.AsY(), low)
			VCVTPS2PD(half, high)
		}
		wide = append(wide, low, high)
	}
	return wide
}

// emitSoftmax emits the sums of exponentials.
func emitSoftmax(set instructionSet) {
	k := newKernel(set, "expSub", "dst, x *float32, c float32, n int", "float32",
		"sets dst = e^(x - c) and returns its sum.")
	total := k.zeros(2)
	k.columns("n", 3, func() {
		e := k.exp(k.sub(k.load("x"), k.scalars["c"]))
		k.store("dst", e)
		addAll(total, k.live(e))
	})
	k.result(k.fold(opAdd, total))
	k.done()

	k = newKernel(set, "sumExpSub", "x *float32, c float32, n int", "float32", "returns Σ e^(x - c).")
	total = k.zeros(2)
	k.columns("n", 3, func() { addAll(total, k.live(k.exp(k.sub(k.load("x"), k.scalars["c"])))) })
	k.result(k.fold(opAdd, total))
	k.done()
}

// addAll adds the registers of v to those of total in turn.
func addAll(total, v vec) {
	for i, r := range v {
		t := total[i%len(total)]
		apply(opAdd, t, t, r)
	}
}
