package kernel

import (
	"sync"

	"github.com/mega-go/mega/internal/parallel"
)

// Every product of the models goes through this file, and they take most of the
// time, so its order was measured (docs/performance.md). A kernel streams a packed
// panel of B past one panel of A's rows. The other order, which holds a panel of B
// in the first-level cache and walks down the rows, reached 80% of the machine's
// peak where this one has 95%. Bias, activation and residual are applied while a
// tile is stored, because a pass of their own would read and write C again.

// A tiling is the tile of C that an implementation keeps in registers: of AVX-512's
// 32 registers 28 hold sums, of AVX2's 16 twelve, of NEON's 32 twenty-four. The others
// hold a row of B's panel and numbers of A.
type tiling struct {
	mr, nr int // rows at most, columns
}

var tilings = [...]tiling{
	Generic: {mr: 2, nr: 4},
	AVX2:    {mr: 6, nr: 16},
	AVX512:  {mr: 14, nr: 32},
	NEON:    {mr: 6, nr: 16},
	AMX:     {mr: 32, nr: 32}, // in four tiles; those of A and B take the others
}

// A product is one matrix product under way. The rows of C fall into panels of
// equal height, give or take one, none higher than a tile. A task computes a
// rectangle of panels and columns.
type product struct {
	tiling
	impl    Implementation
	workers *parallel.Workers
	serial  bool
	m, n, k int
	terms   int // of a sum, if k counts rows of their parts; else 0
	parts   int // of each number, if terms is not 0
	panels  int // of rows
	a       Matrix
	raw     Matrix // B, unless packed holds it
	packed  *Packed
	out     output

	perTask int       // columns a task of dot products computes
	grid    grid      // of the other tasks
	partial []float32 // products of a split reduction
	splits  int
}

// An output is where results go, from row 0 and column 0 of the product on.
type output struct {
	c   []float32
	ldc int
	e   Epilogue

	column int // column 0 as the Finisher counts
}

// productTasks are tasks of a product, which they see a copy of: small products,
// which have none, stay on the stack.
type productTasks struct {
	product
	shared Packed // B, packed here for all tasks
	task   func(p *product, i int)
	run    func(worker, i int) // runs task, made once so that no call allocates it
}

// idleTasks are those that no product uses.
var idleTasks = sync.Pool{New: func() any {
	t := new(productTasks)
	t.run = func(_, i int) { t.task(&t.product, i) }
	return t
}}

// spread runs n tasks, over the workers unless serial.
func (p *product) spread(n int, task func(p *product, i int)) {
	t := idleTasks.Get().(*productTasks)
	t.product, t.task = *p, task
	spread(p.workers, p.serial, n, t.run)
	t.product = product{}
	idleTasks.Put(t)
}

// plan chooses how to compute the product that the operands describe.
func (p *product) plan() {
	p.impl = p.implementation(p.parts)
	p.tiling = tilings[p.impl]
	p.panels = ceilDiv(p.m, p.mr)
	p.serial = p.serial || p.work() < taskWork
}

// run computes the product in the way that suits its shape: by dot products
// for a row or a few; by splitting a long reduction with a small result; else,
// if A has few rows, every task packs its own columns of B; else B is packed
// once for all tasks.
func (p *product) run() {
	if p.terms == 0 && p.packed == nil && p.raw.Transposed && !p.a.Transposed && p.a.Maker == nil && p.m <= dotRows && p.k > 0 {
		p.runDots()
		return
	}
	p.splits = p.countSplits()
	switch {
	case p.splits > 1:
		p.runSplit()
	case p.packed != nil || p.m <= rowsFew || p.serial && p.m <= p.rowsOfTask():
		p.runGrid()
	default:
		p.runShared()
	}
}

// runShared packs B, as many columns at a time as sharedMax allows, and then
// computes those columns of C.
func (p *product) runShared() {
	width := max(p.nr, sharedMax/max(p.k, 1)/p.nr*p.nr)
	memory := parallel.Borrow(packedSize(p.impl, p.k, min(p.n, width)))
	defer memory.Return()
	t := idleTasks.Get().(*productTasks)
	for j := 0; j < p.n; j += width {
		part := *p
		part.n, part.packed, part.out = min(width, p.n-j), &t.shared, p.out.fromColumn(j)
		t.shared = Packed{k: p.k, n: part.n, terms: p.terms, parts: p.parts, impl: p.impl, data: memory.Data}
		t.shared.fill(p.workers, p.raw.fromColumn(j), p.serial)
		part.plan()
		part.runGrid()
	}
	t.shared = Packed{}
	idleTasks.Put(t)
}

// fromColumn returns the part of an output from column j on.
func (o output) fromColumn(j int) output {
	o.c, o.column = o.c[j:], o.column+j
	if o.e.Bias != nil {
		o.e.Bias = o.e.Bias[j:]
	}
	if o.e.Base != nil {
		o.e.Base = o.e.Base[j:]
	}
	if o.e.Pre != nil {
		o.e.Pre = o.e.Pre[j:]
	}
	return o
}

// fromColumn returns the operand without its first j columns.
func (m Matrix) fromColumn(j int) Matrix {
	if m.Maker != nil {
		m.column += j
		return m
	}
	at := j
	if m.Transposed {
		at = j * m.Stride
	}
	m.Data = m.Data[min(at, len(m.Data)):]
	return m
}
