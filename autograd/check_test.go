package autograd

import (
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mega-go/mega/internal/cuda/device"
	"github.com/mega-go/mega/internal/kernel"
	"github.com/mega-go/mega/internal/naive"
	"github.com/mega-go/mega/tensor"
)

// A shape is the dimensions of an input.
type shape []int

// An operation is one of the tape's, with its specification in float64.
type operation struct {
	fast func(t *Tape, x []*Variable) *Variable
	slow func(x []*naive.Matrix) *naive.Matrix

	views   []int   // inputs that may be column ranges of a wider variable
	leaves  int     // the last so many inputs must be leaves
	trained bool    // outside training the value is another
	spread  float64 // of the inputs; 0 stands for 1
	device  int     // of so many checks like this one, one is done on a device; 0 stands for 1
	slope   float64 // how steep parts of the gradient are that cancel out; 0 stands for 1
}

// notOnDevice is an operation's device where none of the checks is done on one, because
// it would take long.
const notOnDevice = math.MaxInt

// Bounds on the error of values and gradients by the norm of what is right. A
// float32 rounds by 6e-8; a few dozen additions of a few roundings each stay
// well below. A gradient that is nearly zero for cancelling out may be off by
// floorBound of the norm of what cancels: the output's gradient by the slope, or
// all gradients together.
const (
	errorBound = 2e-6
	floorBound = 1e-7
	valueFloor = 1e-30 // what the specification may underflow by
)

// dropSeed is the seed under which checkGrad runs operations.
const dropSeed = 77

// checkGrad holds an operation on random inputs of the given shapes against its
// specification: its value, and its gradient by every input under a random
// gradient of the output. It does so in every implementation of the kernels and
// in every situation that a tape can put an operation in.
func checkGrad(t *testing.T, name string, op operation, shapes ...shape) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		want := specify(t, op, shapes)
		forEachKernel(t, func(t *testing.T) {
			plain := want.run(leaves)
			want.compare(t, plain, 1)
			want.compare(t, want.run(recomputed), 1)
			want.compare(t, want.run(viewed), 1)
			want.compare(t, want.run(twice), 2)
			for i := range shapes {
				want.compareFrozen(t, plain, i)
			}
			if !op.trained {
				equal(t, "value without a tape that records", want.infer(), plain.value)
			}
		})
		if want.hash%uint64(max(1, op.device)) == 0 {
			t.Run("device", want.checkDevice)
		}
	})
}

// forEachKernel runs f under every implementation that this machine has.
func forEachKernel(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	before := kernel.Current()
	defer kernel.Use(before)
	for _, i := range kernel.Available() {
		if err := kernel.Use(i); err != nil {
			t.Fatal(err)
		}
		t.Run(i.String(), f)
	}
}

// A specification is what an operation should give for some inputs.
type specification struct {
	hash    uint64 // of the check's name
	op      operation
	shapes  []shape
	inputs  [][]float32
	outGrad []float32
	value   []float64
	grads   [][]float64
}

// specify draws inputs and runs the specification on them; the derivative of
// that along a random direction is held against finite differences.
func specify(t *testing.T, op operation, shapes []shape) *specification {
	t.Helper()
	h := fnv.New64a()
	h.Write([]byte(t.Name()))
	rng := rand.New(rand.NewPCG(h.Sum64(), 1))
	s := &specification{hash: h.Sum64(), op: op, shapes: shapes}
	var x []*naive.Matrix
	for _, shape := range shapes {
		s.inputs = append(s.inputs, normal(rng, tensor.Size(shape), op.spread))
		cols := shape[len(shape)-1]
		x = append(x, naive.FromFloat32(tensor.Size(shape)/cols, cols, s.inputs[len(s.inputs)-1]))
	}
	y := op.slow(x)
	s.value, s.outGrad = y.Data, normal(rng, len(y.Data), 1)
	dy := naive.FromFloat32(y.Rows, y.Cols, s.outGrad)
	naive.Backward(naive.Dot(y, dy))
	for _, m := range x {
		if m.Grad == nil { // the value does not depend on it
			m.Grad = make([]float64, len(m.Data))
		}
		s.grads = append(s.grads, m.Grad)
	}
	s.checkDifferences(t, rng, x, func() float64 { return naive.Dot(op.slow(x), dy).Data[0] })
	return s
}

