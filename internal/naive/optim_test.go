package naive

import (
	"math"
	"testing"
)

func TestLinearDecay(t *testing.T) {
	s := LinearDecay{LR: 1, InitLR: 0.2, EndLR: 0.1, Warmup: 4, Total: 10, Power: 2}
	for n, want := range map[int]float64{0: 0.2, 2: 0.4, 4: 1, 7: 0.55, 10: 0.1, 99: 0.1} {
		within(t, "learning rate", []float64{s.At(n)}, []float64{want}, 1e-15)
	}
	if lr := (LinearDecay{LR: 1, InitLR: -1, Total: 10, Power: 1}).At(0); lr != 1 {
		t.Errorf("without warm-up the first learning rate is %v, want 1", lr)
	}
}

func TestClipNorm(t *testing.T) {
	grads := [][]float64{{3}, {4}}
	if n := ClipNorm(grads, 0); n != 5 || grads[0][0] != 3 {
		t.Errorf("no limit: norm %v, gradients %v", n, grads)
	}
	if n := ClipNorm(grads, 10); n != 5 || grads[0][0] != 3 {
		t.Errorf("limit 10: norm %v, gradients %v", n, grads)
	}
	if n := ClipNorm(grads, 1); n != 5 || math.Abs(grads[1][0]-4/(5+1e-6)) > 1e-15 {
		t.Errorf("limit 1: norm %v, gradients %v", n, grads)
	}
}

// TestAdamFirstStep: after the first step m/√v is the gradient's sign, but for
// eps, which is added before the bias correction.
func TestAdamFirstStep(t *testing.T) {
	a := Adam{Beta1: 0.9, Beta2: 0.98, Eps: 0.1, WeightDecay: 0.5}
	p := []float64{2}
	a.Step([][]float64{p}, [][]float64{{3}}, 0.01)
	size := 0.01 * math.Sqrt(0.02) / 0.1
	want := 2*(1-0.005) - size*0.3/(math.Sqrt(0.02*9)+0.1)
	within(t, "weight", p, []float64{want}, 1e-14)
}
