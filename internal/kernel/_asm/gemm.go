package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

func init() {
	families["gemm"] = func() {
		for rows := 1; rows <= 6; rows++ {
			newStripKernel("AVX2", rows).emit()
		}
		for rows := 1; rows < rowsDirect; rows++ {
			newStripKernel("AVX512", rows).emit()
		}
		for rows := rowsDirect; rows <= 14; rows++ {
			for _, l := range []layout{byRows, byColumns} {
				s := newStripKernel("AVX512", rows)
				s.layout = l
				s.emit()
			}
		}
		for _, isa := range []string{"AVX2", "AVX512"} {
			newStripKernel(isa, 1).emitPackRows()
			newStripKernel(isa, 1).emitPackRuns()
		}
		emitPackTransposed()
		emitPeak("AVX2", Y, 12)
		emitPeak("AVX512", Z, 24)
		emitRead()
	}
}

// The general registers of a strip kernel. Those of A serve for C once the
// sums are complete. By rows, some of B's and C's serve for A while it multiplies: see pair.
type stripRegisters struct {
	left    GPPhysical // rows of B still to come
	aRow    GPPhysical // rows 0 to 6 of A
	aRow7   GPPhysical // rows 7 to 13
	aStride GPPhysical
	kStride GPPhysical
	bPanel  GPPhysical // the panel of B
	bRow    GPPhysical // the row of that panel
	cTile   GPPhysical
	cStride GPPhysical
	columns GPPhysical // still to come, this panel's included
	times3  GPPhysical
	times5  GPPhysical
	bias    GPPhysical
	cRow    GPPhysical // of the tile, that is asked for next: bias's register
	scales  GPPhysical // of the panel's columns
	ahead   GPPhysical // what is to be in the cache before long: scales's register
	bStride GPPhysical // between panels that are side by side: aRow7's and times3's
	bTimes3 GPPhysical // registers, which so few rows do not need
}

// A stripKernel emits the product of a few rows of A and the packed panels of
// B, two vectors wide. The tile's sums are in registers: row i's in v[2i] and
// v[2i+1]. With one or two rows there are too few of them to hide the latency
// of an FMA, and several panels are taken side by side as long as there are as
// many. Terms are always added in the order of B's rows, so that a row of C is
// the same, bit for bit, whatever rows are beside it.
type stripKernel struct {
	stripRegisters
	isa    string
	rows   int
	panels int // side by side, in the part that is being emitted
	layout layout
	pairs  bool // whether numbers are pairs of bfloat16 ones
	ints   bool // whether B's are bytes, which have a scale for each column
	v      []VecPhysical
	lanes  int
	b      int // number of the two registers of B's row; temporaries follow
}

// newStripKernel returns the kernel of an instruction set for a number of rows.
func newStripKernel(isa string, rows int) *stripKernel {
	s := &stripKernel{isa: isa, rows: rows, panels: 1, v: Y, lanes: 8, b: 12}
	if isa == "AVX512" {
		s.v, s.lanes, s.b = Z, 16, 28
	}
	s.stripRegisters = stripRegisters{
		left: RCX, aRow: RAX, aRow7: R15, aStride: RDX, kStride: RSI, bPanel: RBX, bRow: R12,
		cTile: RDI, cStride: R8, columns: R9, times3: R10, times5: R11, bias: R13, cRow: R13,
		scales: R14, ahead: R14, bStride: R15, bTimes3: R10,
	}
	return s
}

const stripUnroll = 4 // rows of B a turn of the loop

// beside is the number of panels that are taken side by side.
func (s *stripKernel) beside() int {
	switch s.rows {
	case 1:
		return 4
	case 2:
		return 2
	}
	return 1
}

// wide reports whether the part being emitted takes several panels.
func (s *stripKernel) wide() bool { return s.panels > 1 }

// label names a place in the part being emitted.
func (s *stripKernel) label(name string) string {
	if s.wide() {
		return "wide_" + name
	}
	return name
}

// sum is the register of row i's half h in a panel.
func (s *stripKernel) sum(panel, i, h int) VecPhysical { return s.v[2*(panel*s.rows+i)+h] }

