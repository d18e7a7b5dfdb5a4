package naive

import (
	"fmt"
	"math"
)

// The operations that everything else is made of. Each computes a new matrix
// and says how its gradient goes back to the operands.

// Map returns y with y[i,j] = f(x[i,j]); f returns the value and the derivative.
func Map(x *Matrix, f func(x float64) (y, dy float64)) *Matrix {
	y := New(x.Rows, x.Cols, nil)
	for i, v := range x.Data {
		y.Data[i], _ = f(v)
	}
	y.operands = []*Matrix{x}
	y.backward = func() {
		for i, v := range x.Data {
			_, dy := f(v)
			x.Grad[i] += y.Grad[i] * dy
		}
	}
	return y
}

// zip returns y with y[i,j] = f(a[i,j], b[i,j]). A matrix of one row stands for
// as many rows as the other has, and the same for columns. f returns the value
// and both partial derivatives.
func zip(a, b *Matrix, f func(a, b float64) (y, da, db float64)) *Matrix {
	rows, cols := max(a.Rows, b.Rows), max(a.Cols, b.Cols)
	ia, ib := broadcast(a, rows, cols), broadcast(b, rows, cols)
	y := New(rows, cols, nil)
	for i := range rows {
		for j := range cols {
			y.Data[i*cols+j], _, _ = f(a.Data[ia(i, j)], b.Data[ib(i, j)])
		}
	}
	y.operands = []*Matrix{a, b}
	y.backward = func() {
		for i := range rows {
			for j := range cols {
				_, da, db := f(a.Data[ia(i, j)], b.Data[ib(i, j)])
				a.Grad[ia(i, j)] += y.Grad[i*cols+j] * da
				b.Grad[ib(i, j)] += y.Grad[i*cols+j] * db
			}
		}
	}
	return y
}

// broadcast returns the index in m.Data of element i, j of the rows×cols matrix
// that m stands for.
func broadcast(m *Matrix, rows, cols int) func(i, j int) int {
	if (m.Rows != 1 && m.Rows != rows) || (m.Cols != 1 && m.Cols != cols) {
		panic(fmt.Sprintf("naive: a %d×%d matrix cannot stand for %d×%d", m.Rows, m.Cols, rows, cols))
	}
	down, right := m.Cols, 1
	if m.Rows == 1 {
		down = 0
	}
	if m.Cols == 1 {
		right = 0
	}
	return func(i, j int) int { return i*down + j*right }
}

// Add returns a + b, either of which may be a row, a column or a single number.
func Add(a, b *Matrix) *Matrix {
	return zip(a, b, func(a, b float64) (y, da, db float64) { return a + b, 1, 1 })
}

// Sub returns a − b, broadcast as in Add.
func Sub(a, b *Matrix) *Matrix {
	return zip(a, b, func(a, b float64) (y, da, db float64) { return a - b, 1, -1 })
}

// Mul returns the elementwise product a ∘ b, broadcast as in Add.
func Mul(a, b *Matrix) *Matrix {
	return zip(a, b, func(a, b float64) (y, da, db float64) { return a * b, b, a })
}

// Div returns a / b elementwise, broadcast as in Add.
func Div(a, b *Matrix) *Matrix {
	return zip(a, b, func(a, b float64) (y, da, db float64) { return a / b, 1 / b, -a / (b * b) })
}

// Scale returns s·x.
func Scale(x *Matrix, s float64) *Matrix {
	return Map(x, func(x float64) (y, dy float64) { return s * x, s })
}

// Offset returns x + c.
func Offset(x *Matrix, c float64) *Matrix {
	return Map(x, func(x float64) (y, dy float64) { return x + c, 1 })
}

// Exp returns e^x elementwise.
func Exp(x *Matrix) *Matrix {
	return Map(x, func(x float64) (y, dy float64) { y = math.Exp(x); return y, y })
}

// Log returns the natural logarithm elementwise.
func Log(x *Matrix) *Matrix {
	return Map(x, func(x float64) (y, dy float64) { return math.Log(x), 1 / x })
}

// Pow returns x^p elementwise.
func Pow(x *Matrix, p float64) *Matrix {
	return Map(x, func(x float64) (y, dy float64) { return math.Pow(x, p), p * math.Pow(x, p-1) })
}