func (s *specification) checkDifferences(t *testing.T, rng *rand.Rand, x []*naive.Matrix, f func() float64) {
	t.Helper()
	var xs, dirs [][]float64
	want, size := 0.0, 0.0
	for i, m := range x {
		dir := make([]float64, len(m.Data))
		for j := range dir {
			dir[j] = rng.NormFloat64()
			want += dir[j] * s.grads[i][j]
			size += math.Abs(dir[j] * s.grads[i][j])
		}
		xs, dirs = append(xs, m.Data), append(dirs, dir)
	}
	if got := naive.DirectionalDerivative(f, xs, dirs, 1e-5); math.Abs(got-want) > 1e-7*size+1e-9 {
		t.Errorf("the specification's derivative is %.10g, by differences %.10g", want, got)
	}
}

// normal draws n numbers around 0.
func normal(rng *rand.Rand, n int, spread float64) []float32 {
	if spread == 0 {
		spread = 1
	}
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(spread * rng.NormFloat64())
	}
	return x
}

// A result is what an operation gave: nil gradients stand for none.
type result struct {
	value []float32
	grads [][]float32
}

// A situation runs an operation on leaves and returns its output.
type situation func(t *Tape, op operation, x []*Variable) *Variable

// leaves runs an operation on parameters.
func leaves(t *Tape, op operation, x []*Variable) *Variable {
	t.SetSeed(dropSeed)
	return op.fast(t, x)
}

// recomputed runs it in a scope, between values that backward computes again.
func recomputed(t *Tape, op operation, x []*Variable) *Variable {
	return t.Scope(func() *Variable {
		return t.Scope(func() *Variable {
			y := leaves(t, op, copies(t, op, x))
			return t.Reshape(y, y.shape...)
		})
	})
}

// twice runs it two times on the same variables, whose gradients add up.
func twice(t *Tape, op operation, x []*Variable) *Variable {
	x = copies(t, op, x)
	return t.Add(leaves(t, op, x), leaves(t, op, x))
}

// viewed runs it on columns in the middle of wider variables.
func viewed(t *Tape, op operation, x []*Variable) *Variable {
	x = slices.Clone(x)
	for _, i := range op.views {
		v := x[i]
		outer := v.shape[:len(v.shape)-1]
		left, right := t.zeros(slices.Concat(outer, []int{3})), t.zeros(slices.Concat(outer, []int{5}))
		x[i] = t.Split(t.Concat(t.Concat(left, v), right), 3, v.Cols(), 5)[1]
	}
	return leaves(t, op, x)
}

// zeros returns a constant where the tape computes.
func (t *Tape) zeros(shape []int) *Variable { return NewConstant(t.moved(tensor.New(shape...))) }

// moved returns x, after it was moved to where the tape computes.
func (t *Tape) moved(x *tensor.Tensor) *tensor.Tensor {
	if t.device != nil {
		x.Move(t.device)
	}
	return x
}

// copies returns variables with the values of x that can be computed again, but
// for those that must be leaves.
func copies(t *Tape, op operation, x []*Variable) []*Variable {
	x = slices.Clone(x)
	for i := range len(x) - op.leaves {
		x[i] = t.Reshape(x[i], x[i].shape...)
	}
	return x
}

// run runs the operation forwards and backwards with the inputs but for those
// that are frozen as parameters.
func (s *specification) run(f situation, frozen ...int) result {
	return s.runOn(nil, f, frozen...)
}

