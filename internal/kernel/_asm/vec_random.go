package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// The multipliers of Philox 4x32, and its number of rounds here.
const (
	philoxM0     = 0xd2511f53
	philoxM1     = 0xcd9e8d57
	philoxRounds = 7
)

// emitRandom emits the counter-based generator and what uses its words.
func emitRandom(set instructionSet) {
	if onARM {
		emitPhiloxNEON(set)
	} else {
		emitPhilox(set)
	}

	k := newKernel(set, "dropoutApply", "dst, x *float32, bits *uint32, threshold uint32, scale float32, n int", "",
		"sets dst = scale x where bits >= threshold, and 0 elsewhere.")
	k.columns("n", 2, func() {
		v := k.mul(k.load("x"), k.scalars["scale"])
		k.store("dst", k.keepAtLeast(k.load("bits"), k.scalars["threshold"][0], v))
	})
	k.done()
}

// keepAtLeast returns v where the words of bits are at least threshold, as
// unsigned integers, and zero elsewhere.
func (k *kernel) keepAtLeast(bits vec, threshold VecVirtual, v vec) vec {
	r := k.fresh()
	k.each(func(i int) {
		switch k.lanes {
		case 4:
			arm("cmhs.4s", r[i], bits[i], threshold)
			arm("and", r[i], r[i], v[i])
			return
		case 8: // there is no unsigned comparison: max(bits, threshold) == bits
			VPMAXUD(threshold, bits[i], r[i])
			VPCMPEQD(bits[i], r[i], r[i])
			VANDPS(v[i], r[i], r[i])
			return
		}
		keep := K()
		VPCMPUD(Imm(5), threshold, bits[i], keep) // not less than
		VMOVAPS_Z(v[i], keep, r[i])
	})
	return r
}

// emitPhilox emits the generator: each group of 64 words is the output of the
// sixteen counters from 16 group on, the first word of each, then the second
// and so on.
//
// The multiplication takes the even of the 32-bit lanes and ignores the odd
// ones. So a register's counters are worked on as two, one with the even
// lanes in place and one with the odd lanes moved there; what the odd lanes
// hold on the way is of no account, and the two are joined at the end.
func emitPhilox(set instructionSet) {
	k := newKernel(set, "philox", "dst *uint32, groups int, first uint64, keys *uint32", "",
		"writes 64 words for each of groups groups, which are numbered from first.\n"+
			"keys are the two words of the key for each round, in order.")
	group, left, low, high := GP64(), GP64(), GP64(), GP64()
	Load(Param("first"), group)
	Load(Param("groups"), left)
	multipliers := [2]VecVirtual{k.register(), k.register()}
	VBROADCASTSS(word(philoxM0).(Mem), multipliers[0])
	VBROADCASTSS(word(philoxM1).(Mem), multipliers[1])
	TESTQ(left, left)
	JLE(LabelRef("end"))
	Label("loop")
	MOVQ(group, low)
	SHLQ(Imm(4), low)
	MOVQ(group, high)
	SHRQ(Imm(28), high)
	for half := 0; half < 16; half += k.lanes {
		k.philoxBlock(low, high, half, multipliers)
	}
	ADDQ(U32(256), k.pointers["dst"])
	INCQ(group)
	DECQ(left)
	JNZ(LabelRef("loop"))
	Label("end")
	k.done()
}

// philoxBlock emits the rounds for as many counters as a register has lanes,
// from high·2^32 + low + first on, and stores their words.
func (k *kernel) philoxBlock(low, high GPVirtual, first int, multipliers [2]VecVirtual) {
	k.flight = 2
	c := [4]vec{k.fresh(), k.fresh(), k.zeros(2), k.zeros(2)}
	k.broadcastInteger(low, c[0][0])
	VPADDD(countFrom(first), c[0][0], c[0][0])
	VPSRLQ(Imm(32), c[0][0], c[0][1])
	k.broadcastInteger(high, c[1][0])
	VMOVAPS(c[1][0], c[1][1])
	for round := range philoxRounds {
		key := [2]vec{}
		for i := range key {
			key[i] = k.vecOf(Mem{Base: k.pointers["keys"], Disp: 4 * (2*round + i)})
		}
		product0 := k.binary(operation{avx: VPMULUDQ}, c[0], vec{multipliers[0]})
		product1 := k.binary(operation{avx: VPMULUDQ}, c[2], vec{multipliers[1]})
		c[0] = k.xorOfThree(k.upper(product1), c[1], key[0])
		c[2] = k.xorOfThree(k.upper(product0), c[3], key[1])
		c[1], c[3] = product1, product0
	}
	for i, v := range c {
		VPSLLQ(Imm(32), v[1], v[1])
		joined := k.register()
		if k.lanes == 8 {
			VPBLENDD(Imm(0xaa), v[1], v[0], joined)
		} else {
			odd := k.oddLanes()
			VPBLENDMD(v[1], v[0], odd, joined)
		}
		VMOVUPS(joined, Mem{Base: k.pointers["dst"], Disp: 4 * (16*i + first)})
	}
}

// xorOfThree returns a xor b xor c and may overwrite a. AVX-512 has one instruction for it;
// AVX2's for integers takes a cycle less than that for numbers, between others of its kind.
func (k *kernel) xorOfThree(a, b, c vec) vec {
	if k.lanes == 16 {
		k.each(func(i int) { VPTERNLOGD(Imm(0x96), c[i%len(c)], b[i], a[i]) })
		return a
	}
	xor := operation{avx: func(ops ...Op) { VPXOR(ops[0], ops[1], ops[2]) }}
	return k.binary(xor, a, k.binary(xor, b, c))
}

// upper returns the odd 32-bit lanes of v in the places of the even ones.
func (k *kernel) upper(v vec) vec {
	r := k.fresh()
	k.each(func(i int) { VPSRLQ(Imm(32), v[i], r[i]) })
	return r
}

// oddLanes returns the mask of the odd 32-bit lanes.
func (k *kernel) oddLanes() OpmaskVirtual {
	bits, mask := GP32(), K()
	MOVL(U32(0xaaaa), bits)
	KMOVW(bits, mask)
	return mask
}

// broadcastInteger puts the low 32 bits of from into all lanes of to.
func (k *kernel) broadcastInteger(from GPVirtual, to VecVirtual) {
	VMOVD(from.As32(), to.AsX())
	VPBROADCASTD(to.AsX(), to)
}

// countFrom returns the address of sixteen or eight integers from first on.
func countFrom(first int) Mem {
	m, ok := floats["count"]
	if !ok {
		m = GLOBL("count", RODATA|NOPTR)
		for i := range 16 {
			DATA(4*i, U32(uint32(i)))
		}
		floats["count"] = m
	}
	return m.Offset(4 * first)
}
