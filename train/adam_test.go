package train

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/mega-go/mega/autograd"
	"github.com/mega-go/mega/internal/naive"
	"github.com/mega-go/mega/nn"
	"github.com/mega-go/mega/tensor"
)

// setGrad gives a parameter a gradient, by the derivative of Σ g·w.
func setGrad(p *nn.Parameter, g []float32) {
	t := autograd.NewTrainingTape()
	row := tensor.FromSlice(slices.Clone(g), 1, len(g))
	t.Backward(t.Linear(autograd.NewConstant(row), p.Variable, nil, autograd.Identity))
}

// adamBlock is the size of the blocks that parameters are updated in.
const adamBlock = 1 << 13

// TestAdamMatchesSpecification follows the float64 optimiser for some clipped
// steps, over parameters that take one block, several, and none.
func TestAdamMatchesSpecification(t *testing.T) {
	params := nn.NewParams(1)
	for _, n := range []int{1, 7, adamBlock, 2*adamBlock + 3} {
		params.Root().Index(n).Parameter("w", nn.Normal(0, 1), 1, n)
	}
	idle := params.Root().Parameter("idle", nn.Constant(2), 1, 5)
	a := NewAdam(params, AdamConfig{Betas: [2]float64{0.9, 0.98}, Eps: 1e-8, WeightDecay: 0.1})
	spec := naive.Adam{Beta1: 0.9, Beta2: 0.98, Eps: 1e-8, WeightDecay: 0.1}
	used := params.All()[:4]
	want := make([][]float64, len(used))
	for i, p := range used {
		want[i] = widen(p.Value().Data())
	}
	rng := rand.New(rand.NewPCG(1, 1))
	for range 5 {
		grads := make([][]float64, len(used))
		params.ZeroGrad()
		for i, p := range used {
			g := make([]float32, len(want[i]))
			for j := range g {
				g[j] = float32(rng.NormFloat64())
			}
			grads[i] = widen(g)
			setGrad(p, g)
		}
		const lr, limit = 0.01, 0.5
		if err := a.Gather(Alone{}); err != nil {
			t.Fatal(err)
		}
		norm := a.Norm()
		if wantNorm := naive.ClipNorm(grads, limit); math.Abs(norm-wantNorm) > 1e-12*wantNorm {
			t.Errorf("norm is %g, want %g", norm, wantNorm)
		}
		a.Step(lr, ClipScale(norm, limit))
		spec.Step(want, grads, lr)
	}
	for i, p := range used {
		for j, w := range p.Value().Data() {
			// Five steps of at most 0.01, each with a few roundings of numbers near 1.
			if math.Abs(float64(w)-want[i][j]) > 2e-6*max(1, math.Abs(want[i][j])) {
				t.Fatalf("%s[%d] is %g, want %g", p.Name, j, w, want[i][j])
			}
		}
	}
	for _, w := range idle.Value().Data() {
		if w != 2 {
			t.Errorf("a parameter without a gradient became %g", w)
		}
	}
}

func widen(x []float32) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = float64(v)
	}
	return out
}

// TestAdamIsTheSameForAnyWorkers compares norms and weights bit for bit.
func TestAdamIsTheSameForAnyWorkers(t *testing.T) {
	var norms []float64
	var weights [][]float32
	for _, workers := range []int{1, 2, 5} {
		params := nn.NewParams(1)
		p := params.Root().Parameter("w", nn.Normal(0, 1), 1, 5*adamBlock+11)
		a := NewAdam(params, AdamConfig{Betas: [2]float64{0.9, 0.999}, Eps: 1e-8, WeightDecay: 0.01, Workers: autograd.NewWorkers(workers)})
		for range 3 {
			params.ZeroGrad()
			setGrad(p, p.Value().Data())
			if err := a.Gather(Alone{}); err != nil {
				t.Fatal(err)
			}
			norms = append(norms, a.Norm())
			a.Step(0.1, 0.5)
		}
		weights = append(weights, p.Value().Data())
	}
	for i := range 3 {
		if norms[i] != norms[3+i] || norms[i] != norms[6+i] {
			t.Errorf("norms %v differ", norms)
		}
	}
	if !slices.Equal(weights[0], weights[1]) || !slices.Equal(weights[0], weights[2]) {
		t.Error("weights differ")
	}
}

