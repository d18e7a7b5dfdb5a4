package kernel

import (
	"fmt"
	"sync"

	"github.com/mega-go/mega/internal/parallel"
)

// A Packed is the right-hand operand of products in the order in which the
// kernels read it: panels of as many columns as a tile is wide, each panel's
// rows one after the other. Packing costs about as much as a product with a
// few rows; a matrix that many products share is packed once. The zero value
// is empty. Several goroutines may multiply by one Packed at once.
type Packed struct {
	k, n  int
	terms int            // if k counts rows of the parts of so many; else 0
	parts int            // of each number, if terms is not 0
	impl  Implementation // that it is packed for
	data  []float32      // panel j/nr, row, column j%nr; what is beyond n is undefined

	// Instead of data, bytes in units of a scale for each column: see PackInt8.
	ints   []int8
	scales []float32 // nil if data holds the numbers
}

// Pack replaces what p holds by the k × n operand b, over workers. It allocates only if p
// never held as much.
func (p *Packed) Pack(w *parallel.Workers, k, n int, b Matrix) {
	b.checkNumbers("B", k, n)
	p.pack(w, implementationOf(0), 0, k, n, b)
}

// pack is Pack for an implementation and numbers of parts; 0 stands for float32 numbers.
func (p *Packed) pack(w *parallel.Workers, impl Implementation, parts, k, n int, b Matrix) {
	terms := 0
	if parts > 0 {
		k, terms = groupingOf(impl, parts).rowsOf(k), k
	}
	size := packedSize(impl, k, n)
	if cap(p.data) < size {
		p.data = parallel.Aligned(size)
	}
	*p = Packed{k: k, n: n, terms: terms, parts: parts, impl: impl, data: p.data[:size]}
	p.fill(w, b, readWork*k*n < 2*taskWork)
}

// Rows returns the number of rows k that p holds.
func (p *Packed) Rows() int {
	if p.terms > 0 {
		return p.terms
	}
	return p.k
}

// Columns returns the number of columns n that p holds.
func (p *Packed) Columns() int { return p.n }

// check panics unless p holds at least k rows and n columns.
func (p *Packed) check(k, n int) {
	if k > p.Rows() || n > p.n {
		panic(fmt.Sprintf("kernel: product with %d rows and %d columns of a packed matrix of %d × %d", k, n, p.Rows(), p.n))
	}
}

// packedSize is the number of floats that a packed k × n operand takes.
func packedSize(impl Implementation, k, n int) int {
	return roundUp(n, tilings[impl].nr) * k
}

// fill packs raw into p, whose size is set.
func (p *Packed) fill(workers *parallel.Workers, raw Matrix, serial bool) {
	w := packings.Get().(*packing)
	w.to, w.raw = p, raw
	each := w.rowsTask
	tasks := ceilDiv(p.k, p.slice())
	if raw.Transposed {
		each, tasks = w.panelTask, ceilDiv(p.n, tilings[p.impl].nr)
	}
	spread(workers, serial, tasks, each)
	w.to, w.raw = nil, Matrix{}
	packings.Put(w)
}

// A packing is the work of filling a Packed: a task a panel or a slice of
// packSlice rows, so that what a task reads lies together.
type packing struct {
	to                  *Packed
	raw                 Matrix
	panelTask, rowsTask func(worker, i int)
}

const packSlice = 64

// slice returns how many rows a task packs.
func (p *Packed) slice() int { return roundUp(packSlice, groupingOf(p.impl, p.parts).rows) }

// packings holds idle ones, so that packing allocates no function values.
var packings = sync.Pool{New: func() any {
	w := new(packing)
	w.panelTask, w.rowsTask = w.panel, w.rows
	return w
}}

// panel packs all rows of panel i.
func (w *packing) panel(_, i int) {
	nr := tilings[w.to.impl].nr
	w.to.packBlock(w.to.data[i*nr*w.to.k:], 0, w.raw, 0, w.to.k, i*nr, min(nr, w.to.n-i*nr))
}

// rows packs slice i of the rows of all panels.
func (w *packing) rows(_, i int) {
	k := i * w.to.slice()
	at := k * tilings[w.to.impl].nr
	w.to.packBlock(w.to.data[at:], w.to.k, w.raw, k, min(w.to.slice(), w.to.k-k), 0, w.to.n)
}

// packBlock packs depth rows from k on and n columns from j on of raw into
// panels at dst, whose starts are panelRows rows apart, as p says that they are packed.
func (p *Packed) packBlock(dst []float32, panelRows int, raw Matrix, k, depth, j, n int) {
	impl := p.impl
	switch {
	case depth == 0 || n == 0:
		return
	case p.terms > 0:
		p.packParts(dst, panelRows, raw, k, depth, j, n)
		return
	}
	if raw.Maker != nil {
		packMade(impl, dst, panelRows*tilings[impl].nr, depth, n, raw, k, j)
		return
	}
	if !raw.Transposed {
		packRows(impl, dst, panelRows*tilings[impl].nr, depth, n, raw.Data[k*raw.Stride+j:], raw.Stride)
		return
	}
	nr := tilings[impl].nr
	for i := 0; i < n; i += nr {
		packTransposed(impl, dst[i*panelRows:], nr, depth, min(nr, n-i), raw.Data[(j+i)*raw.Stride+k:], raw.Stride)
	}
}

// spread runs n tasks, over workers unless serial.
func spread(w *parallel.Workers, serial bool, n int, task func(worker, i int)) {
	if !serial {
		w.Run(n, task)
		return
	}
	for i := range n {
		task(0, i)
	}
}

// roundUp returns the least multiple of m that is not less than n.
func roundUp(n, m int) int { return ceilDiv(n, m) * m }

// ceilDiv returns n/m rounded up.
func ceilDiv(n, m int) int { return (n + m - 1) / m }
