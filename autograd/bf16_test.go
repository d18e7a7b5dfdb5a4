package autograd

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mega-go/mega/format/dtype"
	"github.com/mega-go/mega/internal/cuda/device"
	"github.com/mega-go/mega/internal/cuda/devicetest"
	"github.com/mega-go/mega/internal/naive"
	"github.com/mega-go/mega/tensor"
)

// roundBF16 returns the bfloat16 numbers nearest to x.
func roundBF16(x []float32) []float32 {
	rounded := make([]float32, len(x))
	half, err := dtype.FromFloat32s(dtype.BF16, x)
	if err == nil {
		err = dtype.Float32s(rounded, dtype.BF16, half)
	}
	if err != nil {
		panic(err)
	}
	return rounded
}

// roundTF32 returns the numbers of TF32 nearest to x, where ties go away from 0.
func roundTF32(x []float32) []float32 {
	rounded := make([]float32, len(x))
	for i, v := range x {
		rounded[i] = math.Float32frombits((math.Float32bits(v) + 0x1000) &^ 0x1fff)
	}
	return rounded
}

// A roundedProduct is an operation that rounds the factors of a product, on inputs of three
// shapes.
type roundedProduct struct {
	fast   func(t *Tape, x []*Variable) *Variable
	slow   func(x []*naive.Matrix) *naive.Matrix
	shapes []shape
}

var roundedProducts = map[string]roundedProduct{
	"Linear": {
		func(t *Tape, x []*Variable) *Variable { return t.Linear(x[0], x[1], x[2], Identity) },
		func(x []*naive.Matrix) *naive.Matrix { return naive.Linear(x[0], x[1], x[2]) },
		[]shape{{2, 17, 21}, {35, 21}, {35}},
	},
	"LinearAdd": {
		func(t *Tape, x []*Variable) *Variable { return t.LinearAdd(x[2], x[0], x[1], nil, Identity) },
		func(x []*naive.Matrix) *naive.Matrix { return naive.Add(naive.Linear(x[0], x[1], nil), x[2]) },
		[]shape{{17, 21}, {35, 21}, {17, 35}},
	},
	"MatMul": {
		func(t *Tape, x []*Variable) *Variable { return t.Add(t.MatMul(x[0], x[1]), x[2]) },
		func(x []*naive.Matrix) *naive.Matrix { return naive.Add(naive.MatMul(x[0], x[1]), x[2]) },
		[]shape{{17, 21}, {21, 35}, {17, 35}},
	},
}

// Values and gradients are those of the specification on factors rounded to bfloat16, or on
// a device that is set so to TF32, to the accuracy of float32: what is added is not rounded.
// The gradient of what is added is the output's, not rounded either. A tape in bfloat16 stays
// so on a device that is set to TF32.
func TestRoundedProducts(t *testing.T) {
	for name, op := range roundedProducts {
		t.Run(name, func(t *testing.T) {
			forEachKernel(t, func(t *testing.T) { op.check(t, nil, true, roundBF16) })
			t.Run("device", func(t *testing.T) {
				on := devicetest.New(t)
				on.SetTF32(true)
				op.check(t, on, true, roundBF16)
				op.check(t, on, false, roundTF32)
			})
		})
	}
}

func (op roundedProduct) check(t *testing.T, on device.Device, bf16 bool, rounded func([]float32) []float32) {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	tape := NewTrainingTape()
	tape.SetDevice(on)
	tape.SetBF16(bf16)
	var fast []*Variable
	var slow []*naive.Matrix
	for i, s := range op.shapes {
		x := normal(rng, tensor.Size(s), 1)
		fast = append(fast, NewParameter(tape.moved(tensor.FromSlice(x, s...))))
		if i < 2 {
			x = rounded(x)
		}
		cols := s[len(s)-1]
		slow = append(slow, naive.FromFloat32(len(x)/cols, cols, x))
	}
	got, want := op.fast(tape, fast), op.slow(slow)
	within(t, "value", numbersOf(got.Value()), want.Data, 1, 0)
	dy := normal(rng, len(want.Data), 1)
	tape.Backward(tape.weigh(got, dy))
	naive.Backward(naive.Dot(want, naive.FromFloat32(want.Rows, want.Cols, rounded(dy))))
	for i := range 2 {
		within(t, "gradient", numbersOf(fast[i].Grad()), slow[i].Grad, 1, 0)
	}
	grad := numbersOf(fast[2].Grad())
	added := naive.FromFloat32(1, len(grad), grad).Data
	within(t, "gradient of what is added", sumRows(dy, len(added)), added, 1, 0)
}

