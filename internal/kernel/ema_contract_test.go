package kernel

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mega-go/mega/internal/parallel"
)

// emaGuarded returns n numbers between guard words, and a check of those.
func emaGuarded(t *testing.T, n int, guard float32) (x []float32, check func()) {
	const margin = 40
	all := make([]float32, n+2*margin)
	for i := range all {
		all[i] = guard
	}
	return all[margin : margin+n : margin+n], func() {
		t.Helper()
		for i, v := range all {
			if inside := i >= margin && i < margin+n; !inside && math.Float32bits(v) != math.Float32bits(guard) {
				t.Fatalf("word %d beside %d was overwritten with %v", i-margin, n, v)
			}
		}
	}
}

// Nothing outside the results is written, and nothing outside the operands read.
func TestEMAGuards(t *testing.T) {
	r := rand.New(rand.NewPCG(15, 16))
	nan := float32(math.NaN())
	for _, d := range []int{1, 7, 8, 12, 16, 20, 33} {
		for _, shape := range []EMAShape{
			{Channels: d, States: 3, Bidirectional: true, Shifted: true},
			{Channels: d, States: 9, Truncation: 4},
		} {
			e := newEMACase(r, shape, 2, 21, 0).masked(r)[2]
			eachEMA(t, func(t *testing.T) {
				plain := e.run()
				guarded := *e
				guarded.x, _ = emaGuarded(t, len(e.x), nan)
				guarded.ds, _ = emaGuarded(t, len(e.ds), nan)
				copy(guarded.x, e.x)
				copy(guarded.ds, e.ds)
				var c EMACoefficients
				c.Set(nil, e.shape, e.params)
				s, checkS := emaGuarded(t, len(e.x), 3)
				dx, checkDX := emaGuarded(t, len(e.x), 4)
				grads := e.params.zeroLike()
				EMAForward(nil, s, guarded.x, e.mask, e.batch, e.length, &c)
				EMABackward(nil, dx, grads, guarded.ds, guarded.x, e.mask, e.batch, e.length, &c)
				checkS()
				checkDX()
				for name, got := range grads.tensors(s, dx) {
					if !slices.Equal(got, plain[name]) {
						t.Errorf("%v: %s depends on what lies around", e, name)
					}
				}
			})
		}
	}
}

// The results do not depend on the number of workers.
func TestEMAWorkers(t *testing.T) {
	defer parallel.SetWorkers(0)
	r := rand.New(rand.NewPCG(17, 18))
	e := newEMACase(r, EMAShape{Channels: 170, States: 6, Bidirectional: true, Truncation: 30}, 5, 90, -2).masked(r)[0]
	divided := newEMACase(r, EMAShape{Channels: 170, States: 6, Bidirectional: true}, 1, emaLong+9, -2).masked(r)[0]
	stream := causalEMA(r, 170, 6, 5, 90, 0)
	eachEMA(t, func(t *testing.T) {
		var first map[string][]float32
		for _, n := range []int{1, 2, 3, 5} {
			parallel.SetWorkers(n)
			got := e.run()
			for name, values := range divided.run() {
				got["divided "+name] = values
			}
			var c EMACoefficients
			c.Set(nil, stream.shape, stream.params)
			got["stream"] = make([]float32, len(stream.x))
			got["state"] = make([]float32, stream.batch*c.StateSize())
			EMAStep(nil, got["stream"], stream.x, stream.mask, got["state"], stream.batch, stream.length, &c)
			if first == nil {
				first = got
			}
			for name, want := range first {
				if !slices.Equal(got[name], want) {
					t.Errorf("%d workers: %s differs", n, name)
				}
			}
		}
	})
}

// Coefficients can be set again, in place, and for another shape.
func TestEMASetAgain(t *testing.T) {
	r := rand.New(rand.NewPCG(19, 20))
	var c EMACoefficients
	for _, shape := range []EMAShape{
		{Channels: 20, States: 3, Truncation: 2}, {Channels: 20, States: 3, Truncation: 2},
		{Channels: 20, States: 3}, {Channels: 3, States: 9, Bidirectional: true},
	} {
		e := newEMACase(r, shape, 1, 10, -1)
		c.Set(nil, e.shape, e.params)
		s := make([]float32, len(e.x))
		EMAForward(nil, s, e.x, nil, e.batch, e.length, &c)
		if !slices.Equal(s, e.run()["s"]) {
			t.Errorf("%v: what was set before shows", e)
		}
	}
}