// ofPanel returns the address of a panel's part of what is laid out as a row of C is.
func (s *stripKernel) ofPanel(m Mem, panel int) Mem { return m.Offset(4 * s.width() * panel) }

// width is the number of columns of a panel.
func (s *stripKernel) width() int { return 2 * s.lanes }

// temporary is one of two registers beyond those of B.
func (s *stripKernel) temporary(i int) VecPhysical { return s.v[s.b+2+i%2] }

// ofB is the type of the parameters that hold B.
func (s *stripKernel) ofB() string {
	if s.ints {
		return "b *int8, scales *float32"
	}
	return "b *float32"
}

// rowBytes is the size of a panel's row.
func (s *stripKernel) rowBytes() int {
	if s.ints {
		return s.width()
	}
	return 4 * s.width()
}

// emit emits the kernel.
func (s *stripKernel) emit() {
	further := ", ahead, aheadStep, aheadLap int, cEnd uintptr"
	if s.ints {
		further = ""
	}
	TEXT(s.name(), NOSPLIT,
		fmt.Sprintf("func(k int, a *float32, as, ks int, %s, bs int, c *float32, ldc, n int, bias *float32, add uint64%s)", s.ofB(), further))
	Pragma("noescape")
	Doc(s.doc()...)
	s.loadA()
	param("c", s.cTile)
	param("ldc", s.cStride)
	param("n", s.columns)
	if s.ints {
		param("scales", s.scales)
	}
	if s.beside() > 1 {
		s.emitWide()
	}
	Label("panel")
	s.start()
	s.prefetchC()
	s.multiply()
	s.addC()
	s.store()
}

// emitWide emits the part that takes panels side by side.
func (s *stripKernel) emitWide() {
	s.panels = s.beside()
	columns := U32(uint32(s.panels * s.width()))
	Label("wide")
	CMPQ(s.columns, columns)
	JLT(LabelRef("narrow"))
	s.start()
	s.prefetchC()
	s.multiply()
	s.addC()
	s.storeWhole(s.rowsOfC())
	LEAQ(Mem{Base: s.bPanel, Index: s.bStride, Scale: uint8(s.panels)}, s.bPanel)
	SUBQ(columns, s.columns)
	JMP(LabelRef("wide"))
	s.panels = 1
	Label("narrow")
	TESTQ(s.columns, s.columns)
	JZ(LabelRef("end"))
}

// start sets the sums to the bias or to zero, and loads the scales.
func (s *stripKernel) start() {
	for q := range s.panels {
		for h := range 2 {
			if s.ints && s.holdsScales() {
				VMOVUPS(s.half(s.ofPanel(Mem{Base: s.scales}, q), h), s.scale(q, h))
			}
			for i := range s.rows {
				s.zero(s.sum(q, i, h))
			}
		}
	}
	param("bias", s.bias) // cRow takes the register
	TESTQ(s.bias, s.bias)
	JZ(LabelRef(s.label("started")))
	if !s.wide() {
		CMPQ(s.columns, Imm(uint64(s.width())))
		JLT(LabelRef("biasTail"))
	}
	for q := range s.panels {
		for h := range 2 {
			VMOVUPS(s.half(s.ofPanel(Mem{Base: s.bias}, q), h), s.sum(q, 0, h))
		}
	}
	ADDQ(U32(uint32(4*s.width()*s.panels)), argument("bias"))
	if !s.wide() {
		JMP(LabelRef("biasRows"))
		Label("biasTail")
		s.tailMasks()
		for h := range 2 {
			s.loadTail(s.half(Mem{Base: s.bias}, h), h, s.sum(0, 0, h))
		}
		Label("biasRows")
	}
	for q := range s.panels {
		for i := 1; i < s.rows; i++ {
			VMOVAPS(s.sum(q, 0, 0), s.sum(q, i, 0))
			VMOVAPS(s.sum(q, 0, 1), s.sum(q, i, 1))
		}
	}
	Label(s.label("started"))
}

func (s *stripKernel) zero(r VecPhysical) {
	if s.lanes == 16 {
		VPXORD(r, r, r)
	} else {
		VXORPS(r, r, r)
	}
}

// half returns the address of the first or second vector at m.
func (s *stripKernel) half(m Mem, h int) Mem { return m.Offset(4 * s.lanes * h) }

