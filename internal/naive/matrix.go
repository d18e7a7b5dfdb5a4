package naive

import "fmt"

// Matrix is Rows×Cols numbers in row-major order, and a node of the graph that
// [Backward] walks: the result of an operation knows its operands.
type Matrix struct {
	Rows, Cols int
	Data       []float64
	// Grad is the derivative of the last Backward's scalar by Data; nil until then.
	Grad []float64

	operands []*Matrix
	// backward adds what this node's Grad contributes to its operands' Grad.
	backward func()
}

// New returns a rows×cols matrix over data, which it does not copy; nil data
// means zeros.
func New(rows, cols int, data []float64) *Matrix {
	if data == nil {
		data = make([]float64, rows*cols)
	}
	if len(data) != rows*cols {
		panic(fmt.Sprintf("naive: %d numbers for a %d×%d matrix", len(data), rows, cols))
	}
	return &Matrix{Rows: rows, Cols: cols, Data: data}
}

// FromFloat32 returns a rows×cols matrix with a copy of data.
func FromFloat32(rows, cols int, data []float32) *Matrix {
	m := New(rows, cols, make([]float64, len(data)))
	for i, v := range data {
		m.Data[i] = float64(v)
	}
	return m
}

// FromFunc returns the rows×cols matrix whose elements are f(i, j).
func FromFunc(rows, cols int, f func(i, j int) float64) *Matrix {
	m := New(rows, cols, nil)
	for i := range rows {
		for j := range cols {
			m.Data[i*cols+j] = f(i, j)
		}
	}
	return m
}

// At returns the element in row i and column j.
func (m *Matrix) At(i, j int) float64 { return m.Data[i*m.Cols+j] }

// Row returns row i; it shares m's memory.
func (m *Matrix) Row(i int) []float64 { return m.Data[i*m.Cols : (i+1)*m.Cols] }

func (m *Matrix) gradRow(i int) []float64 { return m.Grad[i*m.Cols : (i+1)*m.Cols] }

// Float32 returns m's numbers rounded to float32.
func (m *Matrix) Float32() []float32 {
	out := make([]float32, len(m.Data))
	for i, v := range m.Data {
		out[i] = float32(v)
	}
	return out
}

// Backward sets Grad, for y itself and everything that y was computed from, to
// the derivative of y, which must be 1×1.
func Backward(y *Matrix) {
	if y.Rows != 1 || y.Cols != 1 {
		panic(fmt.Sprintf("naive: Backward of a %d×%d matrix, want 1×1", y.Rows, y.Cols))
	}
	order := operandsFirst(y, map[*Matrix]bool{}, nil)
	for _, m := range order {
		m.Grad = make([]float64, len(m.Data))
	}
	y.Grad[0] = 1
	for i := len(order) - 1; i >= 0; i-- {
		if back := order[i].backward; back != nil {
			back()
		}
	}
}

// operandsFirst appends to order what y was computed from and then y, each
// matrix once and after its operands.
func operandsFirst(y *Matrix, seen map[*Matrix]bool, order []*Matrix) []*Matrix {
	if seen[y] {
		return order
	}
	seen[y] = true
	for _, x := range y.operands {
		order = operandsFirst(x, seen, order)
	}
	return append(order, y)
}