// sumRows adds up rows of n numbers.
func sumRows(x []float32, n int) []float32 {
	sum := make([]float32, n)
	for i, v := range x {
		sum[i%n] += v
	}
	return sum
}

// Through two layers and attention, bfloat16 is near float32: off by more
// than float32's own error, and by no more than a few times the 2^-9 that a
// rounding is at most.
func TestBF16Network(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	x, w1, w2 := normal(rng, 64*40, 1), normal(rng, 50*40, 0.2), normal(rng, 30*50, 0.2)
	dy := normal(rng, 64*30, 1)
	run := func(bf16 bool) (all [][]float32) {
		tape := NewTrainingTape()
		tape.SetBF16(bf16)
		p := []*Variable{NewParameter(tensor.FromSlice(x, 64, 40)), NewParameter(tensor.FromSlice(w1, 50, 40)), NewParameter(tensor.FromSlice(w2, 30, 50))}
		y := tape.Linear(tape.Linear(p[0], p[1], nil, SiLU), p[2], nil, Tanh)
		y = tape.Attention(y, y, y, AttentionConfig{Queries: 32, Keys: 32, Scale: 0.2})
		all = append(all, numbersOf(y.Value()))
		tape.Backward(tape.weigh(y, dy))
		for _, v := range p {
			all = append(all, numbersOf(v.Grad()))
		}
		return all
	}
	for i, want := range run(false) {
		got := run(true)[i]
		off, size := 0.0, 0.0
		for j, v := range want {
			off, size = math.Hypot(off, float64(got[j]-v)), math.Hypot(size, float64(v))
		}
		if off < 1e-5*size || off > 0x1p-7*size {
			t.Errorf("result %d is off by %.2g of %.2g", i, off, size)
		}
	}
}

func TestBF16Attention(t *testing.T) {
	x := normal(rand.New(rand.NewPCG(5, 6)), 9*8, 1)
	run := func(bf16 bool) []float32 {
		tape := NewTape()
		tape.SetBF16(bf16)
		v := NewConstant(tensor.FromSlice(x, 9, 8))
		return numbersOf(tape.Attention(v, v, v, AttentionConfig{Queries: 9, Keys: 9, Scale: 0.3}).Value())
	}
	half, whole := run(true), run(false)
	off := 0.0
	for i, v := range whole {
		off = math.Max(off, math.Abs(float64(half[i]-v)))
	}
	if off < 1e-5 || off > 0.02 {
		t.Errorf("off by at most %.2g", off)
	}
}

// TestTF32Attention: attention on a device in TF32 is near that in float32, forward and
// backward: off by more than float32's own error, and by less than 2^-9 of its size, of which
// a rounding is at most 2^-11.
func TestTF32Attention(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	x, dy := normal(rng, 19*8, 1), normal(rng, 19*8, 1)
	run := func(tf32 bool) [2][]float32 {
		on, tape := devicetest.New(t), NewTrainingTape()
		on.SetTF32(tf32)
		tape.SetDevice(on)
		v := NewParameter(tape.moved(tensor.FromSlice(slices.Clone(x), 19, 8)))
		y := tape.Attention(v, v, v, AttentionConfig{Queries: 19, Keys: 19, Scale: 0.3})
		value := numbersOf(y.Value())
		tape.Backward(tape.weigh(y, dy))
		return [2][]float32{value, numbersOf(v.Grad())}
	}
	rounded, whole := run(true), run(false)
	for i, want := range whole {
		off, size := 0.0, 0.0
		for j, v := range want {
			off, size = math.Hypot(off, float64(rounded[i][j]-v)), math.Hypot(size, float64(v))
		}
		if off < 1e-5*size || off > 0x1p-9*size {
			t.Errorf("result %d is off by %.2g of %.2g", i, off, size)
		}
	}
}
