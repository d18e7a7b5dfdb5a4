package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// onARM says whether the family at hand is for arm64.
var onARM bool

// byArchitecture chooses between what suits AVX and NEON. NEON's registers are small and
// many, so that more of them are in flight in a long chain of operations.
func byArchitecture[T any](avx, neon T) T {
	if onARM {
		return neon
	}
	return avx
}

// What descriptions of vector kernels do with general registers, on either
// architecture.

func label(name string) {
	if onARM {
		neon.Label(name)
	} else {
		Label(name)
	}
}

// loadParam loads a parameter of eight bytes.
func loadParam(name string, r GPVirtual) {
	if onARM {
		armParam(name, r)
	} else {
		Load(Param(name), r)
	}
}

func clear64(r Op) {
	if onARM {
		armMove("MOVD", U8(0), r)
	} else {
		XORQ(r, r)
	}
}

func move64(from, to Op) {
	if onARM {
		armMove("MOVD", from, to)
	} else {
		MOVQ(from, to)
	}
}

func add64(n Constant, r Op) {
	if onARM {
		armAdd(n, r)
	} else {
		ADDQ(n, r)
	}
}

func subtract64(n Constant, r Op) {
	if onARM {
		armGP("SUB", n, r, r)
	} else {
		SUBQ(n, r)
	}
}

// sum64 sets r to a + size b; it may be b.
func sum64(a, b GPVirtual, size uint8, r GPVirtual) {
	if !onARM {
		LEAQ(Mem{Base: a, Index: b, Scale: size}, r)
		return
	}
	shift := map[uint8]uint64{1: 0, 2: 1, 4: 2}[size]
	armGP("LSL", Imm(shift), b, r)
	armAdd(a, r)
}

func jumpIfLess(r Op, n Constant, to string) {
	if onARM {
		armCompare(r, n)
		armBranch("BLT", to)
	} else {
		CMPQ(r, n)
		JLT(LabelRef(to))
	}
}

func jumpUnlessLess(r Op, n Constant, to string) {
	if onARM {
		armCompare(r, n)
		armBranch("BGE", to)
	} else {
		CMPQ(r, n)
		JGE(LabelRef(to))
	}
}

// constantARM loads a constant.
func (k *kernel) constantARM(c armLanes, r VecVirtual) {
	armMove("FMOVQ", armWord(k.table, uint32(c)), r)
}

// loadARM is load, storeARM store. Of a row's last few columns one is at hand.
func (k *kernel) loadARM(name string, v vec) {
	switch {
	case k.partial:
		arm("ldr.s", v[0], k.pointers[name], k.column)
		return
	case len(v) == 1:
		arm("ldr.q", v[0], k.pointers[name], k.column)
		return
	}
	armGP("ADD", k.column, k.pointers[name], scratch)
	for i := 0; i+1 < len(v); i += 2 {
		armLoadPair(Mem{Base: scratch, Disp: 16 * i}, v[i], v[i+1])
	}
	if i := len(v) - 1; i%2 == 0 {
		armMove("FMOVQ", Mem{Base: scratch, Disp: 16 * i}, v[i])
	}
}

func (k *kernel) storeARM(name string, v vec) {
	switch {
	case k.partial:
		armRead("str.s", v[0], k.pointers[name], k.column)
		return
	case k.flight == 1:
		armRead("str.q", v[0], k.pointers[name], k.column)
		return
	}
	armGP("ADD", k.column, k.pointers[name], scratch)
	for i := 0; i+1 < k.flight; i += 2 {
		armStorePair(v[i], v[i+1], Mem{Base: scratch, Disp: 16 * i})
	}
	if i := k.flight - 1; i%2 == 0 {
		armMove("FMOVQ", v[i], Mem{Base: scratch, Disp: 16 * i})
	}
}

// fmaWide adds a b to c, all float64s.
func fmaWide(a, b, c VecVirtual) {
	if onARM {
		armInto("fmla.2d", c, a, b)
	} else {
		VFMADD231PD(a, b, c)
	}
}

// updateWideARM is updateWide.
func (k *kernel) updateWideARM(name string, update func(i int, r VecVirtual)) {
	at := GP64()
	sum64(k.pointers[name], k.column, 2, at)
	move, registers := "FMOVQ", 2
	if k.partial {
		move, registers = "FMOVD", 1
	}
	for i := range registers {
		r := k.register()
		armMove(move, Mem{Base: at, Disp: 16 * i}, r)
		update(i, r)
		armMove(move, r, Mem{Base: at, Disp: 16 * i})
	}
}

// emitPhiloxNEON is emitPhilox: the halves of two products of 64 bits each are
// parted by even and odd lanes.
func emitPhiloxNEON(set instructionSet) {
	k := newKernel(set, "philox", "dst *uint32, groups int, first uint64, keys *uint32", "",
		"writes 64 words for each of groups groups, which are numbered from first.\n"+
			"keys are the two words of the key for each round, in order.")
	group, left, word := GP64(), GP64(), GP64()
	armParam("first", group)
	armParam("groups", left)
	multipliers := [2]VecVirtual{k.register(), k.register()}
	k.constantARM(philoxM0, multipliers[0])
	k.constantARM(philoxM1, multipliers[1])
	count := k.register()
	armMove("FMOVQ", armWords(k.table, [4]uint32{0, 1, 2, 3}), count)
	four := k.register()
	k.constantARM(4, four)
	armBranch("CBZ", "end", left)
	label("loop")
	// The low words of four vectors of counters, and the high word of all.
	k.flight = 4
	c := [4]vec{k.fresh(), k.fresh(), k.zeros(4), k.zeros(4)}
	armGP("LSL", Imm(4), group, word)
	arm("dupw.4s", c[0][0], word)
	arm("add.4s", c[0][0], c[0][0], count)
	for i := 1; i < 4; i++ {
		arm("add.4s", c[0][i], c[0][i-1], four)
	}
	armGP("LSR", Imm(28), group, word)
	k.each(func(i int) { arm("dupw.4s", c[1][i], word) })
	for round := range philoxRounds {
		key := func(i int) vec { return k.broadcastFrom(Mem{Base: k.pointers["keys"], Disp: 4 * (2*round + i)}) }
		low0, high0 := k.multiplyWords(c[0], multipliers[0])
		low1, high1 := k.multiplyWords(c[2], multipliers[1])
		c[0] = k.xor(high1, k.xor(c[1], key(0)))
		c[2] = k.xor(high0, k.xor(c[3], key(1)))
		c[1], c[3] = low1, low0
	}
	for w, v := range c {
		for i := 0; i < 4; i += 2 {
			armStorePair(v[i], v[i+1], Mem{Base: k.pointers["dst"], Disp: 64*w + 16*i})
		}
	}
	armAdd(Imm(256), k.pointers["dst"])
	armAdd(Imm(1), group)
	armCount(left, "loop")
	label("end")
	k.done()
}

// multiplyWords returns the lower and the upper words of the products of 32-bit
// lanes with m.
func (k *kernel) multiplyWords(v vec, m VecVirtual) (low, high vec) {
	low, high = k.fresh(), k.fresh()
	k.each(func(i int) {
		first, second := k.register(), k.register()
		arm("umull", first, v[i], m)
		arm("umull2", second, v[i], m)
		arm("uzp1.4s", low[i], first, second)
		arm("uzp2.4s", high[i], first, second)
	})
	return low, high
}
