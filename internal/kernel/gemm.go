package kernel

import (
	"fmt"

	"github.com/mega-go/mega/internal/parallel"
)

// A Matrix is an operand of a product: rows of float32 numbers, Stride apart,
// or the transpose of that; or what a Maker makes, which is not transposed.
type Matrix struct {
	Data       []float32
	Stride     int  // numbers from the start of one stored row to the next
	Transposed bool // whether the operand is the transpose of what is stored

	Maker Maker // if not nil makes the numbers; Data and Stride do not count then

	column int // column 0 as the Maker counts
}

// A Maker computes the numbers of an operand where a product reads them, while they are in a
// core's cache, so that they need no memory of their own.
type Maker interface {
	// Make sets rows of cols numbers, whose starts in dst are stride apart, to those from row i
	// and column j of the operand on. Several goroutines may call it at once, and a product may
	// ask for the same numbers more than once.
	Make(dst []float32, stride, i, j, rows, cols int)

	// Ahead returns memory that Make reads for rows from row i on, for a product to ask for
	// in the meantime: what the processor does not fetch by itself, as rows far apart.
	Ahead(i, rows int) []float32
}

// A Finisher takes up what a product has stored.
type Finisher interface {
	// Finish is called once for every number of C, by rectangles: rows from row i on and cols
	// columns from column j on, as soon as they are final and still in a core's cache. Several
	// goroutines may call it at once.
	Finish(i, j, rows, cols int)
}

// T returns the transpose of m, over the same numbers.
func (m Matrix) T() Matrix {
	m.Transposed = !m.Transposed
	return m
}

// check panics unless m holds a rows × cols operand.
func (m Matrix) check(name string, rows, cols int) {
	switch {
	case m.Maker != nil && m.Transposed:
		panic("kernel: " + name + " is the transpose of what a Maker makes")
	case m.Maker != nil:
		return
	case m.Transposed:
		rows, cols = cols, rows
	}
	checkStored(name, len(m.Data), m.Stride, rows, cols)
}

// checkNumbers is check for an operand to be packed, which has to hold its numbers.
func (m Matrix) checkNumbers(name string, rows, cols int) {
	if m.Maker != nil {
		panic("kernel: packing " + name + ", which a Maker makes")
	}
	m.check(name, rows, cols)
}

// checkStored panics unless size numbers hold rows of cols numbers each whose
// starts are stride apart.
func checkStored(name string, size, stride, rows, cols int) {
	if rows == 0 || cols == 0 {
		return
	}
	if rows > 1 && stride < cols || size < (rows-1)*stride+cols {
		panic(fmt.Sprintf("kernel: %s of %d numbers with stride %d cannot hold %d rows of %d",
			name, size, stride, rows, cols))
	}
}

// An Epilogue says what becomes of a product P = A·B before it is stored in C:
//
//	V = P [+ C] [+ Base] [+ Bias];  Pre = V;  C = Activation(V)
type Epilogue struct {
	Accumulate bool       // add what C holds
	Base       []float32  // if not nil, m rows of n numbers to add, BaseStride apart; not beside Accumulate
	BaseStride int        // numbers from the start of one row of Base to the next
	Bias       []float32  // [n], added to every row; nil for none
	Activation Activation // Identity for none
	Pre        []float32  // if not nil, laid out as C, receives V
	Finisher   Finisher   // if not nil sees what has become of C
}

// check panics unless e fits a product of m rows and n columns.
func (e *Epilogue) check(m, n, ldc int) {
	if e.Bias != nil && len(e.Bias) < n {
		panic(fmt.Sprintf("kernel: bias of %d numbers for %d columns", len(e.Bias), n))
	}
	if e.Pre != nil {
		checkStored("Pre", len(e.Pre), ldc, m, n)
	}
	if e.Base != nil {
		checkStored("Base", len(e.Base), e.BaseStride, m, n)
		if e.Accumulate {
			panic("kernel: a product adds both C and Base")
		}
	}
}

// Gemm computes C = act(A·B + bias) or a variant that e selects, over
// workers. A is m × k, B is k × n, C has m rows of n numbers, ldc apart; C
// overlaps neither A nor B. Any of m, n, k may be 0: with k = 0 the product is 0.
//
// Every number of C is a sum in an order that depends on m, n and k alone:
// results are the same for any number of workers. If A is not transposed, the order
// depends on k alone, under AMX on n too, but for up to three rows times a transposed B.
func Gemm(w *parallel.Workers, m, n, k int, a, b Matrix, c []float32, ldc int, e Epilogue) {
	b.check("B", k, n)
	p := product{workers: w, m: m, n: n, k: k, a: a, raw: b, out: output{c: c, ldc: ldc, e: e}}
	p.multiply(partsInTiles(k, n))
}

// GemmPacked is Gemm with the leading k rows and n columns of a B that has
// been packed: k and n may be less than b holds. If that is in bfloat16, so is
// the product. Rows of an A that is not transposed become the same rows of C, bit for
// bit, however many there are.
func GemmPacked(w *parallel.Workers, m, n, k int, a Matrix, b *Packed, c []float32, ldc int, e Epilogue) {
	b.check(k, n)
	p := product{workers: w, m: m, n: n, k: k, a: a, packed: b, out: output{c: c, ldc: ldc, e: e}}
	p.multiply(b.parts)
}

// GemmPackedSerial is GemmPacked on the calling goroutine alone, for tasks of
// Parallel; it is at its best for six rows and more.
func GemmPackedSerial(m, n, k int, a Matrix, b *Packed, c []float32, ldc int, e Epilogue) {
	b.check(k, n)
	p := product{serial: true, m: m, n: n, k: k, a: a, packed: b, out: output{c: c, ldc: ldc, e: e}}
	p.multiply(b.parts)
}

// multiply is behind the functions above, which set the operands of p. Numbers are of so
// many parts; 0 stands for float32 numbers.
func (p *product) multiply(parts int) {
	p.a.check("A", p.m, p.k)
	checkStored("C", len(p.out.c), p.out.ldc, p.m, p.n)
	p.out.e.check(p.m, p.n, p.out.ldc)
	if p.m == 0 || p.n == 0 {
		return
	}
	madeA, madeB := p.makeWhole(parts)
	if parts > 0 {
		grouping := groupingOf(p.implementation(parts), parts)
		p.k, p.terms, p.parts = grouping.rowsOf(p.k), p.k, parts
	}
	p.plan()
	p.run()
	madeA.Return()
	madeB.Return()
}

// implementation returns what computes p with numbers of so many parts.
func (p *product) implementation(parts int) Implementation {
	if p.packed != nil {
		return p.packed.impl
	}
	return implementationOf(parts)
}
