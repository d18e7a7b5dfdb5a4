package autograd

import (
	"fmt"
	"math"
	"testing"

	"github.com/mega-go/mega/internal/naive"
	"github.com/mega-go/mega/tensor"
)

func TestActivate(t *testing.T) {
	for act, f := range activations {
		if act == Identity {
			continue
		}
		op := operation{
			fast:  func(t *Tape, x []*Variable) *Variable { return t.Activate(act, x[0]) },
			slow:  func(x []*naive.Matrix) *naive.Matrix { return f(x[0]) },
			views: []int{0},
		}
		checkGrad(t, act.String()+" one", op, shape{1, 1, 1})
		checkGrad(t, act.String(), op, shape{3, 7, 19})
	}
	x := NewParameter(tensor.New(2, 2))
	if NewTrainingTape().Activate(Identity, x) != x {
		t.Error("the identity makes a new variable")
	}
}

func TestAdd(t *testing.T) {
	checkGrad(t, "two", operation{
		fast:  func(t *Tape, x []*Variable) *Variable { return t.Add(x[0], x[1]) },
		slow:  func(x []*naive.Matrix) *naive.Matrix { return naive.Add(x[0], x[1]) },
		views: []int{0, 1},
	}, shape{2, 5, 9}, shape{2, 5, 9})
	checkGrad(t, "itself", operation{
		fast:  func(t *Tape, x []*Variable) *Variable { return t.Add(x[0], x[0]) },
		slow:  func(x []*naive.Matrix) *naive.Matrix { return naive.Scale(x[0], 2) },
		views: []int{0},
	}, shape{3, 4})
}

// kept returns what a random operation multiplies each element by, which it
// shows of an input of ones.
func kept(f func(t *Tape, x *Variable) *Variable, s shape) *naive.Matrix {
	t := NewTrainingTape()
	t.SetSeed(dropSeed)
	ones := tensor.New(s...)
	for i := range ones.Data() {
		ones.Data()[i] = 1
	}
	y := f(t, NewConstant(ones)).Value()
	return naive.FromFloat32(y.Rows(), y.Cols(), y.Data())
}

// checkDropout checks an operation that multiplies by a random mask.
func checkDropout(t *testing.T, name string, f func(t *Tape, x *Variable) *Variable, s shape) {
	t.Helper()
	mask := kept(f, s)
	checkGrad(t, name, operation{
		fast:    func(t *Tape, x []*Variable) *Variable { return f(t, x[0]) },
		slow:    func(x []*naive.Matrix) *naive.Matrix { return naive.Mul(x[0], mask) },
		views:   []int{0},
		trained: true,
	}, s)
}

func TestDropout(t *testing.T) {
	for _, p := range []float64{0.1, 0.5, 0.9} {
		drop := func(t *Tape, x *Variable) *Variable { return t.Dropout(x, p) }
		checkDropout(t, fmt.Sprintf("one %g", p), drop, shape{1, 1})
		checkDropout(t, fmt.Sprintf("odd %g", p), drop, shape{3, 5, 17})
		checkRate(t, kept(drop, shape{100, 1000}).Data, p)
	}
}

func TestFeatureDropout(t *testing.T) {
	const groups, length, width = 400, 3, 50
	for _, p := range []float64{0.1, 0.5} {
		columns := func(t *Tape, x *Variable) *Variable { return t.FeatureDropout(x, x.shape[0], false, p) }
		whole := func(t *Tape, x *Variable) *Variable { return t.FeatureDropout(x, x.shape[0], true, p) }
		checkDropout(t, fmt.Sprintf("columns %g", p), columns, shape{3, 5, 17})
		checkDropout(t, fmt.Sprintf("whole %g", p), whole, shape{9, 2, 7})
		mask := kept(columns, shape{groups, length, width})
		var first []float64 // of each group
		for i := range mask.Rows {
			if i%length == 0 {
				first = append(first, mask.Row(i)...)
			}
			within(t, "row of a group", numbers32(mask.Row(i)), mask.Row(i/length*length), 1, 0)
		}
		checkRate(t, first, p)
		mask = kept(whole, shape{100 * groups, 1, 2})
		var groups []float64
		for i := range mask.Rows {
			if mask.At(i, 0) != mask.At(i, 1) {
				t.Fatal("half a group was dropped")
			}
			groups = append(groups, mask.At(i, 0))
		}
		checkRate(t, groups, p)
	}
}

