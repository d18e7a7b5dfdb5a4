package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// emitPeak emits a loop of independent FMAs in registers.
func emitPeak(isa string, v []VecPhysical, sums int) {
	const perTurn = 48
	TEXT("peak"+isa, NOSPLIT, "func(turns int)")
	Doc(fmt.Sprintf("peak%s computes %d vector FMAs a turn.", isa, perTurn))
	turns := param("turns", RCX)
	for i := range sums + 2 {
		if isa == "AVX512" {
			VPXORD(v[i], v[i], v[i])
		} else {
			VXORPS(v[i], v[i], v[i])
		}
	}
	Label("loop")
	for i := range perTurn {
		VFMADD231PS(v[sums], v[sums+1], v[i%sums])
	}
	DECQ(turns)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
}

// emitRead emits the reading of memory at full speed.
func emitRead() {
	TEXT("readAVX2", NOSPLIT, "func(lines int, x *float32) float32")
	Pragma("noescape")
	Doc("readAVX2 adds up lines > 0 times 64 numbers, in some order.")
	lines, x := param("lines", RCX), param("x", RSI)
	for i := range 8 {
		VXORPS(Y[i], Y[i], Y[i])
	}
	Label("loop")
	for i := range 8 {
		VADDPS(Mem{Base: x, Disp: 32 * i}, Y[i], Y[i])
	}
	ADDQ(U32(256), x)
	DECQ(lines)
	JNZ(LabelRef("loop"))
	for step := 4; step > 0; step /= 2 {
		for i := range step {
			VADDPS(Y[i+step], Y[i], Y[i])
		}
	}
	VEXTRACTF128(Imm(1), Y0, X1)
	VADDPS(X1, X0, X0)
	VHADDPS(X0, X0, X0)
	VHADDPS(X0, X0, X0)
	Store(X0, ReturnIndex(0))
	VZEROUPPER()
	RET()
}