// runOn is run on a device, nil for the host.
func (s *specification) runOn(on device.Device, f situation, frozen ...int) result {
	t := NewTrainingTape()
	t.SetDevice(on)
	x := s.variables()
	if on != nil {
		for _, v := range x {
			v.Value().Move(on)
		}
	}
	for _, i := range frozen {
		x[i].SetTrainable(false)
	}
	y := f(t, s.op, x)
	r := result{value: numbersOf(t.value(y))} // which a loss on a device computes when it is asked for
	t.Backward(t.weigh(y, s.outGrad))
	for _, v := range x {
		var grad []float32
		if g := v.Grad(); g != nil {
			grad = numbersOf(g)
		}
		r.grads = append(r.grads, grad)
	}
	return r
}

func (s *specification) variables() []*Variable {
	var x []*Variable
	for i, shape := range s.shapes {
		x = append(x, NewParameter(tensor.FromSlice(slices.Clone(s.inputs[i]), shape...)))
	}
	return x
}

// infer returns the value that a tape for inference gives.
func (s *specification) infer() []float32 {
	return numbersOf(leaves(NewTape(), s.op, s.variables()).Value())
}

// weigh returns a variable whose gradient by y is weights.
func (t *Tape) weigh(y *Variable, weights []float32) *Variable {
	out := t.alloc(1)
	if t.wants(y) {
		t.push("weigh", out, nil, func() {
			t.addGrad(y, func(d *tensor.Tensor) { d.Copy(tensor.FromSlice(weights, y.shape...)) })
		})
	}
	return out
}

// numbersOf returns a copy of x's elements, row by row.
func numbersOf(x *tensor.Tensor) []float32 { return x.Clone().Data() }

// compare holds a result against times the specification.
func (s *specification) compare(t *testing.T, r result, times float64) {
	t.Helper()
	within(t, "value", r.value, s.value, times, valueFloor)
	total := 0.0
	for _, v := range s.outGrad {
		total = math.Hypot(total, float64(v)*max(1, s.op.slope))
	}
	for _, g := range s.grads {
		total = math.Hypot(total, norm(g))
	}
	for i, g := range s.grads {
		if r.grads[i] == nil {
			r.grads[i] = make([]float32, len(g))
		}
		within(t, "gradient "+string(rune('0'+i)), r.grads[i], g, times, floorBound*total)
	}
}

// within reports a distance from times want of more than errorBound of the norm
// plus floor.
func within(t *testing.T, what string, got []float32, want []float64, times, floor float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d numbers, want %d", what, len(got), len(want))
	}
	sum := 0.0
	for i, w := range want {
		d := float64(got[i]) - times*w
		sum += d * d
	}
	if bound := times * (errorBound*norm(want) + floor); !(math.Sqrt(sum) <= bound) {
		t.Errorf("%s: off by %.3g, bound %.3g, norm %.3g", what, math.Sqrt(sum), bound, times*norm(want))
	}
}

func norm(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += v * v
	}
	return math.Sqrt(sum)
}

// compareFrozen freezes input i: it gets no gradient, and the others' stay as
// they are, bit for bit.
func (s *specification) compareFrozen(t *testing.T, plain result, i int) {
	t.Helper()
	for _, f := range []situation{leaves, recomputed} {
		r := s.run(f, i)
		equal(t, "value", r.value, plain.value)
		for j, g := range r.grads {
			switch {
			case j == i && g != nil:
				t.Errorf("frozen input %d has a gradient", i)
			case j != i && g == nil:
				equal(t, "gradient", make([]float32, len(plain.grads[j])), plain.grads[j])
			case j != i:
				equal(t, "gradient", g, plain.grads[j])
			}
		}
	}
}

// equal reports numbers that are not the same bit for bit, zeros of either sign
// being the same.
func equal(t *testing.T, what string, got, want []float32) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: not the same numbers\n%v\n%v", what, got, want)
	}
}
