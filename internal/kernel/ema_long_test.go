package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// recurrence computes what run does by float64 recurrences, for one sequence
// without padding from the left: lengths that are too much for the convolutions
// of package naive.
func (e *emaCase) recurrence() map[string][]float64 {
	d, n := e.shape.Channels, e.shape.States
	out := map[string][]float64{"s": make([]float64, len(e.x)), "dx": make([]float64, len(e.x)), "omega": make([]float64, d)}
	for _, name := range []string{"delta", "alpha", "beta", "gamma"} {
		out[name] = make([]float64, d*n)
	}
	for i, x := range e.x {
		omega := float64(e.params.Omega[i%d])
		out["s"][i] = omega * float64(x)
		out["dx"][i] = omega * float64(e.ds[i])
		out["omega"][i%d] += float64(x) * float64(e.ds[i])
	}
	for i := range d * n {
		e.addState(i, out)
	}
	return out
}

// addState adds what the state with parameters i gives.
func (e *emaCase) addState(i int, out map[string][]float64) {
	sigmoid := func(x float32) float64 { return 1 / (1 + math.Exp(-float64(x))) }
	d, channel := e.shape.Channels, i/e.shape.States
	p, a := sigmoid(e.params.Delta[i]), sigmoid(e.params.Alpha[i])
	beta, gamma, root := float64(e.params.Beta[i]), float64(e.params.Gamma[i]), math.Sqrt(1/float64(e.shape.States))
	q, c := 1-p*a, p*beta*gamma*root
	taps := e.length
	if e.shape.Truncation > 0 {
		taps = e.shape.Truncation
	}
	at := func(x []float32, t int) float64 {
		if t < 0 || t >= e.length {
			return 0
		}
		return float64(x[t*d+channel])
	}
	lag, slope := math.Pow(q, float64(taps)), float64(taps)*math.Pow(q, float64(taps-1))
	var g, w, h, dc, dq float64
	for t := range e.length {
		w = q*w + g - slope*at(e.x, t-taps)
		g = q*g + at(e.x, t) - lag*at(e.x, t-taps)
		out["s"][t*d+channel] += c * g
		dc += at(e.ds, t) * g
		dq += at(e.ds, t) * w
		back := e.length - 1 - t
		h = q*h + at(e.ds, back) - lag*at(e.ds, back+taps)
		out["dx"][back*d+channel] += c * h
	}
	out["beta"][i] = dc * p * gamma * root
	out["gamma"][i] = dc * p * beta * root
	out["delta"][i] = (dc*beta*gamma*root - dq*c*a) * p * (1 - p)
	out["alpha"][i] = -dq * c * p * a * (1 - a)
}

// Long sequences lose no digits that the length of an average's memory does not
// cost: its value is rounded at every step, and where it forgets nothing the
// errors add up as a random walk does.
func TestEMALong(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, m := range []struct {
		rate       float64 // about which delta and alpha lie
		truncation int
		tolerance  float64
	}{
		{0, 0, 4e-7}, {-2, 0, 1e-6}, {-2, 1000, 1e-6}, {-4, 0, 3e-6}, {-4, 2048, 3e-6},
		{-6, 0, 5e-6}, {-6, 2048, 5e-6}, // decays around 1 − 6e-6
	} {
		e := newEMACase(r, EMAShape{Channels: 9, States: 5, Truncation: m.truncation}, 1, 16384, m.rate)
		want := e.recurrence()
		t.Run(fmt.Sprintf("rate%g/truncation%d", m.rate, m.truncation), func(t *testing.T) {
			eachEMA(t, func(t *testing.T) { e.compare(t, e.run(), want, m.tolerance) })
		})
	}
}

// The recurrences are those of the specification.
func TestEMARecurrence(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for _, truncation := range []int{0, 4} {
		e := newEMACase(r, EMAShape{Channels: 3, States: 2, Truncation: truncation}, 1, 9, -1)
		got := e.recurrence()
		for name, want := range e.specification() {
			for i, w := range want {
				if math.Abs(got[name][i]-w) > 1e-12*(1+math.Abs(w)) {
					t.Fatalf("%s[%d] = %v, want %v", name, i, got[name][i], w)
				}
			}
		}
	}
}

// A stream that is read step by step does not drift from the whole sequence,
// even where nothing is forgotten.
func TestEMALongStream(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	e := newEMACase(r, EMAShape{Channels: 9, States: 4}, 1, 8192, -6)
	want := e.recurrence()["s"]
	eachEMA(t, func(t *testing.T) {
		var c EMACoefficients
		c.Set(nil, e.shape, e.params)
		s, state := make([]float32, len(e.x)), make([]float32, c.StateSize())
		for i := 0; i < len(s); i += e.shape.Channels {
			EMAStep(nil, s[i:][:e.shape.Channels], e.x[i:][:e.shape.Channels], nil, state, 1, 1, &c)
		}
		if d, norm := distance(s, want); !(d <= 3e-6*norm) {
			t.Errorf("differs by %.2g of its norm", d/norm)
		}
	})
}