// MatMul returns the matrix product a·b.
func MatMul(a, b *Matrix) *Matrix {
	if a.Cols != b.Rows {
		panic(fmt.Sprintf("naive: product of %d×%d and %d×%d", a.Rows, a.Cols, b.Rows, b.Cols))
	}
	y := New(a.Rows, b.Cols, nil)
	for i := range a.Rows {
		out := y.Row(i)
		for k, w := range a.Row(i) {
			for j, v := range b.Row(k) {
				out[j] += w * v
			}
		}
	}
	y.operands = []*Matrix{a, b}
	y.backward = func() {
		for i := range a.Rows {
			dy := y.gradRow(i)
			for k, w := range a.Row(i) {
				db := b.gradRow(k)
				da := 0.0
				for j, v := range b.Row(k) {
					da += dy[j] * v
					db[j] += dy[j] * w
				}
				a.Grad[i*a.Cols+k] += da
			}
		}
	}
	return y
}

// Gather returns the rows×cols matrix of the elements x.Data[index(i, j)]; a
// negative index gives 0. Every slice, look-up and rearrangement is one.
func Gather(x *Matrix, rows, cols int, index func(i, j int) int) *Matrix {
	y := New(rows, cols, nil)
	each := func(f func(to, from int)) {
		for i := range rows {
			for j := range cols {
				if from := index(i, j); from >= 0 {
					f(i*cols+j, from)
				}
			}
		}
	}
	each(func(to, from int) { y.Data[to] = x.Data[from] })
	y.operands = []*Matrix{x}
	y.backward = func() {
		each(func(to, from int) { x.Grad[from] += y.Grad[to] })
	}
	return y
}

// Transpose returns xᵀ.
func Transpose(x *Matrix) *Matrix {
	return Gather(x, x.Cols, x.Rows, func(i, j int) int { return j*x.Cols + i })
}

// Rows returns rows from to to−1 of x.
func Rows(x *Matrix, from, to int) *Matrix {
	return Gather(x, to-from, x.Cols, func(i, j int) int { return (from+i)*x.Cols + j })
}

// Cols returns columns from to to−1 of x.
func Cols(x *Matrix, from, to int) *Matrix {
	return Gather(x, x.Rows, to-from, func(i, j int) int { return i*x.Cols + from + j })
}

// ConcatRows returns the matrices one below the other.
func ConcatRows(xs ...*Matrix) *Matrix {
	y := &Matrix{Cols: xs[0].Cols, operands: xs}
	for _, x := range xs {
		if x.Cols != y.Cols {
			panic(fmt.Sprintf("naive: %d columns below %d", x.Cols, y.Cols))
		}
		y.Rows += x.Rows
		y.Data = append(y.Data, x.Data...)
	}
	y.backward = func() {
		at := 0
		for _, x := range xs {
			for i := range x.Grad {
				x.Grad[i] += y.Grad[at+i]
			}
			at += len(x.Grad)
		}
	}
	return y
}

// ConcatCols returns the matrices side by side.
func ConcatCols(xs ...*Matrix) *Matrix {
	turned := make([]*Matrix, len(xs))
	for i, x := range xs {
		turned[i] = Transpose(x)
	}
	return Transpose(ConcatRows(turned...))
}

// RowSum returns the sum of each row, x.Rows×1.
func RowSum(x *Matrix) *Matrix {
	return MatMul(x, constant(x.Cols, 1, 1))
}

// ColSum returns the sum of each column, 1×x.Cols.
func ColSum(x *Matrix) *Matrix {
	return MatMul(constant(1, x.Rows, 1), x)
}

// Sum returns the sum of all elements, 1×1.
func Sum(x *Matrix) *Matrix { return RowSum(ColSum(x)) }

// Dot returns Σ x∘y, 1×1: the scalar whose gradient by x is y, for checking the
// backward of an operation under any given output gradient y.
func Dot(x, y *Matrix) *Matrix { return Sum(Mul(x, y)) }

// Fill returns x with value where blocked(i, j); no gradient passes there.
func Fill(x *Matrix, value float64, blocked func(i, j int) bool) *Matrix {
	y := Gather(x, x.Rows, x.Cols, func(i, j int) int {
		if blocked(i, j) {
			return -1
		}
		return i*x.Cols + j
	})
	for i := range y.Rows {
		for j := range y.Cols {
			if blocked(i, j) {
				y.Data[i*y.Cols+j] = value
			}
		}
	}
	return y
}

// constant returns a matrix with one value everywhere.
func constant(rows, cols int, value float64) *Matrix {
	return FromFunc(rows, cols, func(i, j int) float64 { return value })
}

// Linear returns x·Wᵀ + b for x [R×in], weight [out×in] and bias [1×out] or nil.
func Linear(x, weight, bias *Matrix) *Matrix {
	y := MatMul(x, Transpose(weight))
	if bias != nil {
		y = Add(y, bias)
	}
	return y
}
