package train

import (
	"math"
	"math/rand/v2"
	"slices"
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
		if err := a.Gather(); err != nil {
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
			if err := a.Gather(); err != nil {
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

// TestAdamOfRanges: an optimiser of parts of parameters does there what one of the whole
// does, bit for bit, and nothing elsewhere.
func TestAdamOfRanges(t *testing.T) {
	settings := AdamConfig{Betas: [2]float64{0.9, 0.98}, Eps: 1e-8, WeightDecay: 0.1}
	ranges := []autograd.AdamRange{{Param: 0, From: adamBlock, To: 2 * adamBlock}, {Param: 1, From: 2 * adamBlock, To: 2*adamBlock + 3}, {Param: 1, From: 0, To: adamBlock}}
	updated := func(of ...autograd.AdamRange) (before, after [][]float32) {
		params := nn.NewParams(1)
		var variables []*autograd.Variable
		var grads []*tensor.Tensor
		for i, n := range []int{3 * adamBlock, 2*adamBlock + 3} {
			p := params.Root().Index(i).Parameter("w", nn.Normal(0, 1), n)
			before = append(before, slices.Clone(p.Value().Data()))
			variables, grads = append(variables, p.Variable), append(grads, p.Value().Clone())
		}
		adam := autograd.NewAdam(variables, settings)
		if of != nil {
			adam = autograd.NewAdamOf(variables, of, settings)
		}
		for step := 1; step <= 3; step++ {
			adam.Step(grads, step, 0.1, 0.5)
		}
		for _, p := range params.All() {
			after = append(after, p.Value().Data())
		}
		return before, after
	}
	before, want := updated()
	_, got := updated(ranges...)
	for _, r := range ranges { // the rest is as before
		copy(before[r.Param][r.From:r.To], want[r.Param][r.From:r.To])
	}
	for i := range got {
		if !slices.Equal(got[i], before[i]) {
			t.Errorf("parameter %d is not as the whole optimiser's in the ranges and as before elsewhere", i)
		}
	}
}

// TestAdamRangesAreOfBlocks: others would be updated otherwise than in the whole.
func TestAdamRangesAreOfBlocks(t *testing.T) {
	p := nn.NewParams(1).Root().Parameter("w", nn.Constant(0), 2*adamBlock+3)
	for _, r := range []autograd.AdamRange{{From: 1, To: adamBlock}, {From: 0, To: adamBlock + 1}, {From: adamBlock, To: 3 * adamBlock}, {From: adamBlock, To: 0}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("range %v is taken", r)
				}
			}()
			autograd.NewAdamOf([]*autograd.Variable{p.Variable}, []autograd.AdamRange{r}, AdamConfig{})
		}()
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
