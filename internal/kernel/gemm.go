package kernel

import (
	"fmt"

	"github.com/mega-go/mega/internal/parallel"
)

// A Matrix is an operand of a product: rows of float32 numbers, Stride apart,
// or the transpose of that.
type Matrix struct {
	Data       []float32
	Stride     int  // numbers from the start of one stored row to the next
	Transposed bool // whether the operand is the transpose of what is stored
}

// T returns the transpose of m, over the same numbers.
func (m Matrix) T() Matrix {
	m.Transposed = !m.Transposed
	return m
}

// check panics unless m holds a rows × cols operand.
func (m Matrix) check(name string, rows, cols int) {
	if m.Transposed {
		rows, cols = cols, rows
	}
	checkStored(name, len(m.Data), m.Stride, rows, cols)
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
//	V = P [+ C] [+ Bias];  Pre = V;  C = Activation(V)
type Epilogue struct {
	Accumulate bool       // add what C holds
	Bias       []float32  // [n], added to every row; nil for none
	Activation Activation // Identity for none
	Pre        []float32  // if not nil, laid out as C, receives V
}

// check panics unless e fits a product of m rows and n columns.
func (e *Epilogue) check(m, n, ldc int) {
	if e.Bias != nil && len(e.Bias) < n {
		panic(fmt.Sprintf("kernel: bias of %d numbers for %d columns", len(e.Bias), n))
	}
	if e.Pre != nil {
		checkStored("Pre", len(e.Pre), ldc, m, n)
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
	p := product{workers: w, m: m, n: n, k: k, a: a, raw: b, out: output{c, ldc, e}}
	p.multiply(partsInTiles(k, n))
}

// GemmPacked is Gemm with the leading k rows and n columns of a B that has
// been packed: k and n may be less than b holds. If that is in bfloat16, so is
// the product. Rows of an A that is not transposed become the same rows of C, bit for
// bit, however many there are.
func GemmPacked(w *parallel.Workers, m, n, k int, a Matrix, b *Packed, c []float32, ldc int, e Epilogue) {
	b.check(k, n)
	p := product{workers: w, m: m, n: n, k: k, a: a, packed: b, out: output{c, ldc, e}}
	p.multiply(b.parts)
}

// GemmPackedSerial is GemmPacked on the calling goroutine alone, for tasks of
// Parallel; it is at its best for six rows and more.
func GemmPackedSerial(m, n, k int, a Matrix, b *Packed, c []float32, ldc int, e Epilogue) {
	b.check(k, n)
	p := product{serial: true, m: m, n: n, k: k, a: a, packed: b, out: output{c, ldc, e}}
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
	if parts > 0 {
		grouping := groupingOf(p.implementation(parts), parts)
		p.k, p.terms, p.parts = grouping.rowsOf(p.k), p.k, parts
	}
	p.plan()
	p.run()
}

// implementation returns what computes p with numbers of so many parts.
func (p *product) implementation(parts int) Implementation {
	if p.packed != nil {
		return p.packed.impl
	}
	return implementationOf(parts)
}
