package autograd

import (
	"math/rand/v2"
	"testing"

	"github.com/mega-go/mega/tensor"
)

// parameter returns a leaf of random numbers.
func parameter(seed uint64, s ...int) *Variable {
	return NewParameter(tensor.FromSlice(normal(rand.New(rand.NewPCG(seed, 2)), tensor.Size(s), 1), s...))
}

// A network is a few layers that use every way of keeping and releasing values.
type network struct{ w, v, gain, out *Variable }

func newNetwork() network {
	return network{parameter(1, 6, 6), parameter(2, 6, 6), parameter(3, 6), parameter(4, 3, 6)}
}

func (n network) leaves() []*Variable { return []*Variable{n.w, n.v, n.gain, n.out} }

// loss runs the network with each layer under scope.
func (n network) loss(t *Tape, x *Variable, scope func(func() *Variable) *Variable) Loss {
	for range 3 {
		in := x
		x = scope(func() *Variable {
			h := t.RMSNorm(in, n.gain, eps, 0)
			h = t.Dropout(t.Linear(h, n.w, nil, SiLU), 0.25)
			views := t.Split(t.Linear(h, n.v, nil, Identity), 4, 2)
			h = t.Concat(t.Activate(Tanh, views[1]), views[0])
			return t.Add(in, h)
		})
	}
	return t.CrossEntropy(t.Linear(x, n.out, nil, Identity), make([]int32, x.Rows()), -1, 0)
}

func unscoped(f func() *Variable) *Variable { return f() }

// step runs the network forwards and backwards.
func (n network) step(t *Tape, x *Variable, scope func(func() *Variable) *Variable) Loss {
	t.SetSeed(dropSeed)
	l := n.loss(t, x, scope)
	t.Backward(l.Variable)
	return l
}

func (n network) grads() [][]float32 {
	var out [][]float32
	for _, v := range n.leaves() {
		out = append(out, numbersOf(v.Grad()))
	}
	return out
}

// TestScope: with and without scopes the gradients are the same bit for bit, and
// a scope holds less memory.
func TestScope(t *testing.T) {
	n, x := newNetwork(), NewConstant(parameter(9, 1, 50, 6).value)
	plain, scoped := NewTrainingTape(), NewTrainingTape()
	n.step(plain, x, unscoped)
	want := n.grads()
	for _, v := range n.leaves() {
		v.ZeroGrad()
	}
	n.step(scoped, x, scoped.Scope)
	for i, g := range n.grads() {
		equal(t, "gradient", g, want[i])
	}
	if scoped.HeldBytes() >= plain.HeldBytes() {
		t.Errorf("%d bytes with scopes, %d without", scoped.HeldBytes(), plain.HeldBytes())
	}
}

// TestScopeReleases: what is made in a scope is gone, but for the result.
func TestScopeReleases(t *testing.T) {
	for name, tape := range map[string]*Tape{"inference": NewTape(), "training": NewTrainingTape()} {
		x := parameter(1, 3, 4)
		var inner *Variable
		out := tape.Scope(func() *Variable {
			inner = tape.Activate(SiLU, x)
			return tape.Activate(Tanh, inner)
		})
		out.Value()
		panics(t, name, func() { inner.Value() })
	}
}

// TestGradientsAddUp: a leaf keeps its gradient, and later ones are added, until
// ZeroGrad.
func TestGradientsAddUp(t *testing.T) {
	n, x, tape := newNetwork(), NewConstant(parameter(9, 1, 5, 6).value), NewTrainingTape()
	if n.w.Grad() != nil {
		t.Error("a gradient before the first backward")
	}
	n.step(tape, x, tape.Scope)
	once := n.grads()
	n.step(tape, x, tape.Scope)
	for i, g := range n.grads() {
		var want []float64
		for _, v := range once[i] {
			want = append(want, float64(v))
		}
		within(t, "gradient of two steps", g, want, 2, 0)
	}
	for _, v := range n.leaves() {
		v.ZeroGrad()
		if v.Grad() != nil {
			t.Error("a gradient after ZeroGrad")
		}
	}
	n.step(tape, x, tape.Scope)
	for i, g := range n.grads() {
		equal(t, "gradient after ZeroGrad", g, once[i])
	}
}

// TestBackwardOfLeaf: the gradient of a sum of itself.
func TestBackwardOfLeaf(t *testing.T) {
	x, tape := parameter(1, 2, 2), NewTrainingTape()
	tape.Backward(x)
	tape.Backward(x)
	equal(t, "gradient", x.Grad().Data(), []float32{2, 2, 2, 2})
	c := NewConstant(tensor.New(2, 2))
	tape.Backward(c)
	tape.Backward(tape.Activate(SiLU, c))
	if c.Grad() != nil {
		t.Error("a constant has a gradient")
	}
	if tape.HeldBytes() > 4*16 {
		t.Errorf("%d bytes held of four numbers", tape.HeldBytes())
	}
}

// TestFrozenLeaves freezes every choice of leaves: they get no gradient, the
// others the same as before, though what is behind frozen ones is not recorded.
func TestFrozenLeaves(t *testing.T) {
	n, x, tape := newNetwork(), NewConstant(parameter(9, 1, 5, 6).value), NewTrainingTape()
	n.step(tape, x, unscoped)
	want := n.grads()
	for choice := range 1 << len(n.leaves()) {
		for i, v := range n.leaves() {
			v.ZeroGrad()
			v.SetTrainable(choice>>i&1 == 0)
		}
		n.step(tape, x, tape.Scope)
		for i, v := range n.leaves() {
			switch {
			case choice>>i&1 == 0:
				equal(t, "gradient", v.Grad().Data(), want[i])
			case v.Grad() != nil:
				t.Errorf("choice %b: leaf %d has a gradient", choice, i)
			}
		}
	}
}

