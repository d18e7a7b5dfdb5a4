package naive

import "math"

// ClipNorm scales grads in place by min(1, limit/(‖g‖ + 1e-6)), where ‖g‖ is the
// norm of all of them together before, which it returns; a limit of 0 or less
// scales nothing (utils.py:311).
func ClipNorm(grads [][]float64, limit float64) (norm float64) {
	for _, g := range grads {
		for _, v := range g {
			norm += v * v
		}
	}
	norm = math.Sqrt(norm)
	if limit <= 0 {
		return norm
	}
	scale := math.Min(1, limit/(norm+1e-6))
	for _, g := range grads {
		for i := range g {
			g[i] *= scale
		}
	}
	return norm
}

// Adam is the reference's AdamW (optim/adam.py:184), with eps added to √v before
// the bias correction:
//
//	m = β1·m + (1−β1)·g, v = β2·v + (1−β2)·g²
//	w −= lr·decay·w
//	w −= lr·√(1−β2^t)/(1−β1^t) · m/(√v + eps)
type Adam struct {
	Beta1, Beta2, Eps, WeightDecay float64

	step int
	m, v [][]float64
}

// Step updates params in place; every call must give the same slices in the same
// order.
func (a *Adam) Step(params, grads [][]float64, lr float64) {
	if a.step == 0 {
		for _, p := range params {
			a.m = append(a.m, make([]float64, len(p)))
			a.v = append(a.v, make([]float64, len(p)))
		}
	}
	a.step++
	t := float64(a.step)
	size := lr * math.Sqrt(1-math.Pow(a.Beta2, t)) / (1 - math.Pow(a.Beta1, t))
	for k, p := range params {
		for i, g := range grads[k] {
			a.m[k][i] = a.Beta1*a.m[k][i] + (1-a.Beta1)*g
			a.v[k][i] = a.Beta2*a.v[k][i] + (1-a.Beta2)*g*g
			p[i] -= lr * a.WeightDecay * p[i]
			p[i] -= size * a.m[k][i] / (math.Sqrt(a.v[k][i]) + a.Eps)
		}
	}
}

// LinearDecay is the schedule linear_decay
// (optim/lr_scheduler/linear_decay_schedule.py:73).
type LinearDecay struct {
	LR, InitLR, EndLR float64
	Warmup, Total     int // updates
	Power             float64
}

// At returns the learning rate after n updates, which is that of update n+1:
// InitLR + n^Power·(LR−InitLR)/Warmup^Power up to Warmup, then a straight line
// to EndLR at Total.
func (s LinearDecay) At(n int) float64 {
	switch {
	case s.Warmup == 0 && n == 0:
		return s.LR
	case n <= s.Warmup:
		rise := (s.LR - s.InitLR) / math.Pow(float64(s.Warmup), s.Power)
		return s.InitLR + math.Pow(float64(n), s.Power)*rise
	case n >= s.Total:
		return s.EndLR
	}
	return (s.LR-s.EndLR)/float64(s.Total-s.Warmup)*float64(s.Total-n) + s.EndLR
}