func numbers32(x []float64) []float32 { return naive.New(1, len(x), x).Float32() }

// checkRate wants each factor to be 0 or 1/(1−p), and 0 with probability p:
// within five standard deviations.
func checkRate(t *testing.T, mask []float64, p float64) {
	t.Helper()
	zeros := 0.0
	for _, m := range mask {
		switch {
		case m == 0:
			zeros++
		case math.Abs(m*(1-p)-1) > 1e-6:
			t.Fatalf("a factor of %g for probability %g", m, p)
		}
	}
	n := float64(len(mask))
	if d := math.Abs(zeros/n - p); d > 5*math.Sqrt(p*(1-p)/n) {
		t.Errorf("%g of %g dropped, want %g", zeros/n, n, p)
	}
}

// TestDropoutSeeds: the same seed gives the same numbers on any tape, each
// operation numbers of its own, and another seed others.
func TestDropoutSeeds(t *testing.T) {
	x := NewConstant(tensor.New(1, 4096))
	for i := range x.value.Data() {
		x.value.Data()[i] = 1
	}
	draw := func(seed uint64) (first, second []float32) {
		tape := NewTrainingTape()
		tape.Dropout(x, 0.3)
		tape.SetSeed(seed)
		return numbersOf(tape.Dropout(x, 0.3).Value()), numbersOf(tape.Dropout(x, 0.3).Value())
	}
	a, b := draw(1)
	c, d := draw(1)
	e, _ := draw(2)
	equal(t, "first draw", c, a)
	equal(t, "second draw", d, b)
	for name, other := range map[string][]float32{"the second draw": b, "another seed": e} {
		same := 0
		for i, v := range other {
			if v == a[i] {
				same++
			}
		}
		if share, want := float64(same)/4096, 0.7*0.7+0.3*0.3; math.Abs(share-want) > 0.05 {
			t.Errorf("%s agrees in %g of the elements, want about %g", name, share, want)
		}
	}
}

// TestDropoutOff: outside training, and with probability 0, nothing is made.
func TestDropoutOff(t *testing.T) {
	x := NewParameter(tensor.New(2, 3, 4))
	train, infer := NewTrainingTape(), NewTape()
	for name, y := range map[string]*Variable{
		"dropout 0":                 train.Dropout(x, 0),
		"feature dropout 0":         train.FeatureDropout(x, 2, false, 0),
		"dropout in inference":      infer.Dropout(x, 0.5),
		"whole dropout, inference":  infer.FeatureDropout(x, 2, true, 0.5),
		"column dropout, inference": infer.FeatureDropout(x, 2, false, 0.5),
	} {
		if y != x {
			t.Errorf("%s: made a new variable", name)
		}
	}
}

// gather returns the rows of x that index names.
func gather(x *naive.Matrix, rows int, index func(i int) int) *naive.Matrix {
	return naive.Gather(x, rows, x.Cols, func(i, j int) int {
		from := index(i)
		if from < 0 {
			return -1
		}
		return from*x.Cols + j
	})
}

func TestMaskRows(t *testing.T) {
	masks := map[string][]bool{
		"some": {false, true, false, false, true, true},
		"all":  {true, true, true, true, true, true},
		"none": make([]bool, 6),
	}
	for name, mask := range masks {
		checkGrad(t, name, operation{
			fast: func(t *Tape, x []*Variable) *Variable { return t.MaskRows(x[0], mask) },
			slow: func(x []*naive.Matrix) *naive.Matrix {
				return naive.Fill(x[0], 0, func(i, _ int) bool { return mask[i] })
			},
			views: []int{0},
		}, shape{2, 3, 5})
	}
	x := NewParameter(tensor.New(2, 3, 5))
	if NewTrainingTape().MaskRows(x, nil) != x {
		t.Error("no mask makes a new variable")
	}
}

