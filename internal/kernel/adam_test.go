package kernel

import (
	"math"
	"testing"
)

// adamReference is one element's step in float64, after
// fairseq/optim/adam.py:184.
func adamReference(w, g, m, v float64, p AdamParams) (float64, float64, float64) {
	g *= p.GradScale
	m = p.Beta1*m + (1-p.Beta1)*g
	v = p.Beta2*v + (1-p.Beta2)*g*g
	w -= p.Decay * w
	return w - p.StepSize*m/(math.Sqrt(v)+p.Eps), m, v
}

func TestAdamStep(t *testing.T) {
	p := AdamParams{StepSize: AdamStepSize(1e-2, 0.9, 0.98, 7), Beta1: 0.9, Beta2: 0.98, Eps: 1e-8, Decay: 1e-3, GradScale: 0.25}
	checkOperations(t, []operation{{name: "AdamStep", results: 3, sources: 4, updates: 3, roundings: 6,
		run: func(o, x [][]float32) {
			for i, v := range o[2] {
				o[2][i] = v * v // as v is
			}
			AdamStep(o[0], x[3], o[1], o[2], p)
		},
		want: func(x []float64) []value {
			v := float64(float32(x[2]) * float32(x[2]))
			w, m, v := adamReference(x[0], x[3], x[1], v, p)
			step := value{w, math.Abs(x[0]) + math.Abs(p.StepSize*m/math.Sqrt(v))}
			return append([]value{step, {m, math.Abs(x[1]) + math.Abs(x[3])}}, one(v)...)
		}}})
}

// TestAdamTrajectory follows a quadratic for a hundred steps beside float64.
func TestAdamTrajectory(t *testing.T) {
	const n, lr = 37, 0.05
	eachVec(t, func(t *testing.T) {
		w, g, m, v := make([]float32, n), make([]float32, n), make([]float32, n), make([]float32, n)
		var want, wantM, wantV [n]float64
		for i := range w {
			w[i] = float32(i) - 18
			want[i] = float64(w[i])
		}
		for step := 1; step <= 100; step++ {
			p := AdamParams{AdamStepSize(lr, 0.9, 0.98, step), 0.9, 0.98, 1e-8, 0.01 * lr, 1}
			for i := range w {
				g[i] = w[i] - 3
				want[i], wantM[i], wantV[i] = adamReference(want[i], want[i]-3, wantM[i], wantV[i], p)
			}
			AdamStep(w, g, m, v, p)
		}
		for i := range w {
			if math.Abs(float64(w[i])-want[i]) > 2e-5 {
				t.Errorf("weight %d is %g, want %g", i, w[i], want[i])
			}
		}
	})
}

func TestAdamStepSize(t *testing.T) {
	if got, want := AdamStepSize(0.5, 0.9, 0.98, 1), 0.5*math.Sqrt(0.02)/0.1; math.Abs(got-want) > 1e-12 {
		t.Errorf("step 1: %g, want %g", got, want)
	}
}

func BenchmarkAdamStep(b *testing.B) {
	const n = 4096
	w, g, m, v := make([]float32, n), make([]float32, n), make([]float32, n), make([]float32, n)
	Fill(g, 0.5)
	p := AdamParams{StepSize: 1e-9, Beta1: 0.9, Beta2: 0.98, Eps: 1e-8, GradScale: 1}
	benchVec(b, "AdamStep", n, func() { AdamStep(w, g, m, v, p) })
}
