package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// result stores the lowest lane of r as the function's result, a float32.
func (k *kernel) result(r VecVirtual) { VMOVSS(r.AsX(), k.returned()) }

// returned returns the address of the function's result.
func (k *kernel) returned() Mem {
	b, err := ReturnIndex(0).Resolve()
	if err != nil {
		panic(err)
	}
	return b.Addr
}

// emitReductions emits what turns a vector into a number.
func emitReductions(set instructionSet) {
	k := newKernel(set, "sumAll", "x *float32, n int", "float32", "returns Σ x, in a fixed order.")
	total := k.zeros(4)
	k.columns("n", 4, func() { k.addInto(total, k.load("x")) })
	k.result(k.fold(VADDPS, total))
	k.done()

	k = newKernel(set, "dot", "a, b *float32, n int", "float32", "returns Σ a b, in a fixed order.")
	total = k.zeros(4)
	k.columns("n", 4, func() { k.fmaInto(total, k.load("a"), k.load("b")) })
	k.result(k.fold(VADDPS, total))
	k.done()

	k = newKernel(set, "sumSquares", "x *float32, n int", "float64", "returns Σ x², in a fixed order.")
	total = k.zeros(4)
	k.columns("n", 2, func() {
		for i, v := range k.widen(k.load("x")) {
			VFMADD231PD(v, v, total[i])
		}
	})
	VMOVSD(k.fold64(VADDPD, total).AsX(), k.returned())
	k.done()

	emitMax(set)
}

// emitMax emits the search for the greatest element. The instruction forgets
// NaN, so the bits of NaNs are gathered beside it.
func emitMax(set instructionSet) {
	k := newKernel(set, "max", "x *float32, n int", "float32", "returns the maximum of x, NaN if any element is NaN.")
	k.flight = 4
	best, nan := k.copy(word(0xff800000)), k.zeros(1)
	k.columns("n", 4, func() {
		v := k.liveOr(k.load("x"), best)
		seen := k.keepWhere(unordered, v, v, v)
		k.each(func(i int) {
			VMAXPS(v[i], best[i], best[i])
			VORPS(seen[i], nan[0], nan[0])
		})
	})
	extreme, bits := k.fold(VMAXPS, best), k.fold(VORPS, nan)
	VORPS(bits.AsX(), extreme.AsX(), extreme.AsX())
	k.result(extreme)
	k.done()
}

// widen returns the lanes of v as float64s, two registers for each of v's.
func (k *kernel) widen(v vec) vec {
	var wide vec
	for _, r := range v {
		low, high := k.register(), k.register()
		if k.lanes == 8 {
			half := XMM()
			VEXTRACTF128(Imm(1), r, half)
			VCVTPS2PD(r.AsX(), low)
			VCVTPS2PD(half, high)
		} else {
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
	k.result(k.fold(VADDPS, total))
	k.done()

	k = newKernel(set, "sumExpSub", "x *float32, c float32, n int", "float32", "returns Σ e^(x - c).")
	total = k.zeros(2)
	k.columns("n", 3, func() { addAll(total, k.live(k.exp(k.sub(k.load("x"), k.scalars["c"])))) })
	k.result(k.fold(VADDPS, total))
	k.done()
}

// addAll adds the registers of v to those of total in turn.
func addAll(total, v vec) {
	for i, r := range v {
		t := total[i%len(total)]
		VADDPS(r, t, t)
	}
}
