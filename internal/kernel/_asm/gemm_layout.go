package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// A layout is how the numbers of A lie in memory.
//
// Intel's processors split a multiply-add that reads memory through an index register
// into two operations, and decode half as many operations in a cycle while another thread
// runs on the core. A multiply-add that broadcasts a number of A from an address without
// an index is one operation, where a broadcast and a multiply-add are two. As the CPU loads two
// vectors in a cycle and begins two multiply-adds, not every one can load: half of the rows do by
// rows, where each register addresses two, and two in three by columns.
type layout int

const (
	strided   layout = iota // rows as bytes apart, and a row's numbers ks
	byRows                  // rows as bytes apart, and a row's numbers one after the other
	byColumns               // rows one number apart, and a row's numbers ks bytes
)

// rowsDirect is the least number of rows for which there are kernels by rows and columns, as
// strip.kernel says too.
const rowsDirect = 3

// name is the kernel's name.
func (s *stripKernel) name() string {
	return fmt.Sprintf("gemm%s%s%d", s.isa, [...]string{"x", "Rows", "Columns"}[s.layout], s.rows)
}

// doc says what the kernel is for.
func (s *stripKernel) doc() []string {
	first := fmt.Sprintf("%s computes a strip of %d rows", s.name(), s.rows)
	switch s.layout {
	case byRows:
		return []string{first + ", whose numbers lie one after the other; as, bs and ldc are in bytes."}
	case byColumns:
		return []string{first + ", which lie one number apart; ks, bs and ldc are in bytes."}
	}
	return []string{first + "; as, ks, bs and ldc are in bytes."}
}

// pair is the register that addresses rows 2i and 2i+1 of A by rows. Those of B's
// panel and C are free while the kernel multiplies.
func (s *stripKernel) pair(i int) GPPhysical {
	return []GPPhysical{s.aRow, s.aRow7, s.kStride, s.bPanel, s.cStride, s.times3, s.times5}[i]
}

// loadA loads the strides of A, and the place of B's panel if it has a register.
func (s *stripKernel) loadA() {
	if s.layout != byColumns {
		param("as", s.aStride)
	}
	if s.layout != byRows {
		param("ks", s.kStride)
		param("b", s.bPanel)
	}
}

// startA addresses A's rows.
func (s *stripKernel) startA() {
	param("a", s.aRow)
	switch s.layout {
	case strided:
		newRowSet(s.rows, s.aRow, s.aRow7, s.aStride, s.times3, s.times5)
	case byRows:
		for i := 1; i < (s.rows+1)/2; i++ {
			LEAQ(Mem{Base: s.pair(i - 1), Index: s.aStride, Scale: 2}, s.pair(i))
		}
	}
	if s.prefetchesA() {
		param("ahead", s.ahead)
		ADDQ(s.aRow, s.ahead)
	}
}

// startB addresses the first row of B's panel.
func (s *stripKernel) startB() {
	if s.layout == byRows {
		param("b", s.bRow)
		return
	}
	MOVQ(s.bPanel, s.bRow)
}

// nextPanel goes on to B's next panel.
func (s *stripKernel) nextPanel() {
	Load(Param("bs"), s.aRow)
	if s.layout == byRows {
		ADDQ(s.aRow, argument("b"))
		return
	}
	ADDQ(s.aRow, s.bPanel)
}

// ofA returns the address of row i's number at row u of B from bRow on.
func (s *stripKernel) ofA(i, u int) Mem {
	switch s.layout {
	case byRows:
		m := Mem{Base: s.pair(i / 2), Disp: 4 * u}
		if i%2 == 1 {
			m.Index, m.Scale = s.aStride, 1
		}
		return m
	case byColumns:
		return Mem{Base: s.aRow, Disp: 4 * i}
	}
	return s.rowsFrom(s.aRow, s.aStride).at(i, 0)
}

// embeds reports whether multiply-adds broadcast the numbers of row i themselves.
func (s *stripKernel) embeds(i int) bool {
	switch s.layout {
	case byRows:
		return i%2 == 0
	case byColumns:
		return i%3 > 0
	}
	return false
}

// advanceA goes on to the numbers of A that belong to the next row of B, a turn of so many
// rows having done as many as done, and asks for numbers ahead.
func (s *stripKernel) advanceA(done, turn int) {
	if s.layout == byRows {
		if done == turn {
			for i := range (s.rows + 1) / 2 {
				ADDQ(Imm(uint64(4*turn)), s.pair(i))
			}
		}
		if done%2 == 0 {
			s.askAhead()
		}
		return
	}
	ADDQ(s.kStride, s.aRow)
	if s.rows > 7 && s.layout == strided {
		ADDQ(s.kStride, s.aRow7)
	}
	s.askAhead()
}

// askAhead asks for a line of A that will be needed.
func (s *stripKernel) askAhead() {
	if s.prefetchesA() {
		PREFETCHT0(Mem{Base: s.ahead})
		ADDQ(argument("aheadStep"), s.ahead)
	}
}
