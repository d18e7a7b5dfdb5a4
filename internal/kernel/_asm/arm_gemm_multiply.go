package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// The products of a strip's rows and its panels take A as it lies. Four terms of a row
// are one load if they lie together; so are up to four rows at one term if A is
// transposed. Either way a term of six rows and sixteen columns costs 24 FMAs and
// fewer than five loads, of which two load half of a row of B each, so that the units
// that multiply are what the loop takes the time of. Whatever way is taken, each sum
// has its terms in order.

// A neonWalk is where the loops of a strip are in A and B.
type neonWalk struct {
	bRows          []GPVirtual // of each panel
	at, step, left GPVirtual   // bytes from the start of A's rows, bytes a term, terms
}

// multiply sets the sums to the products of A's rows and the panels of B, whose terms
// are added in order.
func (s *neonStrip) multiply() {
	for i := range 4 * s.rows * s.panels {
		arm("zero", Z[i])
	}
	if s.ints {
		s.startInts()
	}
	w := s.startWalk()
	if s.ints {
		s.loop(w, "loop", func() {
			for u := range neonUnroll {
				s.step(u, w)
			}
		})
	} else {
		s.multiplyLanes(w)
	}
	neon.Label(s.label("rest"))
	armBranch("CBZ", s.label("multiplied"), w.left)
	neon.Label(s.label("one"))
	s.step(0, w)
	s.next(w, 1)
	armCount(w.left, s.label("one"))
	neon.Label(s.label("multiplied"))
}

// startWalk returns the start of A and B, and points the row registers to A's rows.
func (s *neonStrip) startWalk() neonWalk {
	w := neonWalk{bRows: []GPVirtual{GP64()}, at: GP64(), step: GP64(), left: GP64()}
	armParam("a", w.at)
	s.pointRows("as", w.at)
	armMove("MOVD", s.bPanel, w.bRows[0])
	if s.panels > 1 {
		armParam("bs", scratch)
		for q := 1; q < s.panels; q++ {
			w.bRows = append(w.bRows, GP64())
			armGP("ADD", scratch, w.bRows[q-1], w.bRows[q])
		}
	}
	armParam("k", w.left)
	armParam("ks", w.step)
	armMove("MOVD", U8(0), w.at)
	return w
}

// next moves on by so many rows of B.
func (s *neonStrip) next(w neonWalk, rows int) {
	for _, r := range w.bRows {
		armAdd(Imm(uint64(rows*s.rowBytes())), r)
	}
}

// loop repeats body, which multiplies neonUnroll terms, while there are as many. It falls
// through to what takes the others.
func (s *neonStrip) loop(w neonWalk, name string, body func()) {
	armCompare(w.left, Imm(neonUnroll))
	armBranch("BLT", s.label("rest"))
	neon.Label(s.label(name))
	body()
	s.next(w, neonUnroll)
	armGP("SUB", Imm(neonUnroll), w.left, w.left)
	armCompare(w.left, Imm(neonUnroll))
	armBranch("BGE", s.label(name))
}

// multiplyLanes multiplies by several numbers of A a load, if they lie together along a
// row or down a column.
func (s *neonStrip) multiplyLanes(w neonWalk) {
	armCompare(w.step, Imm(4))
	armBranch("BNE", s.label("apart"))
	s.loop(w, "loop", func() { s.alongRows(w) })
	armBranch("JMP", s.label("rest"))
	neon.Label(s.label("apart"))
	if s.rows == 1 {
		return
	}
	armParam("as", scratch)
	armCompare(scratch, Imm(4))
	armBranch("BNE", s.label("rest"))
	s.loop(w, "down", func() {
		for u := range neonUnroll {
			s.downColumn(u, w)
		}
	})
}

// alongRows adds four terms, of which each row of A takes one register. The registers
// after those of the sums and before those of A are for B.
func (s *neonStrip) alongRows(w neonWalk) {
	ofA := func(i int) VecPhysical { return Z[32-s.rows+i] }
	forB := (8 - s.rows) &^ 1
	for i := range s.rows {
		arm("ldr.q", ofA(i), s.row[i], w.at)
	}
	armAdd(Imm(4*neonUnroll), w.at)
	used := 0
	for u := range neonUnroll {
		for q, bRow := range w.bRows {
			for v := 0; v < 4; {
				b := used % forB
				n := s.loadSome(v, Mem{Base: bRow, Disp: 4 * neonColumns * u}, b)
				for h := range n {
					for i := range s.rows {
						armInto(fmlaLane(u), s.sum(q, i, v+h), ofB(b+h), ofA(i))
					}
				}
				v, used = v+n, used+n
			}
		}
	}
}

// loadSome loads vector v of a row of B, or two from there on, and returns how many. Two
// at once are fewer instructions, but more work than two single ones on the models of
// Neoverse cores, and less on Apple's. With few rows, where loads are what takes the time,
// half of a row each way is good for all.
func (s *neonStrip) loadSome(v int, row Mem, b int) int {
	if s.rows <= 4 && v >= 2 {
		armMove("FMOVQ", row.Offset(16*v), ofB(b))
		return 1
	}
	armLoadPair(row.Offset(16*v), ofB(b), ofB(b+1))
	return 2
}

// downColumn adds term u, whose numbers of all rows lie together: four or two make a
// register, and those left another.
func (s *neonStrip) downColumn(u int, w neonWalk) {
	first := 2
	if s.rows >= 4 {
		first = 4
	}
	ofA := func(i int) VecPhysical { return spare(2*(u%2) + i/first) }
	load := map[int]string{1: "ldr.s", 2: "ldr.d", 4: "ldr.q"}
	arm(load[first], ofA(0), s.row[0], w.at)
	if s.rows > first {
		arm(load[s.rows-first], ofA(first), s.row[first], w.at)
	}
	armAdd(w.step, w.at)
	for q, bRow := range w.bRows {
		s.loadRow(Mem{Base: bRow, Disp: 4 * neonColumns * u})
		for i := range s.rows {
			for v := range 4 {
				armInto(fmlaLane(i%first), s.sum(q, i, v), ofB(v), ofA(i))
			}
		}
	}
}

// fmlaLane is the FMA by a lane.
func fmlaLane(lane int) string { return fmt.Sprint("fmla.s", lane) }

// step adds the products with row u of B's panels and one number of each row of A,
// wherever it lies, and steps along A.
func (s *neonStrip) step(u int, w neonWalk) {
	ofA := 4 // registers
	if s.ints {
		ofA = 3
	}
	for q, bRow := range w.bRows {
		s.loadRow(Mem{Base: bRow, Disp: u * s.rowBytes()})
		for i := range s.rows {
			if q == 0 {
				arm("ldr.s", spare(i%ofA), s.row[i], w.at)
			}
			for v := range 4 {
				armInto(fmlaLane(0), s.sum(q, i, v), ofB(v), spare(i%ofA))
			}
		}
	}
	armAdd(w.step, w.at)
}

// rowBytes is the size of a panel's row.
func (s *neonStrip) rowBytes() int {
	if s.ints {
		return neonColumns
	}
	return 4 * neonColumns
}

// loadRow loads a row of a panel as numbers.
func (s *neonStrip) loadRow(row Mem) {
	if s.ints {
		s.loadInts(row)
		return
	}
	for v := 0; v < 4; v += 2 {
		armLoadPair(row.Offset(16*v), ofB(v), ofB(v+1))
	}
}