func TestClipScale(t *testing.T) {
	for _, c := range []struct{ norm, limit, want float64 }{
		{2, 1, 1 / 2.000001}, {0.5, 1, 1}, {100, 0, 1}, {0, 1, 1},
	} {
		if got := ClipScale(c.norm, c.limit); got != c.want {
			t.Errorf("ClipScale(%g, %g) = %g, want %g", c.norm, c.limit, got, c.want)
		}
	}
}

// pair joins two goroutines as processes.
type pair struct {
	rank int
	link *link
}

type link struct {
	sync.Mutex
	arrived *sync.Cond
	count   int
	total32 []float32
	total64 []float64
}

func newPair() [2]pair {
	l := &link{}
	l.arrived = sync.NewCond(&l.Mutex)
	return [2]pair{{0, l}, {1, l}}
}

func (p pair) Rank() int { return p.rank }
func (p pair) Size() int { return 2 }

// meet runs give under the lock for each and take once both have given.
func (p pair) meet(give, take func()) error {
	l := p.link
	l.Lock()
	defer l.Unlock()
	round := l.count / 2
	give()
	l.count++
	l.arrived.Broadcast()
	for l.count/2 == round {
		l.arrived.Wait()
	}
	take()
	// Nobody gives again before both have taken.
	l.count++
	l.arrived.Broadcast()
	for l.count/2 == round+1 {
		l.arrived.Wait()
	}
	return nil
}

func (p pair) AllReduceSum(x []float32) error {
	return p.meet(func() { p.link.total32 = add(p.link, p.link.total32, x) }, func() { copy(x, p.link.total32) })
}

func (p pair) AllReduceSum64(x []float64) error {
	return p.meet(func() { p.link.total64 = add(p.link, p.link.total64, x) }, func() { copy(x, p.link.total64) })
}

// add starts a sum with the first to arrive and adds the second.
func add[T float32 | float64](l *link, total, x []T) []T {
	if l.count%2 == 0 {
		return slices.Clone(x)
	}
	for i := range total {
		total[i] += x[i]
	}
	return total
}

func (p pair) Broadcast(x []float32, root int) error {
	return p.meet(func() {
		if p.rank == root {
			p.link.total32 = slices.Clone(x)
		}
	}, func() { copy(x, p.link.total32) })
}

func (p pair) Barrier() error { return p.meet(func() {}, func() {}) }

// TestTwoProcesses trains with two processes of a batch each and with one that
// accumulates two: the same sums, so the same weights. (The toy's batch norm has
// its own statistics in each process, so buffers are left out.)
func TestTwoProcesses(t *testing.T) {
	c := toyConfig()
	c.MaxUpdate = 14
	toys := [2]*toy{newToy(), newToy()}
	nn.Constant(9)(nil, toys[1].params.All()[0].Value()) // to be overwritten by process 0's
	comms := newPair()
	var summaries [2]Summary
	var errs [2]error
	var wg sync.WaitGroup
	for i := range 2 {
		wg.Go(func() {
			summaries[i], errs[i] = Run(context.Background(), toys[i], c, Options{Communicator: comms[i]})
		})
	}
	wg.Wait()
	alone := newToy()
	c.UpdateFreq = []int{2}
	want := trainToy(t, alone, c, "")
	for i := range 2 {
		if errs[i] != nil {
			t.Fatal(errs[i])
		}
		if summaries[i].Updates != want.Updates || summaries[i].Epoch != want.Epoch {
			t.Errorf("process %d: %+v, want %+v", i, summaries[i], want)
		}
		for j, p := range toys[i].params.All() {
			if !slices.Equal(p.Value().Data(), alone.params.All()[j].Value().Data()) {
				t.Errorf("process %d: %s differs", i, p.Name)
			}
		}
	}
}

// TestUndecayed: a parameter that does not decay stays where a gradient of zero
// leaves it, and the others shrink.
func TestUndecayed(t *testing.T) {
	p := nn.NewParams(1)
	a, b := p.Root().Parameter("a", nn.Constant(1), 3), p.Root().Parameter("b", nn.Constant(1), 3)
	adam := autograd.NewAdam([]*autograd.Variable{a.Variable, b.Variable}, AdamConfig{Betas: [2]float64{0.9, 0.98}, Eps: 1e-8, WeightDecay: 0.5, Undecayed: []bool{true, false}})
	zero := []*tensor.Tensor{tensor.New(3), tensor.New(3)}
	adam.Step(zero, 1, 0.1, 1)
	if x, y := a.Value().Host()[0], b.Value().Host()[0]; x != 1 || y >= 1 {
		t.Errorf("%v and %v after a step, want 1 and less", x, y)
	}
}
