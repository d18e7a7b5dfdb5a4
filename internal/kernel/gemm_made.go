package kernel

import (
	"sync"
	"unsafe"

	"github.com/mega-go/mega/internal/parallel"
)

// madeLeast is how many numbers of an operand are worth making where tasks read them. Fewer stay
// in the second level of cache in any case, and several tasks would make the same ones.
var madeLeast = 1 << 19

const (
	madeTiles  = 2       // tasks that may make the same numbers of B
	makingTask = 8 << 10 // numbers a task makes of an operand that is made whole
	makingRows = 16      // rows of B that are made at a time, to be packed from the first level of cache
)

// makeWhole makes the operands that tasks do not make piece by piece. The memory that it borrows
// is for the caller to return.
func (p *product) makeWhole(parts int) (a, b *parallel.Scratch) {
	a, b = parallel.Borrow(0), parallel.Borrow(0)
	if p.a.Maker != nil && (parts > 0 || p.m*p.k < madeLeast) {
		a = parallel.Borrow(p.m * p.k)
		p.a = p.made(p.a.Maker, a.Data, p.m, p.k)
	}
	if p.raw.Maker != nil && (parts > 0 || p.k*p.n < madeLeast || p.tasksOfB() > madeTiles) {
		b = parallel.Borrow(p.k * p.n)
		p.raw = p.made(p.raw.Maker, b.Data, p.k, p.n)
	}
	return a, b
}

// tasksOfB returns how many tasks pack the same numbers of B.
func (p *product) tasksOfB() int {
	switch {
	case p.countSplits() > 1:
		return ceilDiv(p.m, splitRows)
	case p.m > rowsFew:
		return 1 // and once for all
	}
	return ceilDiv(p.m, tilings[p.implementation(0)].mr) // at most
}

// made returns the operand of rows × cols numbers that maker makes, in memory.
func (p *product) made(maker Maker, memory []float32, rows, cols int) Matrix {
	m := makings.Get().(*making)
	m.maker, m.dst, m.rows, m.cols = maker, memory, rows, cols
	m.perTask = max(1, makingTask/max(1, cols))
	spread(p.workers, p.serial || rows <= m.perTask, ceilDiv(rows, m.perTask), m.run)
	m.maker, m.dst = nil, nil
	makings.Put(m)
	return Matrix{Data: memory, Stride: cols}
}

// A making is the work of making an operand whole, a task for so many rows.
type making struct {
	maker               Maker
	dst                 []float32
	rows, cols, perTask int
	run                 func(worker, i int)
}

// makings holds idle ones, so that none has to be allocated.
var makings = sync.Pool{New: func() any {
	m := new(making)
	m.run = func(_, i int) {
		first := i * m.perTask
		m.maker.Make(m.dst[first*m.cols:], m.cols, first, 0, min(m.perTask, m.rows-first), m.cols)
	}
	return m
}}

// makeAhead returns how to ask for what the rows from row i on are made from, in the time that a
// strip takes.
func (p *product) makeAhead(s *strip, i int) readAhead {
	if i >= p.m || s.k == 0 {
		return readAhead{}
	}
	memory := p.a.Maker.Ahead(i, min(s.m, p.m-i))
	if len(memory) == 0 {
		return readAhead{}
	}
	asks := max(1, p.impl.asks(s.k))
	step := ceilDiv(4*len(memory), asks*ceilDiv(s.n, p.nr))
	bytes := int(uintptr(unsafe.Pointer(&memory[0])) - uintptr(unsafe.Pointer(&s.a[0])))
	return readAhead{from: bytes / 4, step: step, lap: asks * step}
}

// packMade packs what a Maker makes, which is packRows for Data.
func packMade(impl Implementation, dst []float32, panel, depth, n int, raw Matrix, k, j int) {
	rows := min(depth, makingRows)
	memory := parallel.Borrow(rows * n)
	defer memory.Return()
	for p := 0; p < depth; p += rows {
		height := min(rows, depth-p)
		raw.Maker.Make(memory.Data, n, k+p, raw.column+j, height, n)
		packRows(impl, dst[p*tilings[impl].nr:], panel, height, n, memory.Data, n)
	}
}
