package kernel

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mega-go/mega/internal/naive"
)

// causalEMA returns a causal case with scattered padding.
func causalEMA(r *rand.Rand, d, n, batch, length, truncation int) *emaCase {
	e := newEMACase(r, EMAShape{Channels: d, States: n, Truncation: truncation}, batch, length, -1)
	return e.masked(r)[2]
}

// slice returns rows from to end of every sequence.
func sliceRows[T any](x []T, batch, from, end int) []T {
	var out []T
	row := len(x) / batch
	for b := range batch {
		out = append(out, x[b*row+from:b*row+end]...)
	}
	return out
}

// A stream gives what the whole sequence does, wherever it is cut; truncation
// does not matter to it.
func TestEMAStream(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	for _, size := range [][5]int{{1, 1, 1, 5, 0}, {9, 3, 2, 50, 0}, {16, 16, 1, 200, 20}, {33, 5, 3, 90, 7}} {
		d, batch, length := size[0], size[2], size[3]
		e := causalEMA(r, d, size[1], batch, length, size[4])
		cuts := []int{0, length, r.IntN(length + 1), r.IntN(length + 1), min(length, 1), min(length, 9)}
		slices.Sort(cuts)
		whole := *e
		whole.shape.Truncation = 0
		want := whole.specification()["s"]
		eachEMA(t, func(t *testing.T) {
			var c EMACoefficients
			c.Set(nil, e.shape, e.params)
			state := make([]float32, batch*c.StateSize())
			for i, end := range cuts[1:] {
				from := cuts[i]
				x := sliceRows(e.x, batch, from*d, end*d)
				s := make([]float32, len(x))
				EMAStep(nil, s, x, sliceRows(e.mask, batch, from, end), state, batch, end-from, &c)
				if diff, norm := distance(s, sliceRows(want, batch, from*d, end*d)); !(diff <= 1e-6*norm) {
					t.Errorf("%v, rows %d to %d: differs by %.2g", e, from, end, diff/norm)
				}
			}
		})
	}
}

// Many streams, which workers share, give bit for bit what each gives alone.
func TestEMAStreamsTogether(t *testing.T) {
	r := rand.New(rand.NewPCG(15, 16))
	const d, n, batch = 43, 5, 40
	e := causalEMA(r, d, n, batch, 2, 0)
	eachEMA(t, func(t *testing.T) {
		var c EMACoefficients
		c.Set(nil, e.shape, e.params)
		if work := batch * len(c.decay); work <= emaShort || work > emaAlone {
			t.Fatalf("%d steps, want work for spreadEvenly", work)
		}
		size := c.StateSize()
		state, alone := make([]float32, batch*size), make([]float32, size)
		s, want := make([]float32, batch*d), make([]float32, d)
		var x [2][]float32
		for i := range x {
			x[i] = sliceRows(e.x, batch, i*d, (i+1)*d)
			EMAStep(nil, s, x[i], nil, state, batch, 1, &c)
		}
		for b := range batch {
			clear(alone)
			for i := range x {
				EMAStep(nil, want, x[i][b*d:][:d], nil, alone, 1, 1, &c)
			}
			if !slices.Equal(s[b*d:][:d], want) || !slices.Equal(state[b*size:][:size], alone) {
				t.Errorf("stream %d of %d differs from itself alone", b, batch)
			}
		}
	})
}

// The state is the reference's, up to p·beta.
func TestEMAState(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 14))
	const d, n, batch, length = 18, 5, 2, 12
	for _, truncation := range []int{0, 6} {
		e := newEMACase(r, EMAShape{Channels: d, States: n, Truncation: truncation}, batch, length, 0)
		e.params.Beta[3] = 0
		m := e.model()
		var want []float64
		for b := range batch {
			var h *naive.Matrix
			for t := range length {
				_, h = m.Step(e.matrix(e.x[(b*length+t)*d:][:d]), h)
			}
			want = append(want, h.Data...)
		}
		eachEMA(t, func(t *testing.T) {
			var c EMACoefficients
			c.Set(nil, e.shape, e.params)
			s, state := make([]float32, len(e.x)), make([]float32, batch*c.StateSize())
			EMAStep(nil, s, e.x, nil, state, batch, length, &c)
			h := make([]float32, batch*d*n)
			c.unpackState(h, state)
			if diff, norm := distance(h, want); !(diff <= 5e-7*norm) {
				t.Errorf("state differs by %.2g", diff/norm)
			}
		})
	}
}

// unpackState converts EMAStep's state to the reference's h [batch, D, N]. Both
// hold the same averages: h = p·beta·g (exponential_moving_average.py:147).
func (c *EMACoefficients) unpackState(h, state []float32) {
	d, n := c.shape.Channels, c.shape.States
	for channel := range d {
		group, lane := channel/emaGroup, channel%emaGroup
		for i, k := range c.positions(group, lane) {
			p := channel*n + int(k)
			expansion := c.rate[p] * float64(c.params.Beta[p])
			for b := range len(h) / (d * n) {
				h[b*d*n+p] = float32(float64(state[b*c.StateSize()+(group*n+i)*emaGroup+lane]) * expansion)
			}
		}
	}
}