// asksForC says whether the kernel asks for a row of the tile of C with each turn of the loop,
// and so for all of them over and over. All at once would leave no room for what else is on its
// way from L2: with C in no cache, products of 256 terms took 6% longer on Zen 5.
func (s *stripKernel) asksForC() bool { return s.rows > 2 && s.lanes == 16 && !s.ints }

// askForC asks for a row of the tile of C, and goes on to the next one.
func (s *stripKernel) askForC() {
	if !s.asksForC() {
		return
	}
	for at := 0; at < 4*s.width(); at += 64 {
		PREFETCHT0(Mem{Base: s.cRow, Disp: at})
	}
	ADDQ(argument("ldc"), s.cRow)
	CMPQ(s.cRow, argument("cEnd"))
	CMOVQCC(s.cTile, s.cRow)
}

// prefetchC asks for the tile of C, which is needed when the sums are complete, or has the loop
// ask for it.
func (s *stripKernel) prefetchC() {
	if s.asksForC() {
		MOVQ(s.cTile, s.cRow)
		return
	}
	MOVQ(s.cTile, s.aRow)
	for i := range s.rows {
		if i > 0 {
			ADDQ(s.cStride, s.aRow)
		}
		for at := 0; at < 4*s.width()*s.panels; at += 64 {
			PREFETCHT0(Mem{Base: s.aRow, Disp: at})
		}
	}
}

// multiply adds the products of A's rows and the panels of B to the sums.
func (s *stripKernel) multiply() {
	param("k", s.left)
	s.startA()
	if s.wide() {
		param("bs", s.bStride)
		LEAQ(Mem{Base: s.bStride, Index: s.bStride, Scale: 2}, s.bTimes3)
	}
	s.startB()
	SUBQ(Imm(stripUnroll), s.left)
	JLT(LabelRef(s.label("rest")))
	Label(s.label("loop"))
	for u := range stripUnroll {
		s.step(u)
		s.advanceA(u+1, stripUnroll)
	}
	s.askForC()
	ADDQ(U32(uint32(stripUnroll*s.rowBytes())), s.bRow)
	SUBQ(Imm(stripUnroll), s.left)
	JGE(LabelRef(s.label("loop")))
	Label(s.label("rest"))
	ADDQ(Imm(stripUnroll), s.left)
	JZ(LabelRef(s.label("multiplied")))
	Label(s.label("one"))
	s.step(0)
	s.advanceA(1, 1)
	ADDQ(U32(uint32(s.rowBytes())), s.bRow)
	DECQ(s.left)
	JNZ(LabelRef(s.label("one")))
	Label(s.label("multiplied"))
	if s.layout == byRows {
		param("ldc", s.cStride)
	}
}

// rowOfB returns the address of row u from bRow on in a panel.
func (s *stripKernel) rowOfB(panel, u int) Mem {
	m := Mem{Base: s.bRow, Disp: u * s.rowBytes()}
	switch panel {
	case 1, 2:
		m.Index, m.Scale = s.bStride, uint8(panel)
	case 3:
		m.Index, m.Scale = s.bTimes3, 1
	}
	return m
}

// step adds the products with row u of B from bRow on. Where there are several panels there
// are no more rows than temporaries.
func (s *stripKernel) step(u int) {
	for q := range s.panels {
		at := s.rowOfB(q, u)
		for h := range 2 {
			if s.ints {
				s.loadInts(at, q, h)
			} else {
				VMOVUPS(s.half(at, h), s.v[s.b+h])
			}
		}
		if at.Disp%64 == 0 {
			s.prefetchB(at)
		}
		for i := range s.rows {
			s.addRow(q, i, u)
		}
	}
}

// addRow adds the products of row i of A, at row u of B, and a panel's two vectors.
func (s *stripKernel) addRow(panel, i, u int) {
	at := s.ofA(i, u)
	if s.embeds(i) {
		for h := range 2 {
			VFMADD231PS_BCST(at, s.v[s.b+h], s.sum(panel, i, h))
		}
		return
	}
	if panel == 0 {
		VBROADCASTSS(at, s.temporary(i))
	}
	for h := range 2 {
		if s.pairs {
			vdpbf16ps(s.temporary(i), s.v[s.b+h], s.sum(panel, i, h))
		} else {
			VFMADD231PS(s.temporary(i), s.v[s.b+h], s.sum(panel, i, h))
		}
	}
}

