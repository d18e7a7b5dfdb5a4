package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

func init() {
	families["gemm_int8_arm64"] = func() {
		for rows := 1; rows <= neonRows; rows++ {
			newNEONIntStrip(rows).emit()
		}
	}
}

// newNEONIntStrip returns the strip kernel for panels of bytes with scales. As on
// amd64 it makes a row of B float32 numbers once for all rows of A, so that a product
// is that of float32 numbers, bit for bit. ARM's dot products of bytes (SDOT) would need
// A rounded to bytes.
func newNEONIntStrip(rows int) *neonStrip {
	s := newNEONStrip("gemmInt8NEON", rows)
	s.ints, s.scales = true, GP64()
	return s
}

// intShifter is what makes a float32 number of a small integer: the bits of their
// sum are the sum of their bits, and to subtract it as a number leaves the integer.
// The instruction that converts, SCVTF, takes four times as long on Neoverse N1.
const intShifter = 3 << 22

// shifter is the register that holds intShifter.
func shifter() VecPhysical { return spare(3) }

// startInts loads what a panel of bytes needs beyond one of numbers.
func (s *neonStrip) startInts() {
	armMove("MOVD", U32(math.Float32bits(intShifter)), scratch)
	arm("dupw.4s", shifter(), scratch)
	if s.holdsScales() {
		for v := range 4 {
			armMove("FMOVQ", Mem{Base: s.scales, Disp: 16 * v}, heldScale(v))
		}
	}
}

// holdsScales says whether four registers are left for the scales.
func (s *neonStrip) holdsScales() bool { return s.ints && 4*s.rows <= 20 }

// heldScale is the register that holds the scales of vector v's columns.
func heldScale(v int) VecPhysical { return Z[20+v] }

// loadInts loads a row of bytes and makes them numbers times their scales.
func (s *neonStrip) loadInts(row Mem) {
	bytes := spare(0)
	armMove("FMOVQ", row, bytes)
	arm("sxtl.8h", ofB(0), bytes)
	arm("sxtl2.8h", ofB(2), bytes)
	for v := 0; v < 4; v += 2 { // the second half first, since the first overwrites both
		arm("saddw2.4s", ofB(v+1), shifter(), ofB(v))
		arm("saddw.4s", ofB(v), shifter(), ofB(v))
	}
	for v := range 4 {
		arm("fsub.4s", ofB(v), ofB(v), shifter())
	}
	for v := 0; v < 4; v += 2 {
		scales := [2]VecPhysical{heldScale(v), heldScale(v + 1)}
		if !s.holdsScales() {
			scales = [2]VecPhysical{spare(0), spare(1)}
			armLoadPair(Mem{Base: s.scales, Disp: 16 * v}, scales[0], scales[1])
		}
		for i, scale := range scales {
			arm("fmul.4s", ofB(v+i), ofB(v+i), scale)
		}
	}
}
