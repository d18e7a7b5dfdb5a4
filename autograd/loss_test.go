package autograd

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/mega-go/mega/internal/naive"
	"github.com/mega-go/mega/tensor"
)

func toInts(x []int32) []int {
	var out []int
	for _, v := range x {
		out = append(out, int(v))
	}
	return out
}

func TestCrossEntropy(t *testing.T) {
	const ignore = 1
	for name, targets := range map[string][]int32{
		"all count": {0, 2, 3, 2}, "some count": {ignore, 2, ignore, 0}, "none counts": {ignore, ignore, ignore, ignore},
	} {
		for _, smoothing := range []float64{0, 0.1} {
			for _, v := range []int{4, 37} {
				checkGrad(t, fmt.Sprint(name, smoothing, v), operation{
					fast: func(t *Tape, x []*Variable) *Variable {
						return t.CrossEntropy(x[0], targets, ignore, smoothing).Variable
					},
					slow: func(x []*naive.Matrix) *naive.Matrix {
						return naive.LabelSmoothedCrossEntropy(x[0], toInts(targets), smoothing, ignore)
					},
					views: []int{0}, spread: 3,
				}, shape{2, 2, v})
			}
		}
	}
	checkGrad(t, "one class", operation{
		fast: func(t *Tape, x []*Variable) *Variable {
			return t.CrossEntropy(x[0], []int32{0, 0, 0}, -1, 0).Variable
		},
		slow: func(x []*naive.Matrix) *naive.Matrix { return naive.CrossEntropy(x[0], []int{0, 0, 0}, naive.NoPad) },
	}, shape{3, 1})
}

// TestSoftCrossEntropy holds it against its definition, for targets that sum to 1
// and others.
func TestSoftCrossEntropy(t *testing.T) {
	for _, v := range []int{1, 4, 37} {
		targets := make([]float32, 4*v)
		for i := range targets {
			targets[i] = float32(i%7) / float32(3*v)
		}
		want := naive.FromFloat32(4, v, targets)
		checkGrad(t, fmt.Sprint(v), operation{
			fast: func(t *Tape, x []*Variable) *Variable { return t.SoftCrossEntropy(x[0], targets).Variable },
			slow: func(x []*naive.Matrix) *naive.Matrix {
				return naive.Scale(naive.Sum(naive.Mul(naive.LogSoftmax(x[0]), want)), -1)
			},
			views: []int{0}, spread: 3,
		}, shape{2, 2, v})
	}
	logits := NewConstant(tensor.FromSlice([]float32{1, 4, 0, 2, 2, 3}, 2, 3))
	l := NewTape().SoftCrossEntropy(logits, []float32{0.1, 0.7, 0.2, 0.5, 0, 0.4})
	if n := l.Host(); n.Correct != 1 || n.Count != 2 || n.NLL != n.Sum {
		t.Errorf("%+v, want 1 right of 2", n)
	}
	panics(t, "5 numbers of targets", func() { NewTape().SoftCrossEntropy(logits, make([]float32, 5)) })
}

// TestWeightedCrossEntropy holds it and its gradient against the naive twin.
func TestWeightedCrossEntropy(t *testing.T) {
	targets, weights := []int32{2, 0, 1, 2}, []float32{0.25, 3, 1.5}
	checkGrad(t, "weighted", operation{
		fast: func(t *Tape, x []*Variable) *Variable {
			return t.WeightedCrossEntropy(x[0], targets, weights).Variable
		},
		slow: func(x []*naive.Matrix) *naive.Matrix {
			return naive.WeightedCrossEntropy(x[0], toInts(targets), []float64{0.25, 3, 1.5})
		},
		views: []int{0}, spread: 3,
	}, shape{2, 2, 3})
	logits := NewConstant(tensor.FromSlice([]float32{1, 4, 0, 2, 2, 3}, 2, 3))
	if n := NewTape().WeightedCrossEntropy(logits, []int32{1, 0}, weights).Host(); n.Correct != 1 || n.Count != 2 {
		t.Errorf("%+v, want 1 right of 2", n)
	}
	panics(t, "target 3 of 3 classes", func() { NewTape().WeightedCrossEntropy(logits, []int32{1, 3}, weights) })
	panics(t, "2 weights of 3 classes", func() { NewTape().WeightedCrossEntropy(logits, []int32{1, 2}, weights[:2]) })
}

// TestCrossEntropyCounts holds what is reported beside the gradient.
func TestCrossEntropyCounts(t *testing.T) {
	logits := []float32{1, 4, 0, 2, 2, 2, 9, 8, 7, 0, 1, 0}
	targets := []int32{1, 1, 2, -1}
	l := NewTape().CrossEntropy(NewConstant(tensor.FromSlice(logits, 4, 3)), targets, -1, 0.2)
	x := naive.FromFloat32(4, 3, logits)
	nll := naive.CrossEntropy(x, toInts(targets), -1).Data[0]
	sum := naive.LabelSmoothedCrossEntropy(x, toInts(targets), 0.2, -1).Data[0]
	if math.Abs(l.Host().NLL-nll) > 1e-12 || math.Abs(l.Host().Sum-sum) > 1e-12 {
		t.Errorf("losses %v and %v, want %v and %v", l.Host().NLL, l.Host().Sum, nll, sum)
	}
	if l.Host().Correct != 1 || l.Host().Count != 3 { // of equal logits the first is the answer
		t.Errorf("%d right of %d, want 1 of 3", l.Host().Correct, l.Host().Count)
	}
}

// TestCrossEntropyExtremes: logits too large for e^x, and such as are not numbers.
func TestCrossEntropyExtremes(t *testing.T) {
	forEachKernel(t, func(t *testing.T) {
		x := NewParameter(tensor.FromSlice([]float32{1000, -1000, -1000, 1000}, 2, 2))
		tape := NewTrainingTape()
		l := tape.CrossEntropy(x, []int32{0, 0}, -1, 0)
		if l.Host().Sum != 2000 {
			t.Errorf("loss %g, want 2000", l.Host().Sum)
		}
		tape.Backward(l.Variable)
		equal(t, "gradient", x.Grad().Data(), []float32{0, 0, -1, 1})
		nan := NewConstant(tensor.FromSlice([]float32{1, float32(math.NaN())}, 1, 2))
		if l := tape.CrossEntropy(nan, []int32{0}, -1, 0); !math.IsNaN(l.Host().Sum) {
			t.Errorf("the loss of NaN is %g", l.Host().Sum)
		}
	})
}

func TestCrossEntropyOutside(t *testing.T) {
	for _, target := range []int32{-2, 2} {
		panics(t, fmt.Sprintf("target %d of 2 classes", target), func() {
			NewTape().CrossEntropy(NewConstant(tensor.New(1, 2)), []int32{target}, -1, 0)
		})
	}
}

func TestArgmax(t *testing.T) {
	x := NewConstant(tensor.FromSlice([]float32{1, 3, 3, -5, -7, -5, 0, 0, 0, 2, 1, 9}, 2, 2, 3))
	if got, want := NewTape().Argmax(x), []int{1, 0, 0, 2}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
