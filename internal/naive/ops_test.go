package naive

import (
	"math"
	"math/rand/v2"
	"testing"
)

// random returns a rows×cols matrix of numbers around 0.
func random(r *rand.Rand, rows, cols int) *Matrix {
	return FromFunc(rows, cols, func(i, j int) float64 { return r.NormFloat64() })
}

// positive returns a rows×cols matrix of numbers in [0.5, 1.5).
func positive(r *rand.Rand, rows, cols int) *Matrix {
	return FromFunc(rows, cols, func(i, j int) float64 { return 0.5 + r.Float64() })
}

// checkGradient compares the gradients that Backward gives to xs under a random
// gradient of f's result with those of finite differences.
func checkGradient(t *testing.T, what string, f func() *Matrix, xs ...*Matrix) {
	t.Helper()
	r := rand.New(rand.NewPCG(7, 7))
	y := f()
	dy := random(r, y.Rows, y.Cols)
	scalar := func() *Matrix { return Dot(f(), dy) }
	Backward(scalar())
	for i, x := range xs {
		got := append([]float64(nil), x.Grad...)
		want := Gradient(func() float64 { return scalar().Data[0] }, x.Data, 1e-3)
		if d := distance(got, want); !(d <= 1e-8) {
			t.Errorf("%s: gradient of operand %d is off by %.2e", what, i, d)
		}
	}
}

func TestOperationGradients(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	a, b := random(r, 3, 4), random(r, 3, 4)
	row, column, number := random(r, 1, 4), positive(r, 3, 1), random(r, 1, 1)
	checkGradient(t, "Add a row", func() *Matrix { return Add(a, row) }, a, row)
	checkGradient(t, "Sub a matrix from a number", func() *Matrix { return Sub(number, a) }, number, a)
	checkGradient(t, "Mul row and column", func() *Matrix { return Mul(row, column) }, row, column)
	checkGradient(t, "Mul with itself", func() *Matrix { return Mul(a, a) }, a)
	checkGradient(t, "Div by a column", func() *Matrix { return Div(a, column) }, a, column)
	checkGradient(t, "Scale and Offset", func() *Matrix { return Offset(Scale(a, -2), 3) }, a)
	checkGradient(t, "Exp", func() *Matrix { return Exp(a) }, a)
	checkGradient(t, "Log and Pow", func() *Matrix { return Add(Log(column), Pow(column, -0.5)) }, column)
	checkGradient(t, "MatMul", func() *Matrix { return MatMul(a, Transpose(b)) }, a, b)
	checkGradient(t, "Linear", func() *Matrix { return Linear(a, b, Transpose(column)) }, a, b, column)
	checkGradient(t, "ConcatRows", func() *Matrix { return ConcatRows(a, row, a) }, a, row)
	checkGradient(t, "ConcatCols", func() *Matrix { return ConcatCols(a, column) }, a, column)
	checkGradient(t, "Rows and Cols", func() *Matrix { return Cols(Rows(a, 1, 3), 1, 2) }, a)
	checkGradient(t, "Gather twice", func() *Matrix { return Embedding(a, []int{2, 0, 2}) }, a)
	checkGradient(t, "RowSum and ColSum", func() *Matrix { return Mul(RowSum(a), ColSum(b)) }, a, b)
	checkGradient(t, "Fill", func() *Matrix { return Fill(a, 5, func(i, j int) bool { return i == j }) }, a)
}

func TestActivationGradients(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	x := random(r, 5, 6)
	for name, f := range map[string]func(*Matrix) *Matrix{
		"Sigmoid": Sigmoid, "SiLU": SiLU, "ReLU": ReLU, "GELU": GELU, "GELUTanh": GELUTanh,
		"ReLU2": ReLU2, "Laplace": Laplace, "Softmax": Softmax, "LogSoftmax": LogSoftmax,
	} {
		checkGradient(t, name, func() *Matrix { return f(x) }, x)
	}
}

// TestActivationValues compares with what the definitions give in Python.
func TestActivationValues(t *testing.T) {
	x := New(1, 3, []float64{-1, 0.5, 2})
	for _, c := range []struct {
		name string
		f    func(*Matrix) *Matrix
		want []float64
	}{
		{"silu", SiLU, []float64{-0.2689414213699951, 0.3112296656009273, 1.7615941559557646}},
		{"gelu", GELU, []float64{-0.15865525393145705, 0.34573123063700659, 1.9544997361036416}},
		{"gelu_accurate", GELUTanh, []float64{-0.15880800939172324, 0.34571400982514394, 1.954597694087775}},
		{"relu2", ReLU2, []float64{0, 0.25, 4}},
		{"softmax", Softmax, []float64{0.039112573270687456, 0.1752903921400367, 0.7855970345892759}},
	} {
		within(t, c.name, c.f(x).Data, c.want, 1e-15)
	}
	if got := Laplace(New(1, 1, []float64{LaplaceMu})).Data[0]; got != 0.5 {
		t.Errorf("laplace at its mean is %v, want 0.5", got)
	}
}

func TestActivationsPropagateNaN(t *testing.T) {
	for _, name := range []string{"silu", "relu", "gelu", "gelu_accurate", "linear"} {
		f, err := Activation(name)
		if err != nil {
			t.Fatal(err)
		}
		if y := f(New(1, 1, []float64{math.NaN()})).Data[0]; !math.IsNaN(y) {
			t.Errorf("%s of NaN is %v", name, y)
		}
	}
	if _, err := Activation("tanh"); err == nil {
		t.Error("no error for an unknown activation")
	}
}

func TestNormGradients(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	x, weight, bias, scalar := random(r, 6, 5), random(r, 1, 5), random(r, 1, 5), random(r, 1, 1)
	mean, variance := make([]float64, 5), []float64{1, 2, 3, 4, 5}
	checkGradient(t, "LayerNorm", func() *Matrix { return LayerNorm(x, weight, bias) }, x, weight, bias)
	checkGradient(t, "ScaleNorm", func() *Matrix { return ScaleNorm(x, scalar) }, x, scalar)
	checkGradient(t, "RMSNorm", func() *Matrix { return RMSNorm(x, weight) }, x, weight)
	for _, training := range []bool{false, true} {
		checkGradient(t, "BatchNorm", func() *Matrix {
			return BatchNorm(x, weight, bias, append([]float64(nil), mean...), append([]float64(nil), variance...), training)
		}, x, weight, bias)
	}
}

// TestNormValues follows from the definitions: for the row 3, 4 the mean square is
// 12.5, the mean 3.5 and the variance 0.25.
func TestNormValues(t *testing.T) {
	x := New(1, 2, []float64{3, 4})
	rms := math.Sqrt(12.5 + NormEps)
	within(t, "scalenorm", ScaleNorm(x, New(1, 1, []float64{2})).Data, []float64{6 / rms, 8 / rms}, 1e-15)
	within(t, "rmsnorm", RMSNorm(x, New(1, 2, []float64{2, 1})).Data, []float64{6 / rms, 4 / rms}, 1e-15)
	half := 0.5 / math.Sqrt(0.25+NormEps)
	within(t, "layernorm", LayerNorm(x, nil, nil).Data, []float64{-half, half}, 1e-15)

	mean, variance := []float64{1}, []float64{2}
	column := New(2, 1, x.Data)
	within(t, "batchnorm", BatchNorm(column, nil, nil, mean, variance, true).Data, []float64{-half, half}, 1e-15)
	within(t, "running mean", mean, []float64{0.9 + 0.35}, 1e-15)
	within(t, "running variance", variance, []float64{1.8 + 0.05}, 1e-15) // 0.5 unbiased
}
