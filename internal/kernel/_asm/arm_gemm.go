package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

func init() {
	families["gemm_arm64"] = func() {
		for rows := 1; rows <= neonRows; rows++ {
			newNEONStrip("gemmNEON", rows).emit()
		}
		emitPackRowsNEON()
		emitPackRunsNEON()
		emitPackTransposedNEON()
		emitPeakNEON()
		emitReadNEON()
	}
}

// The tile of C is six rows of four vectors: 24 sums, which leave eight registers for
// numbers of A and B. Cores with four FMA units and a latency of four want sixteen FMAs
// under way, and get them.
const (
	neonRows    = 6
	neonColumns = 16
	neonUnroll  = 4 // rows of B a turn of the loop
)

// A neonStrip emits the product of a few rows of A and the packed panels of B,
// as stripKernel does, some panels side by side too. Numbers of A are multiplied from
// the lanes that they are loaded into, since to broadcast them would take a unit that
// multiplies.
type neonStrip struct {
	name                     string
	rows                     int
	panels                   int  // side by side, in the part that is being emitted
	ints                     bool // whether B's numbers are bytes, which have a scale for each column
	pairs                    bool // whether numbers are pairs of bfloat16 ones
	bias, columns, bPanel, c GPVirtual
	scales                   GPVirtual   // of the panel's columns, if ints
	row                      []GPVirtual // of A, then of C
}

func newNEONStrip(name string, rows int) *neonStrip {
	s := &neonStrip{
		name: fmt.Sprint(name, "x", rows), rows: rows, panels: 1,
		bias: GP64(), columns: GP64(), bPanel: GP64(), c: GP64(),
	}
	for range rows {
		s.row = append(s.row, GP64())
	}
	return s
}

// beside is the number of panels that are taken side by side while there are as
// many: one has too few sums where there are few rows. To make bytes numbers takes
// longer than a multiply-add, and blocks of pairs have twice as many sums.
func (s *neonStrip) beside() int {
	if s.ints || s.pairs {
		return 1
	}
	return [...]int{1: 4, 2: 2, 3: 2, 4: 1, 5: 1, 6: 1}[s.rows]
}

// label names a place in the part being emitted.
func (s *neonStrip) label(name string) string {
	if s.panels > 1 {
		return "wide_" + name
	}
	return name
}

// sum is vector v of row i's sums in a panel.
func (s *neonStrip) sum(panel, i, v int) VecPhysical { return Z[4*(panel*s.rows+i)+v] }

// ofB is vector v of B's row, spare one of four registers more.
func ofB(v int) VecPhysical   { return Z[24+v] }
func spare(i int) VecPhysical { return Z[28+i%4] }

func (s *neonStrip) emit() {
	ofB := "b *float32"
	if s.ints {
		ofB = "b *int8, scales *float32"
	}
	armText(s.name, "func(k int, a *float32, as, ks int, "+ofB+", bs int, c *float32, ldc, n int, bias *float32, add uint64)",
		fmt.Sprintf("%s computes a strip of %d rows; as, ks, bs and ldc are in bytes.", s.name, s.rows))
	if s.ints {
		armParam("scales", s.scales)
	}
	armParam("b", s.bPanel)
	armParam("c", s.c)
	armParam("n", s.columns)
	armParam("bias", s.bias)
	if s.beside() > 1 {
		s.panels = s.beside()
		neon.Label("wide")
		armCompare(s.columns, Imm(uint64(s.panels*neonColumns)))
		armBranch("BLT", "narrow")
		s.multiply()
		s.pointRows("ldc", s.c)
		s.finishWhole()
		armBranch("JMP", "wide")
		s.panels = 1
		neon.Label("narrow")
		armBranch("CBZ", "end", s.columns)
	}
	neon.Label("panel")
	if s.pairs {
		s.multiplyQuads()
	} else {
		s.multiply()
	}
	s.pointRows("ldc", s.c)
	armCompare(s.columns, Imm(neonColumns))
	armBranch("BLT", "tail")
	s.finishWhole()
	armBranch("CBNZ", "panel", s.columns)
	if s.beside() > 1 {
		neon.Label("end")
	}
	armReturn()
	neon.Label("tail")
	for n := neonColumns / 2; n > 0; n /= 2 {
		s.tail(n)
	}
	armReturn()
}