// prefetchesA says whether the kernel asks for a line with each row of B, by rows with every
// other one of whole turns: from ahead bytes after A's start on, aheadStep farther each time, and
// aheadLap farther with each panel.
// The caller knows what of A follows, which the machine's own prefetching does not see:
// A is read as so many short rows or columns at a time.
func (s *stripKernel) prefetchesA() bool { return !s.ints && s.rows > 2 }

// holdsScales says whether registers are left for the scales: those before B's.
func (s *stripKernel) holdsScales() bool { return 2*s.panels*(s.rows+1) <= s.b }

// scale is the register of the scales of a panel's half h.
func (s *stripKernel) scale(panel, h int) VecPhysical { return s.v[s.b-2*s.panels+2*panel+h] }

// loadInts loads half h of a row of bytes and makes them numbers: as float32 numbers
// and then times their scales, so that they are what a float32 product would read.
func (s *stripKernel) loadInts(row Mem, panel, h int) {
	b := s.v[s.b+h]
	VPMOVSXBD(row.Offset(s.lanes*h), b)
	VCVTDQ2PS(b, b)
	if s.holdsScales() {
		VMULPS(s.scale(panel, h), b, b)
	} else {
		VMULPS(s.half(s.ofPanel(Mem{Base: s.scales}, panel), h), b, b)
	}
}

// prefetchB asks for what lies ahead of a row of B. Many rows read it from L2; few
// have it come from memory, farther ahead. One row reads numbers as fast as memory gives them,
// but not bytes: asking for those took 2 to 7% off a step of decoding on Zen 5. Six rows of AVX2
// are slow enough for the machine's own prefetching. Many rows of AVX-512 may read the weights of
// a step of decoding, which come from farther than L2, and use up a row of B sooner than memory
// answers: with 8 KB in place of 2 KB a step of 16 texts took 7% less on Zen 5.
func (s *stripKernel) prefetchB(row Mem) {
	ahead := 2 << 10
	switch {
	case s.rows == 1 && !s.ints, s.rows == 6 && s.lanes == 8:
		return
	case s.rows <= 7:
		ahead = 4 << 10
	case s.lanes == 16 && !s.pairs && !s.ints:
		ahead = 8 << 10
	}
	for line := 0; line < s.rowBytes(); line += 64 {
		PREFETCHT0(row.Offset(ahead + line))
	}
}

// rowsFrom returns rows whose other registers have been set up.
func (s *stripKernel) rowsFrom(base, stride GPPhysical) rowSet {
	return rowSet{base: [2]GPPhysical{base, s.aRow7}, stride: stride, times3: s.times3, times5: s.times5}
}

// rowsOfC addresses the tile of C.
func (s *stripKernel) rowsOfC() rowSet {
	return newRowSet(s.rows, s.cTile, s.aRow7, s.cStride, s.times3, s.times5)
}

// addC adds the tile of C to the sums if that is asked for.
func (s *stripKernel) addC() {
	rows := s.rowsOfC()
	param("add", s.aRow)
	TESTQ(s.aRow, s.aRow)
	JZ(LabelRef(s.label("store")))
	if !s.wide() {
		CMPQ(s.columns, Imm(uint64(s.width())))
		JLT(LabelRef("addTail"))
	}
	s.eachOfC(rows, func(m Mem, sum VecPhysical) { VADDPS(m, sum, sum) })
	if s.wide() {
		Label(s.label("store"))
		return
	}
	JMP(LabelRef("storeWhole"))
	Label("addTail")
	s.tailMasks()
	for i := range s.rows {
		for h := range 2 {
			s.loadTail(s.half(rows.at(i, 0), h), h, s.temporary(h))
			VADDPS(s.temporary(h), s.sum(0, i, h), s.sum(0, i, h))
		}
	}
}

