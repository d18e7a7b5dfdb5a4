package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// emitPackRows emits the distribution of rows over panels as wide as those
// that strips read. The rows are read one after the other, as they lie.
func (s *stripKernel) emitPackRows() {
	TEXT("packRows"+s.isa, NOSPLIT, "func(depth int, src *float32, stride int, dst *float32, panel, n int)")
	Pragma("noescape")
	Doc(fmt.Sprintf("packRows%s copies n > 0 numbers from each of depth > 0 rows to panels of %d columns, with zeros after", s.isa, s.width()),
		"the last; stride, between rows, and panel, between panels, are in bytes.")
	source, to, depth := RSI, RDI, RDX
	stride, panel, bytes := param("stride", R8), param("panel", R10), uint32(4*s.width())
	param("src", source)
	param("dst", s.bPanel)
	param("depth", depth)
	param("n", s.columns)
	// The masks are those of the last panel: what it has, or a whole one.
	DECQ(s.columns)
	ANDQ(Imm(uint64(s.width()-1)), s.columns)
	INCQ(s.columns)
	s.tailMasks()
	Label("row")
	MOVQ(s.bPanel, to)
	MOVQ(source, s.aRow)
	param("n", s.columns)
	SUBQ(Imm(uint64(s.width())), s.columns)
	JLE(LabelRef("last"))
	Label("whole")
	for h := range 2 {
		VMOVUPS(s.half(Mem{Base: s.aRow}, h), s.v[h])
	}
	for h := range 2 {
		VMOVUPS(s.v[h], s.half(Mem{Base: to}, h))
	}
	ADDQ(U32(bytes), s.aRow)
	ADDQ(panel, to)
	SUBQ(Imm(uint64(s.width())), s.columns)
	JG(LabelRef("whole"))
	Label("last")
	for h := range 2 {
		s.loadTail(s.half(Mem{Base: s.aRow}, h), h, s.v[h])
		VMOVUPS(s.v[h], s.half(Mem{Base: to}, h))
	}
	ADDQ(stride, source)
	ADDQ(U32(bytes), s.bPanel)
	DECQ(depth)
	JNZ(LabelRef("row"))
	VZEROUPPER()
	RET()
}

// emitPackRuns emits the packing of columns of A, which lie together, to
// panels as high as the tile.
func (s *stripKernel) emitPackRuns() {
	TEXT("packRuns"+s.isa, NOSPLIT, "func(depth int, src *float32, stride int, dst *float32, pitch, panel int, starts *int, n int)")
	Pragma("noescape")
	Doc(fmt.Sprintf("packRuns%s copies n > 0 runs of %d numbers from each of depth > 0 rows to as many panels;", s.isa, s.lanes),
		"stride, between rows, pitch, between a panel's rows, panel, between panels, and starts, of runs in a row, are in bytes.")
	depth, source, stride := param("depth", RCX), param("src", RSI), param("stride", RDX)
	dst, pitch, panel := param("dst", RDI), param("pitch", R8), param("panel", R9)
	starts, n := param("starts", R10), param("n", R11)
	to, run, at := RAX, RBX, R12
	Label("row")
	MOVQ(dst, to)
	XORQ(run, run)
	Label("run")
	MOVQ(Mem{Base: starts, Index: run, Scale: 8}, at)
	VMOVUPS(Mem{Base: source, Index: at, Scale: 1}, s.v[0])
	VMOVUPS(s.v[0], Mem{Base: to})
	ADDQ(panel, to)
	INCQ(run)
	CMPQ(run, n)
	JLT(LabelRef("run"))
	ADDQ(stride, source)
	ADDQ(pitch, dst)
	DECQ(depth)
	JNZ(LabelRef("row"))
	VZEROUPPER()
	RET()
}

// emitPackTransposed emits the transposition of up to eight rows, by blocks of
// 8 × 8.
func emitPackTransposed() {
	TEXT("packTransposedAVX2", NOSPLIT, "func(depth int, src *float32, stride int, dst *float32, pitch, n int)")
	Pragma("noescape")
	Doc("packTransposedAVX2 makes columns of n <= 8 rows of depth numbers, and eight columns in all;",
		"stride and pitch are in bytes.")
	depth := param("depth", RCX)
	dst, pitch := param("dst", RDI), param("pitch", R12)
	rows := []GPPhysical{RAX, RBX, RDX, RSI, R8, R9, R10, R11}
	transposedRows(rows)
	at, pitch3 := R15, R13
	XORQ(at, at)
	LEAQ(Mem{Base: pitch, Index: pitch, Scale: 2}, pitch3)
	row := func(i, disp int) Mem { return Mem{Base: rows[i], Index: at, Scale: 1, Disp: disp} }

	SUBQ(Imm(8), depth)
	JLT(LabelRef("rest"))
	Label("loop")
	for h := range 2 { // halves of the block's rows: columns 4h to 4h+3
		for i := range 4 {
			VMOVUPS(row(i, 16*h), X[i])
			VINSERTF128(Imm(1), row(i+4, 16*h), Y[i], Y[i])
		}
		transpose4()
		for i, m := range []Mem{{Base: dst}, {Base: dst, Index: pitch, Scale: 1},
			{Base: dst, Index: pitch, Scale: 2}, {Base: dst, Index: pitch3, Scale: 1}} {
			VMOVUPS(Y[8+i], m)
		}
		LEAQ(Mem{Base: dst, Index: pitch, Scale: 4}, dst)
	}
	ADDQ(Imm(32), at)
	SUBQ(Imm(8), depth)
	JGE(LabelRef("loop"))
	Label("rest")
	ADDQ(Imm(8), depth)
	JZ(LabelRef("end"))
	Label("one")
	for i := range rows {
		VMOVSS(row(i, 0), X0)
		VMOVSS(X0, Mem{Base: dst, Disp: 4 * i})
	}
	ADDQ(Imm(4), at)
	ADDQ(pitch, dst)
	DECQ(depth)
	JNZ(LabelRef("one"))
	Label("end")
	VZEROUPPER()
	RET()
}

// transposedRows loads the addresses of packTransposed's rows; those beyond
// the last are the last again.
func transposedRows(rows []GPPhysical) {
	param("src", rows[0])
	n, stride := param("n", R13), param("stride", R15)
	for i := 1; i < 8; i++ {
		MOVQ(rows[i-1], rows[i])
		CMPQ(n, Imm(uint64(i)))
		JLE(LabelRef(fmt.Sprintf("last%d", i)))
		ADDQ(stride, rows[i])
		Label(fmt.Sprintf("last%d", i))
	}
}

// transpose4 transposes the 4 × 4 blocks in both halves of Y0 to Y3 to Y8 to Y11.
func transpose4() {
	VUNPCKLPS(Y1, Y0, Y4) // 00 10 01 11
	VUNPCKHPS(Y1, Y0, Y5) // 02 12 03 13
	VUNPCKLPS(Y3, Y2, Y6)
	VUNPCKHPS(Y3, Y2, Y7)
	VUNPCKLPD(Y6, Y4, Y8) // 00 10 20 30
	VUNPCKHPD(Y6, Y4, Y9)
	VUNPCKLPD(Y7, Y5, Y10)
	VUNPCKHPD(Y7, Y5, Y11)
}