// finishWhole finishes whole panels and moves on to what follows them.
func (s *neonStrip) finishWhole() {
	s.finish(neonColumns, s.label("whole"))
	armAdd(Imm(uint64(4*neonColumns*s.panels)), s.c)
	armParam("bs", scratch)
	for range s.panels {
		armAdd(scratch, s.bPanel)
	}
	if s.ints {
		armAdd(Imm(4*neonColumns), s.scales)
	}
	armGP("SUB", Imm(uint64(neonColumns*s.panels)), s.columns, s.columns)
}

// pointRows makes the row registers point to rows from base on, as many bytes
// apart as the parameter stride says.
func (s *neonStrip) pointRows(stride string, base Op) {
	armParam(stride, scratch)
	armMove("MOVD", base, s.row[0])
	for i := 1; i < s.rows; i++ {
		armGP("ADD", scratch, s.row[i-1], s.row[i])
	}
}

// finish adds the bias and C, as far as asked for, to the leading n columns of each
// panel, and stores them.
func (s *neonStrip) finish(n int, label string) {
	vectors := max(1, n/4)
	move := map[int]string{2: "FMOVD", 1: "FMOVS"}[n]
	if n >= 4 {
		move = "FMOVQ"
	}
	each := func(f func(q, v, disp int)) {
		for q := range s.panels {
			for v := range vectors {
				f(q, v, 4*neonColumns*q+16*v)
			}
		}
	}
	armBranch("CBZ", label+"Unbiased", s.bias)
	each(func(q, v, disp int) {
		armMove(move, Mem{Base: s.bias, Disp: disp}, ofB(v))
		for i := range s.rows {
			arm("fadd.4s", s.sum(q, i, v), s.sum(q, i, v), ofB(v))
		}
	})
	armAdd(Imm(uint64(4*n*s.panels)), s.bias)
	neon.Label(label + "Unbiased")
	armParam("add", scratch)
	armBranch("CBZ", label+"Store", scratch)
	for i := range s.rows {
		each(func(q, v, disp int) {
			armMove(move, Mem{Base: s.row[i], Disp: disp}, spare(v))
			arm("fadd.4s", s.sum(q, i, v), s.sum(q, i, v), spare(v))
		})
	}
	neon.Label(label + "Store")
	for i := range s.rows {
		each(func(q, v, disp int) {
			armMove(move, s.sum(q, i, v), Mem{Base: s.row[i], Disp: disp})
		})
	}
}

// tail finishes n columns if that many are among those left, fewer than a panel
// has, and moves on to what follows them.
func (s *neonStrip) tail(n int) {
	bit, label := map[int]uint64{8: 3, 4: 2, 2: 1, 1: 0}[n], fmt.Sprint("columns", n)
	armBranch("TBZ", label+"Done", Imm(bit), s.columns)
	s.finish(n, label)
	for i := range s.rows {
		armAdd(Imm(uint64(4*n)), s.row[i])
		first := s.sum(0, i, 0)
		switch n {
		case 8:
			arm("mov", first, s.sum(0, i, 2), s.sum(0, i, 2))
			arm("mov", s.sum(0, i, 1), s.sum(0, i, 3), s.sum(0, i, 3))
		case 4:
			arm("mov", first, s.sum(0, i, 1), s.sum(0, i, 1))
		case 2:
			arm("ext8", first, first, first)
		}
	}
	neon.Label(label + "Done")
}

// armParams loads parameters of eight bytes.
func armParams(names ...string) (registers []GPVirtual) {
	for _, name := range names {
		r := GP64()
		armParam(name, r)
		registers = append(registers, r)
	}
	return registers
}

// armCount subtracts 1 from n and jumps unless it is zero.
func armCount(n GPVirtual, label string) {
	armGP("SUB", Imm(1), n, n)
	armBranch("CBNZ", label, n)
}