func TestHead(t *testing.T) {
	for _, l := range []int{1, 3, 4} {
		checkGrad(t, fmt.Sprint(l), operation{
			fast: func(t *Tape, x []*Variable) *Variable { return t.Head(x[0], l) },
			slow: func(x []*naive.Matrix) *naive.Matrix {
				return gather(x[0], 2*l, func(i int) int { return i/l*4 + i%l })
			},
			views: []int{0},
		}, shape{2, 4, 3})
	}
}

func TestReshape(t *testing.T) {
	op := func(s ...int) operation {
		return operation{
			fast: func(t *Tape, x []*Variable) *Variable { return t.Reshape(x[0], s...) },
			slow: func(x []*naive.Matrix) *naive.Matrix {
				cols := s[len(s)-1]
				return naive.Gather(x[0], len(x[0].Data)/cols, cols, func(i, j int) int { return i*cols + j })
			},
		}
	}
	checkGrad(t, "other columns", op(6, 4), shape{2, 3, 4})
	checkGrad(t, "flat", op(24), shape{2, 3, 4})
	rows := op(6, 4)
	rows.views = []int{0}
	checkGrad(t, "other rows", rows, shape{2, 3, 4})
}

// TestSplit uses all of the views, or some, or one of them twice.
func TestSplit(t *testing.T) {
	split := func(t *Tape, x *Variable) []*Variable { return t.Split(t.Reshape(x, x.shape...), 2, 1, 4) }
	checkGrad(t, "all", operation{
		fast: func(t *Tape, x []*Variable) *Variable {
			v := split(t, x[0])
			return t.Concat(t.Concat(v[2], v[0]), v[1])
		},
		slow: func(x []*naive.Matrix) *naive.Matrix {
			return naive.ConcatCols(naive.Cols(x[0], 3, 7), naive.Cols(x[0], 0, 2), naive.Cols(x[0], 2, 3))
		},
		views: []int{0},
	}, shape{2, 3, 7})
	checkGrad(t, "one", operation{
		fast:  func(t *Tape, x []*Variable) *Variable { return split(t, x[0])[1] },
		slow:  func(x []*naive.Matrix) *naive.Matrix { return naive.Cols(x[0], 2, 3) },
		views: []int{0},
	}, shape{2, 3, 7})
	checkGrad(t, "one twice", operation{
		fast: func(t *Tape, x []*Variable) *Variable {
			v := split(t, x[0])
			return t.Concat(v[0], t.Activate(SiLU, v[0]))
		},
		slow: func(x []*naive.Matrix) *naive.Matrix {
			v := naive.Cols(x[0], 0, 2)
			return naive.ConcatCols(v, naive.SiLU(v))
		},
		views: []int{0},
	}, shape{2, 3, 7})
	checkGrad(t, "a view of a view", operation{
		fast: func(t *Tape, x []*Variable) *Variable {
			return t.Split(split(t, x[0])[2], 1, 3)[1]
		},
		slow:  func(x []*naive.Matrix) *naive.Matrix { return naive.Cols(x[0], 4, 7) },
		views: []int{0},
	}, shape{2, 3, 7})
}

func TestConcat(t *testing.T) {
	checkGrad(t, "two", operation{
		fast:  func(t *Tape, x []*Variable) *Variable { return t.Concat(x[0], x[1]) },
		slow:  func(x []*naive.Matrix) *naive.Matrix { return naive.ConcatCols(x[0], x[1]) },
		views: []int{0, 1},
	}, shape{2, 3, 1}, shape{2, 3, 4})
	checkGrad(t, "itself", operation{
		fast: func(t *Tape, x []*Variable) *Variable { return t.Concat(x[0], x[0]) },
		slow: func(x []*naive.Matrix) *naive.Matrix { return naive.ConcatCols(x[0], x[0]) },
	}, shape{5, 3})
}