// eachOfC calls f with each whole vector of the tile of C and its sums.
func (s *stripKernel) eachOfC(rows rowSet, f func(m Mem, sum VecPhysical)) {
	for i := range s.rows {
		for q := range s.panels {
			for h := range 2 {
				f(s.half(s.ofPanel(rows.at(i, 0), q), h), s.sum(q, i, h))
			}
		}
	}
}

// storeWhole writes the sums of whole panels, and moves on to what follows them.
func (s *stripKernel) storeWhole(rows rowSet) {
	s.eachOfC(rows, func(m Mem, sum VecPhysical) { VMOVUPS(sum, m) })
	ADDQ(U32(uint32(4*s.width()*s.panels)), s.cTile)
	if s.ints {
		ADDQ(U32(uint32(4*s.width()*s.panels)), s.scales)
	}
}

// store writes the sums, and goes on with the next panel if there is one.
func (s *stripKernel) store() {
	rows := s.rowsFrom(s.cTile, s.cStride)
	Label("store")
	CMPQ(s.columns, Imm(uint64(s.width())))
	JLT(LabelRef("storeTail"))
	Label("storeWhole")
	s.storeWhole(rows)
	s.nextPanel()
	if s.prefetchesA() {
		param("aheadLap", s.ahead)
		ADDQ(s.ahead, argument("ahead"))
	}
	SUBQ(Imm(uint64(s.width())), s.columns)
	JG(LabelRef("panel"))
	JMP(LabelRef("end"))
	Label("storeTail")
	if s.lanes == 16 {
		s.tailMasks()
		for i := range s.rows {
			for h := range 2 {
				VMOVUPS(s.sum(0, i, h), masks[1+h], s.half(rows.at(i, 0), h))
			}
		}
	} else {
		s.storeBits(rows)
	}
	Label("end")
	VZEROUPPER()
	RET()
}

// storeBits writes the leading columns of the tile, fewer than sixteen, by
// eight, four, two and one: AVX2's masked stores take far longer on Zen.
func (s *stripKernel) storeBits(rows rowSet) {
	step := func(bit int, emit func(i int)) {
		next := fmt.Sprintf("below%d", bit)
		TESTQ(U32(uint32(bit)), s.columns)
		JZ(LabelRef(next))
		for i := range s.rows {
			emit(i)
		}
		ADDQ(Imm(uint64(4*bit)), s.cTile)
		Label(next)
	}
	step(8, func(i int) {
		VMOVUPS(Y[2*i], rows.at(i, 0))
		VMOVAPS(Y[2*i+1], Y[2*i])
	})
	step(4, func(i int) {
		VMOVUPS(X[2*i], rows.at(i, 0))
		VEXTRACTF128(Imm(1), Y[2*i], X[2*i])
	})
	step(2, func(i int) {
		VMOVLPS(X[2*i], rows.at(i, 0))
		VUNPCKHPD(X[2*i], X[2*i], X[2*i])
	})
	step(1, func(i int) { VMOVSS(X[2*i], rows.at(i, 0)) })
}

// tailMasks sets the masks for the columns that are left, fewer than a panel
// has: for AVX2 in the registers of B, for AVX-512 in K1 and K2.
func (s *stripKernel) tailMasks() {
	MOVQ(U64(uint64(s.lanes)), s.left)
	CMPQ(s.columns, s.left)
	CMOVQLT(s.columns, s.left)
	s.tailMask(0)
	XORQ(s.bRow, s.bRow)
	MOVQ(s.columns, s.left)
	SUBQ(Imm(uint64(s.lanes)), s.left)
	CMOVQLT(s.bRow, s.left)
	s.tailMask(1)
}

// tailMask sets the mask of half h, of which left columns count.
func (s *stripKernel) tailMask(h int) {
	if s.lanes == 16 {
		tailMaskZ(s.left, s.aRow, masks[1+h])
	} else {
		tailMaskY(s.left, s.aRow, s.v[s.b+h])
	}
}

// loadTail loads the columns of half h that tailMasks has masked in.
func (s *stripKernel) loadTail(m Mem, h int, r VecPhysical) {
	if s.lanes == 16 {
		VMOVUPS_Z(m, masks[1+h], r)
	} else {
		VMASKMOVPS(m, s.v[s.b+h], r)
	}
}