// armCopy copies n numbers, 16, 8, 4, 2 or 1, by way of four registers.
func armCopy(from, to GPVirtual, n int) {
	switch n {
	case 2, 1:
		move := map[int]string{2: "FMOVD", 1: "FMOVS"}[n]
		armMove(move, Mem{Base: from}, Z[0])
		armMove(move, Z[0], Mem{Base: to})
		return
	}
	for v := range n / 4 {
		armMove("FMOVQ", Mem{Base: from, Disp: 16 * v}, Z[v])
	}
	for v := range n / 4 {
		armMove("FMOVQ", Z[v], Mem{Base: to, Disp: 16 * v})
	}
}

// emitPackRowsNEON emits the distribution of rows over panels.
func emitPackRowsNEON() {
	armText("packRowsNEON", "func(depth int, src *float32, stride int, dst *float32, panel, n int)",
		fmt.Sprintf("packRowsNEON copies n > 0 numbers from each of depth > 0 rows to panels of %d columns;\n", neonColumns)+
			"stride, between rows, and panel, between panels, are in bytes.")
	r := armParams("depth", "src", "stride", "dst", "panel")
	depth, source, stride, dst, panel := r[0], r[1], r[2], r[3], r[4]
	left, from, to := GP64(), GP64(), GP64()
	neon.Label("row")
	armParam("n", left)
	armMove("MOVD", source, from)
	armMove("MOVD", dst, to)
	neon.Label("panel")
	armCompare(left, Imm(neonColumns))
	armBranch("BLT", "tail")
	armCopy(from, to, neonColumns)
	armAdd(Imm(4*neonColumns), from)
	armAdd(panel, to)
	armGP("SUB", Imm(neonColumns), left, left)
	armBranch("JMP", "panel")
	neon.Label("tail")
	for n, bit := neonColumns/2, uint64(3); n > 0; n, bit = n/2, bit-1 {
		label := fmt.Sprint("columns", n)
		armBranch("TBZ", label, Imm(bit), left)
		armCopy(from, to, n)
		armAdd(Imm(uint64(4*n)), from)
		armAdd(Imm(uint64(4*n)), to)
		neon.Label(label)
	}
	armAdd(stride, source)
	armAdd(Imm(4*neonColumns), dst)
	armCount(depth, "row")
	armReturn()
}

// emitPackRunsNEON emits the packing of columns of A, which lie together, to
// panels as high as the tile.
func emitPackRunsNEON() {
	armText("packRunsNEON", "func(depth int, src *float32, stride int, dst *float32, pitch, panel int, starts *int, n int)",
		fmt.Sprintf("packRunsNEON copies n > 0 runs of %d numbers from each of depth > 0 rows to as many panels;\n", neonRows)+
			"stride, between rows, pitch, between a panel's rows, panel, between panels, and starts, of runs in a row, are in bytes.")
	r := armParams("depth", "src", "stride", "dst", "pitch", "panel")
	depth, source, stride, dst, pitch, panel := r[0], r[1], r[2], r[3], r[4], r[5]
	to, start, left, from := GP64(), GP64(), GP64(), GP64()
	neon.Label("row")
	armMove("MOVD", dst, to)
	armParam("starts", start)
	armParam("n", left)
	neon.Label("run")
	armMove("MOVD", Mem{Base: start}, from)
	armAdd(source, from)
	armMove("FMOVQ", Mem{Base: from}, Z[0])
	armMove("FMOVD", Mem{Base: from, Disp: 16}, Z[1])
	armMove("FMOVQ", Z[0], Mem{Base: to})
	armMove("FMOVD", Z[1], Mem{Base: to, Disp: 16})
	armAdd(panel, to)
	armAdd(Imm(8), start)
	armCount(left, "run")
	armAdd(stride, source)
	armAdd(pitch, dst)
	armCount(depth, "row")
	armReturn()
}