// TestSetTrainable: a leaf that is frozen loses its gradient, and collects again
// when it is not.
func TestSetTrainable(t *testing.T) {
	n, x, tape := newNetwork(), NewConstant(parameter(9, 1, 5, 6).value), NewTrainingTape()
	n.step(tape, x, tape.Scope)
	want := n.grads()
	n.v.SetTrainable(false)
	if n.v.Grad() != nil {
		t.Error("frozen, and still a gradient")
	}
	for _, v := range n.leaves() {
		v.ZeroGrad()
	}
	n.step(tape, x, tape.Scope)
	if n.v.Grad() != nil {
		t.Error("frozen, and a gradient")
	}
	equal(t, "gradient of another", n.w.Grad().Data(), want[0])
	n.v.SetTrainable(true)
	n.w.ZeroGrad()
	n.step(tape, x, tape.Scope)
	equal(t, "gradient after thawing", n.v.Grad().Data(), want[1])
}

// TestMemoryIsReused: after the first steps neither tape takes more, whatever
// the lengths, and a step that is not run backwards leaves nothing behind.
func TestMemoryIsReused(t *testing.T) {
	lengths := []int{50, 47, 31, 2, 50, 1, 33}
	n := newNetwork()
	steps := map[string]func(t *Tape, x *Variable){
		"training":           func(t *Tape, x *Variable) { n.step(t, x, t.Scope) },
		"training, no scope": func(t *Tape, x *Variable) { n.step(t, x, unscoped) },
		"forward alone": func(t *Tape, x *Variable) {
			n.loss(t, x, t.Scope)
			t.Reset()
		},
	}
	for name, step := range steps {
		for mode, tape := range map[string]*Tape{"training": NewTrainingTape(), "inference": NewTape()} {
			if mode == "inference" && name != "forward alone" {
				continue
			}
			held := 0
			for round := range 4 {
				for _, l := range lengths {
					step(tape, NewConstant(parameter(9, 1, l, 6).value))
				}
				if round == 0 {
					held = tape.HeldBytes()
				}
			}
			if tape.HeldBytes() != held {
				t.Errorf("%s on a tape for %s: %d bytes after the first round, %d after the fourth", name, mode, held, tape.HeldBytes())
			}
			tape.Trim()
			if tape.HeldBytes() != 0 {
				t.Errorf("%s on a tape for %s: %d bytes are still in use", name, mode, tape.HeldBytes())
			}
		}
	}
}

// TestInferenceTape records nothing.
func TestInferenceTape(t *testing.T) {
	n, x, tape := newNetwork(), parameter(9, 1, 5, 6), NewTape()
	if tape.Training() || tape.Recording() {
		t.Error("a new tape is for inference")
	}
	tape.Backward(n.loss(tape, x, tape.Scope).Variable)
	for _, v := range append(n.leaves(), x) {
		if v.Grad() != nil {
			t.Error("a gradient")
		}
	}
}

// TestSetMode: recording outside training gives gradients without dropout.
func TestSetMode(t *testing.T) {
	n, x := newNetwork(), NewConstant(parameter(9, 1, 5, 6).value)
	want := n.loss(NewTape(), x, unscoped).Host().Sum
	tape := NewTrainingTape()
	tape.SetMode(true, false)
	if got := n.step(tape, x, tape.Scope).Host().Sum; got != want {
		t.Errorf("loss %g, want %g", got, want)
	}
	n.grads()
	tape.SetMode(false, true)
	if got := n.loss(tape, x, tape.Scope).Host().Sum; got == want {
		t.Error("no dropout in training")
	}
}

func TestShapesMustFit(t *testing.T) {
	tape, a, b := NewTape(), parameter(1, 2, 3), parameter(2, 3, 2)
	panics(t, "Add", func() { tape.Add(a, b) })
	panics(t, "Linear", func() { tape.Linear(a, b, nil, Identity) })
	panics(t, "SiLUMul", func() { tape.SiLUMul(a, b) })
	panics(t, "GatedResidual", func() { tape.GatedResidual(a, a, b, Ending{}) })
	panics(t, "QueryKey", func() { tape.QueryKey(a, b, b) })
	panics(t, "Split", func() { tape.Split(tape.Activate(SiLU, a), 1, 1) })
	panics(t, "Split of a parameter", func() { tape.Split(a, 1, 2) })
}

func TestProfile(t *testing.T) {
	n, tape, p := newNetwork(), NewTrainingTape(), new(Profile)
	tape.SetProfile(p)
	n.step(tape, NewConstant(parameter(9, 1, 5, 6).value), tape.Scope)
	tape.SetProfile(nil)
	n.step(tape, NewConstant(parameter(9, 1, 5, 6).value), tape.Scope)
	p.Add("step", 1)
	calls := map[string]int{}
	last := p.Rows()[0].Time
	for _, r := range p.Rows() {
		calls[r.Name] = r.Calls
		if r.Time > last {
			t.Error("rows are not in order of time")
		}
		last = r.Time
	}
	for name, want := range map[string]int{"linear": 7, "linear'": 7, "norm": 3, "norm'": 3, "loss": 1, "loss'": 1, "step": 1} {
		if calls[name] != want {
			t.Errorf("%d of %s, want %d", calls[name], name, want)
		}
	}
}