// Batches of nothing are no mistake.
func TestEMAEmpty(t *testing.T) {
	r := rand.New(rand.NewPCG(29, 30))
	eachEMA(t, func(t *testing.T) {
		for _, size := range [][2]int{{0, 3}, {2, 0}} {
			e := newEMACase(r, EMAShape{Channels: 5, States: 2, Bidirectional: true, Shifted: true}, size[0], size[1], 0)
			for name, got := range e.run() {
				if len(got) > 0 && slices.Max(got) != 0 {
					t.Errorf("%v: %s = %v", e, name, got)
				}
			}
		}
		e := newEMACase(r, EMAShape{Channels: 5, States: 2}, 2, 0, 0)
		var c EMACoefficients
		c.Set(nil, e.shape, e.params)
		EMAStep(nil, nil, nil, nil, make([]float32, 2*c.StateSize()), 2, 0, &c)
	})
}

// Averages that have decayed to nothing are zero, not denormal.
func TestEMASilence(t *testing.T) {
	r := rand.New(rand.NewPCG(21, 22))
	e := newEMACase(r, EMAShape{Channels: 17, States: 5}, 1, 4000, 0)
	clear(e.x[17*10:])
	eachEMA(t, func(t *testing.T) {
		var c EMACoefficients
		c.Set(nil, e.shape, e.params)
		s, state := make([]float32, len(e.x)), make([]float32, c.StateSize())
		EMAStep(nil, s, e.x, nil, state, 1, e.length, &c)
		for i, g := range state {
			if g != 0 {
				t.Fatalf("average %d is %v", i, g)
			}
		}
	})
}

// NaN spreads to later steps of its channel and nowhere else.
func TestEMANaN(t *testing.T) {
	r := rand.New(rand.NewPCG(23, 24))
	e := newEMACase(r, EMAShape{Channels: 21, States: 9}, 2, 30, 0)
	at := (30+12)*21 + 18
	e.x[at] = float32(math.NaN())
	eachEMA(t, func(t *testing.T) {
		for i, v := range e.run()["s"] {
			want := i >= at && (i-at)%21 == 0
			if math.IsNaN(float64(v)) != want {
				t.Fatalf("s[%d] = %v with NaN at %d", i, v, at)
			}
		}
	})
}

// Passes allocate a few closures and no more.
func TestEMAAllocations(t *testing.T) {
	r := rand.New(rand.NewPCG(25, 26))
	e := newEMACase(r, EMAShape{Channels: 100, States: 4}, 3, 300, 0)
	s, dx, grads := make([]float32, len(e.x)), make([]float32, len(e.x)), e.params.zeroLike()
	eachEMA(t, func(t *testing.T) {
		var c EMACoefficients
		c.Set(nil, e.shape, e.params)
		state := make([]float32, e.batch*c.StateSize())
		for name, f := range map[string]func(){
			"set":      func() { c.Set(nil, e.shape, e.params) },
			"forward":  func() { EMAForward(nil, s, e.x, nil, e.batch, e.length, &c) },
			"step":     func() { EMAStep(nil, s, e.x, nil, state, e.batch, e.length, &c) },
			"backward": func() { EMABackward(nil, dx, grads, e.ds, e.x, nil, e.batch, e.length, &c) },
		} {
			if n := testing.AllocsPerRun(5, f); n > 16 { // 4, and more under the race detector, which empties pools
				t.Errorf("%s allocates %v times", name, n)
			}
		}
	})
}

func TestEMAMisuse(t *testing.T) {
	r := rand.New(rand.NewPCG(27, 28))
	e := newEMACase(r, EMAShape{Channels: 2, States: 1, Bidirectional: true}, 1, 3, 0)
	var c EMACoefficients
	c.Set(nil, e.shape, e.params)
	for name, f := range map[string]func(){
		"short s":     func() { EMAForward(nil, make([]float32, 5), e.x, nil, 1, 3, &c) },
		"short mask":  func() { EMAForward(nil, make([]float32, 6), e.x, make([]bool, 2), 1, 3, &c) },
		"both ways":   func() { EMAStep(nil, make([]float32, 6), e.x, nil, nil, 1, 3, &c) },
		"no channels": func() { new(EMACoefficients).Set(nil, EMAShape{States: 1}, EMAParams{}) },
		"short delta": func() { new(EMACoefficients).Set(nil, EMAShape{Channels: 3, States: 1}, e.params) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
}

func TestEMATaskSpan(t *testing.T) {
	for _, test := range []struct{ parts, groups, workers, want int }{
		{1, 8, 1, 8},
		{1, 8, 2, 4},
		{1, 8, 3, 3},
		{1, 8, 16, 1},
		{2, 8, 2, 8},
		{8, 10, 2, 5}, // 8 would leave tasks of 2 beside those of 8
		{1, 1, 2, 1},
		{3, 7, 2, 4}, // tasks of 4 and 3, where only tasks of 1 would be evener by this count
		{3, 32, 2, 8},
	} {
		if got := emaTaskSpan(test.parts, test.groups, test.workers); got != test.want {
			t.Errorf("%d × %d groups over %d workers: %d a task, want %d", test.parts, test.groups, test.workers, got, test.want)
		}
	}
}