// emitPackTransposedNEON emits the transposition of up to four rows, by blocks of
// 4 × 4.
func emitPackTransposedNEON() {
	armText("packTransposedNEON", "func(depth int, src *float32, stride int, dst *float32, pitch, n int)",
		"packTransposedNEON makes columns of n <= 4 rows of depth numbers, and four columns in all;\nstride and pitch are in bytes.")
	r := armParams("depth", "src", "stride", "dst", "pitch", "n")
	depth, stride, dst, pitch, n := r[0], r[2], r[3], r[4], r[5]
	rows := []GPVirtual{r[1], GP64(), GP64(), GP64()}
	for i := 1; i < 4; i++ { // those beyond the last are the last again
		label := fmt.Sprint("last", i)
		armMove("MOVD", rows[i-1], rows[i])
		armCompare(n, Imm(uint64(i)))
		armBranch("BLE", label)
		armAdd(stride, rows[i])
		neon.Label(label)
	}
	store := func(move string, v VecPhysical) {
		armMove(move, v, Mem{Base: dst})
		armAdd(pitch, dst)
	}
	neon.Label("block")
	armCompare(depth, Imm(4))
	armBranch("BLT", "rest")
	for i, row := range rows {
		armMove("FMOVQ", Mem{Base: row}, Z[i])
		armAdd(Imm(16), row)
	}
	arm("zip1.4s", Z[4], Z[0], Z[1]) // 00 10 01 11
	arm("zip2.4s", Z[5], Z[0], Z[1]) // 02 12 03 13
	arm("zip1.4s", Z[6], Z[2], Z[3])
	arm("zip2.4s", Z[7], Z[2], Z[3])
	arm("zip1.2d", Z[0], Z[4], Z[6]) // 00 10 20 30
	arm("zip2.2d", Z[1], Z[4], Z[6])
	arm("zip1.2d", Z[2], Z[5], Z[7])
	arm("zip2.2d", Z[3], Z[5], Z[7])
	for i := range 4 {
		store("FMOVQ", Z[i])
	}
	armGP("SUB", Imm(4), depth, depth)
	armBranch("JMP", "block")
	neon.Label("rest")
	armBranch("CBZ", "end", depth)
	neon.Label("one")
	for i, row := range rows {
		armMove("FMOVS", Mem{Base: row}, Z[0])
		armMove("FMOVS", Z[0], Mem{Base: dst, Disp: 4 * i})
		armAdd(Imm(4), row)
	}
	armAdd(pitch, dst)
	armCount(depth, "one")
	neon.Label("end")
	armReturn()
}

// emitPeakNEON emits a loop of independent FMAs in registers.
func emitPeakNEON() {
	const perTurn, sums = 48, 24
	armText("peakNEON", "func(turns int)", fmt.Sprintf("peakNEON computes %d vector FMAs a turn.", perTurn))
	turns := armParams("turns")[0]
	for i := range sums + 2 {
		arm("zero", Z[i])
	}
	neon.Label("loop")
	for i := range perTurn {
		armInto("fmla.4s", Z[i%sums], Z[sums], Z[sums+1])
	}
	armCount(turns, "loop")
	armReturn()
}

// emitReadNEON emits the reading of memory at full speed.
func emitReadNEON() {
	armText("readNEON", "func(lines int, x *float32) float32", "readNEON adds up lines > 0 times 64 numbers, in some order.")
	r := armParams("lines", "x")
	lines, x := r[0], r[1]
	for i := range 16 {
		arm("zero", Z[i])
	}
	neon.Label("loop")
	for i := 0; i < 16; i += 2 {
		armLoadPair(Mem{Base: x, Disp: 16 * i}, Z[16+i], Z[17+i])
		arm("fadd.4s", Z[i], Z[i], Z[16+i])
		arm("fadd.4s", Z[i+1], Z[i+1], Z[17+i])
	}
	armAdd(Imm(256), x)
	armCount(lines, "loop")
	for step := 8; step > 0; step /= 2 {
		for i := range step {
			arm("fadd.4s", Z[i], Z[i], Z[i+step])
		}
	}
	arm("ext8", Z[1], Z[0], Z[0])
	arm("fadd.4s", Z[0], Z[0], Z[1])
	arm("rev64", Z[1], Z[0])
	arm("fadd.4s", Z[0], Z[0], Z[1])
	result, err := neon.ReturnIndex(0).Resolve()
	if err != nil {
		panic(err)
	}
	armMove("FMOVS", Z[0], result.Addr)
	armReturn()
}
