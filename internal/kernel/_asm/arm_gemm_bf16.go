package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

func init() {
	families["gemm_bf16_arm64"] = func() {
		for rows := 1; rows <= neonRows; rows++ {
			s := newNEONStrip("gemmQuadsNEON", rows)
			s.pairs = true
			s.emit()
		}
		emitQuadRows()
		emitQuadColumns()
	}
}

// BFMMLA multiplies two rows of A, four terms each, by two columns of B: eight
// bfloat16 numbers of either, and four sums. So both operands are packed by quads,
// four terms of a row or column side by side, and a tile of six rows and sixteen
// columns is three by eight blocks of two by two. To load a row of blocks of B takes
// eight registers, of which four are there at a time.

// block is the register of the sums of two rows and two columns. It is chosen so
// that it can be one of a row's when quadsToRows is done.
func block(rows, columns int) VecPhysical { return Z[8*rows+4*(columns%2)+columns/2] }

// blocks is the number of pairs of rows. The second of the last may be none.
func (s *neonStrip) blocks() int { return (s.rows + 1) / 2 }

// multiplyQuads sets the sums to the products of A's rows and the panel of B, both
// packed by quads; k, an even number, counts pairs, and ks is between them in A.
func (s *neonStrip) multiplyQuads() {
	for i := range 8 * s.blocks() {
		arm("zero", Z[i])
	}
	left, aRow, bRow, step := GP64(), GP64(), GP64(), GP64()
	armParam("k", left)
	armParam("a", aRow)
	armParam("ks", step)
	armGP("LSL", Imm(1), step, step)
	armMove("MOVD", s.bPanel, bRow)
	armCompare(left, Imm(4))
	armBranch("BLT", "rest")
	neon.Label("loop")
	for u := range 2 {
		s.quadStep(u, aRow, bRow, step)
	}
	armAdd(Imm(2*8*neonColumns), bRow)
	armGP("SUB", Imm(4), left, left)
	armCompare(left, Imm(4))
	armBranch("BGE", "loop")
	neon.Label("rest")
	armBranch("CBZ", "multiplied", left)
	s.quadStep(0, aRow, bRow, step)
	neon.Label("multiplied")
	s.quadsToRows()
}

// quadStep adds the products with row u of quads of B from bRow on, and steps along A.
func (s *neonStrip) quadStep(u int, aRow, bRow, step GPVirtual) {
	for i := range s.blocks() {
		armMove("FMOVQ", Mem{Base: aRow, Disp: 16 * i}, spare(i))
	}
	armAdd(step, aRow)
	for j := range neonColumns / 2 { // Neoverse cores split loads of pairs
		armMove("FMOVQ", Mem{Base: bRow, Disp: 8*neonColumns*u + 16*j}, ofB(j%4))
		for i := range s.blocks() {
			armInto("bfmmla", block(i, j), spare(i), ofB(j%4))
		}
	}
}

// quadsToRows makes the blocks rows of sums, as sum has them.
func (s *neonStrip) quadsToRows() {
	for i := range s.blocks() {
		for v := range 4 {
			left, right := block(i, 2*v), block(i, 2*v+1)
			if 2*i+1 == s.rows {
				arm("zip1.2d", left, left, right)
				continue
			}
			arm("zip1.2d", spare(0), left, right)
			arm("zip2.2d", right, left, right)
			arm("mov", left, spare(0), spare(0))
		}
	}
}

// emitQuadRows emits the rounding of rows whose neighbours are terms of a sum.
func emitQuadRows() {
	armText("quadRowsNEON", "func(quads int, src *float32, stride int, dst *float32, pitch, rows int)",
		"quadRowsNEON makes quads > 0 quads of each of rows > 0 rows, those of two rows side by side;\n"+
			"stride, between rows, and pitch, between quads of a row, are in bytes.")
	r := armParams("quads", "src", "stride", "dst", "pitch", "rows")
	quads, source, stride, dst, pitch, rows := r[0], r[1], r[2], r[3], r[4], r[5]
	left, from, next, to := GP64(), GP64(), GP64(), GP64()
	row := func(name string, two bool) {
		armMove("MOVD", source, from)
		armGP("ADD", stride, source, next)
		armMove("MOVD", dst, to)
		armMove("MOVD", quads, left)
		neon.Label(name)
		armMove("FMOVQ", Mem{Base: from}, Z[0])
		armAdd(Imm(16), from)
		arm("bfcvtn", Z[2], Z[0])
		if two {
			armMove("FMOVQ", Mem{Base: next}, Z[1])
			armAdd(Imm(16), next)
			armInto("bfcvtn2", Z[2], Z[1])
			armMove("FMOVQ", Z[2], Mem{Base: to})
		} else {
			armMove("FMOVD", Z[2], Mem{Base: to})
		}
		armAdd(pitch, to)
		armCount(left, name)
	}
	neon.Label("rows")
	armCompare(rows, Imm(2))
	armBranch("BLT", "last")
	row("two", true)
	armGP("ADD", stride, next, source) // next is at the end of the second row
	armGP("LSL", Imm(4), quads, left)
	armGP("SUB", left, source, source)
	armAdd(Imm(16), dst)
	armGP("SUB", Imm(2), rows, rows)
	armBranch("JMP", "rows")
	neon.Label("last")
	armBranch("CBZ", "end", rows)
	row("one", false)
	neon.Label("end")
	armReturn()
}

// emitQuadColumns emits the rounding of eight columns of rows that are terms of a sum.
func emitQuadColumns() {
	armText("quadColumnsNEON", "func(quads int, src *float32, stride int, dst *float32, pitch int)",
		"quadColumnsNEON makes quads of eight columns of quads > 0 times four rows, side by side;\n"+
			"stride, between rows, and pitch, between quads of a column, are in bytes.")
	r := armParams("quads", "src", "stride", "dst", "pitch")
	quads, source, stride, dst, pitch := r[0], r[1], r[2], r[3], r[4]
	neon.Label("quad")
	for row := range 4 {
		armLoadPair(Mem{Base: source}, Z[0], Z[1])
		armAdd(stride, source)
		arm("bfcvtn", Z[2+row], Z[0])
		armInto("bfcvtn2", Z[2+row], Z[1])
	}
	for half, zip := range []string{"zip1.8h", "zip2.8h"} { // four columns each
		arm(zip, Z[6], Z[2], Z[3]) // 00 10 01 11 and so on: pairs
		arm(zip, Z[7], Z[4], Z[5]) // 20 30 21 31
		arm("zip1.4s", Z[8], Z[6], Z[7])
		arm("zip2.4s", Z[9], Z[6], Z[7])
		armStorePair(Z[8], Z[9], Mem{Base: dst, Disp: 32 * half})
	}
	armAdd(pitch, dst)
	armCount(quads, "quad")
	armReturn()
}
