package kernels

import (
	"fmt"
	"math"
	"testing"

	"github.com/mega-go/mega/internal/kernel"
)

// TestEMA compares with a scan in float64, and the forward pass with the CPU's too.
func TestEMA(t *testing.T) {
	for _, c := range []struct{ batch, length, channels, states int }{
		{1, 1, 1, 1}, {2, 63, 3, 16}, {1, 64, 65, 2}, {2, 65, 5, 4}, {1, 300, 64, 16},
		// in one pass:
		{processors, 1, 1, 2}, {processors / 2, 17, 18, 16}, {processors, 129, 1, 3},
	} {
		for variant := range 4 {
			if c.batch*c.length > 10000 && variant%3 != 0 {
				continue // it takes long
			}
			testEMA(newBench(t), c.batch, c.length, c.channels, c.states, variant&1 != 0, variant&2 != 0)
		}
	}
}

func testEMA(b *bench, batch, length, channels, states int, fromRight, masked bool) {
	b.Helper()
	n, coefficients := batch*length*channels, channels*states
	x, ds, omega := b.normal(n), b.normal(n), b.normal(channels)
	p := kernel.EMAParams{Delta: b.normal(coefficients), Alpha: b.normal(coefficients), Beta: b.normal(coefficients), Gamma: b.normal(coefficients), Omega: omega}
	for i := range p.Alpha {
		p.Alpha[i] -= 4 // decays near 1
	}
	mask, bools := make([]byte, batch*length), make([]bool, batch*length)
	for i := range mask {
		bools[i] = masked && b.r.IntN(5) == 0
		mask[i] = byte(flag(bools[i]))
		if bools[i] {
			x[i*channels] = float32(math.NaN()) // which averages must not see
		}
	}
	q, c := make([]float64, channels*EMAStates), make([]float64, channels*EMAStates) // [N, D]
	e := EMA{Batch: batch, Length: length, Channels: channels, FromRight: fromRight, Late: fromRight}
	steps := float64(e.Steps())
	power, slope := make([]float32, len(q)), make([]float32, len(q))
	for d := range channels {
		for s := range states {
			i, j := d*states+s, s*channels+d
			rate, damping := sigmoid(p.Delta[i]), sigmoid(p.Alpha[i])
			q[j] = 1 - rate*damping
			c[j] = rate * float64(p.Beta[i]) * float64(p.Gamma[i]) / math.Sqrt(float64(states))
			power[j] = float32(math.Pow(q[j], steps))
			slope[j] = float32(steps * math.Pow(q[j], steps-1))
		}
	}
	q32, c32 := up(b, float32s(q)), up(b, float32s(c))
	e.Decay, e.Output, e.Power, e.Slope = q32, c32, up(b, power), up(b, slope)
	ax, ads, aomega := up(b, x), up(b, ds), up(b, omega)
	var amask Address
	if masked {
		amask = up(b, mask)
	}
	name := fmt.Sprintf("%d×%d×%d, %d states, from the right %v, masked %v", batch, length, channels, states, fromRight, masked)
	s, carry := b.empty(n), b.empty(2*e.Carries())
	b.must(e.Forward(b, s, ax, amask, 0, aomega, carry))
	want := emaScan(x, bools, nil, q, c, omega, batch, length, channels, fromRight, e.Late)
	tolerance := 3e-6 * emaSize(c, q, length)
	b.compare(name+": s", s, want.s, tolerance)
	if !fromRight {
		var k kernel.EMACoefficients
		cpu := make([]float32, n)
		k.Set(nil, kernel.EMAShape{Channels: channels, States: states}, p)
		kernel.EMAForward(nil, cpu, x, bools, batch, length, &k)
		b.compare(name+": the CPU's s", s, cpu, tolerance)
	}
	back := e
	back.FromRight = !fromRight
	dx := b.empty(n)
	b.must(back.Forward(b, dx, ads, 0, amask, aomega, carry))
	b.compare(name+": dx", dx, emaScan(ds, nil, bools, q, c, omega, batch, length, channels, !fromRight, e.Late).s, tolerance)
	b.must(e.Forward(b, s, ax, amask, 0, 0, carry)) // adds
	for i, v := range want.s {
		want.s[i] = v + want.s[i] - omega[i%channels]*x[i]
	}
	b.compare(name+": s, added", s, want.s, 2*tolerance)

	dc, dq := b.empty(len(q)), b.empty(len(q))
	b.must(e.Gradients(b, dc, dq, ads, ax, amask, carry))
	wc, wq := want.gradients(ds)
	root := math.Sqrt(float64(batch * length))
	b.compare(name+": dc", dc, wc, 3e-6*root*emaSize(nil, q, length))
	b.compare(name+": dq", dq, wq, 3e-6*root*emaSize(nil, q, length)*emaSize(nil, q, length))
}

func sigmoid(x float32) float64 { return 1 / (1 + math.Exp(-float64(x))) }

func float32s(x []float64) []float32 {
	y := make([]float32, len(x))
	for i, v := range x {
		y[i] = float32(v)
	}
	return y
}

// emaSize is how large averages of numbers of size 1 become: in proportion to it, they
// and their errors grow.
func emaSize(c, q []float64, length int) float64 {
	largest := 1.0
	for i, decay := range q {
		w := 1.0
		if c != nil {
			w = math.Abs(c[i]) * 4
		}
		largest = math.Max(largest, w*math.Min(float64(length), 1/(1-decay+1e-9)))
	}
	return largest
}

// An emaReference is a scan in float64, whose averages are [B, L, N, D].
type emaReference struct {
	s        []float32
	g, w     []float64
	channels int
}

func emaScan(x []float32, mask, mute []bool, q, c []float64, omega []float32, batch, length, channels int, fromRight, late bool) *emaReference {
	r := &emaReference{s: make([]float32, len(x)), g: make([]float64, len(x)*EMAStates), w: make([]float64, len(x)*EMAStates), channels: channels}
	for z := range batch {
		for d := range channels {
			var g, w [EMAStates]float64
			for t := range length {
				row := z*length + t
				if fromRight {
					row = z*length + length - 1 - t
				}
				i := row*channels + d
				v := float64(x[i])
				sum := float64(omega[d]) * v
				if mask != nil && mask[row] {
					v = 0
				}
				for n := range g {
					usedG, usedW := g[n], w[n]
					w[n] = q[n*channels+d]*w[n] + g[n]
					g[n] = q[n*channels+d]*g[n] + v
					if !late {
						usedG, usedW = g[n], w[n]
					}
					r.g[(row*EMAStates+n)*channels+d], r.w[(row*EMAStates+n)*channels+d] = usedG, usedW
					if mute == nil || !mute[row] {
						sum += c[n*channels+d] * usedG
					}
				}
				r.s[i] = float32(sum)
			}
		}
	}
	return r
}

// gradients returns the gradients of c and q [N, D].
func (r *emaReference) gradients(ds []float32) (dc, dq []float32) {
	c, q := make([]float64, EMAStates*r.channels), make([]float64, EMAStates*r.channels)
	for i, d := range ds {
		row, channel := i/r.channels, i%r.channels
		for n := range EMAStates {
			at := (row*EMAStates+n)*r.channels + channel
			c[n*r.channels+channel] += float64(d) * r.g[at]
			q[n*r.channels+channel] += float64(d) * r.w[at]
		}
	}
	return float32s(c), float32s(q)
}
