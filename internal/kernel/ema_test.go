package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"

	"github.com/mega-go/mega/internal/naive"
)

// An emaCase is an average with its operands.
type emaCase struct {
	shape         EMAShape
	batch, length int
	params        EMAParams
	x, ds         []float32 // [batch, length, D]
	mask          []bool    // [batch, length]
}

// emaNormal returns n normal random numbers.
func emaNormal(r *rand.Rand, n int, mean, deviation float64) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(mean + deviation*r.NormFloat64())
	}
	return x
}

// newEMACase draws operands; delta and alpha are normal about rate.
func newEMACase(r *rand.Rand, shape EMAShape, batch, length int, rate float64) *emaCase {
	n := shape.directions() * shape.Channels * shape.States
	return &emaCase{
		shape: shape, batch: batch, length: length,
		params: EMAParams{
			Delta: emaNormal(r, n, rate, 0.7), Alpha: emaNormal(r, n, rate, 0.7),
			Beta: emaNormal(r, n, 0, 1), Gamma: emaNormal(r, n, 0, 1),
			Omega: emaNormal(r, shape.Channels, 0, 1),
		},
		x:  emaNormal(r, batch*length*shape.Channels, 0, 1),
		ds: emaNormal(r, batch*length*shape.Channels, 0, 1),
	}
}

// zeroLike returns zero gradients for p.
func (p *EMAParams) zeroLike() *EMAParams {
	zero := func(x []float32) []float32 { return make([]float32, len(x)) }
	return &EMAParams{zero(p.Delta), zero(p.Alpha), zero(p.Beta), zero(p.Gamma), zero(p.Omega)}
}

// tensors returns what the kernels compute, by name.
func (p *EMAParams) tensors(s, dx []float32) map[string][]float32 {
	return map[string][]float32{
		"s": s, "dx": dx, "delta": p.Delta, "alpha": p.Alpha, "beta": p.Beta, "gamma": p.Gamma, "omega": p.Omega,
	}
}

// run computes everything that the kernels can.
func (e *emaCase) run() map[string][]float32 {
	var c EMACoefficients
	c.Set(nil, e.shape, e.params)
	s, dx := make([]float32, len(e.x)), make([]float32, len(e.x))
	for i := range s {
		s[i], dx[i] = float32(math.NaN()), float32(math.NaN())
	}
	grads := e.params.zeroLike()
	EMAForward(nil, s, e.x, e.mask, e.batch, e.length, &c)
	EMABackward(nil, dx, grads, e.ds, e.x, e.mask, e.batch, e.length, &c)
	return grads.tensors(s, dx)
}

// specification computes the same by the convolutions of package naive.
func (e *emaCase) specification() map[string][]float64 {
	m := e.model()
	x, s := e.convolve(m)
	naive.Backward(naive.Dot(s, e.matrix(e.ds)))
	delta, alpha := m.Delta, m.Alpha
	if e.shape.Swapped {
		delta, alpha = alpha, delta
	}
	return map[string][]float64{
		"s": s.Data, "dx": x.Grad, "delta": delta.Grad, "alpha": alpha.Grad,
		"beta": m.Beta.Grad, "gamma": m.Gamma.Grad, "omega": m.Omega.Grad,
	}
}

// matrix returns x, rows of channels, in float64.
func (e *emaCase) matrix(x []float32) *naive.Matrix {
	return naive.FromFloat32(len(x)/e.shape.Channels, e.shape.Channels, x)
}

// model returns the case's parameters as package naive has them.
func (e *emaCase) model() naive.EMA {
	states := func(x []float32) *naive.Matrix {
		return naive.FromFloat32(len(x)/e.shape.States, e.shape.States, x)
	}
	m := naive.EMA{
		Delta: states(e.params.Delta), Alpha: states(e.params.Alpha), Beta: states(e.params.Beta), Gamma: states(e.params.Gamma),
		Omega: e.matrix(e.params.Omega), Truncation: e.shape.Truncation, Shifted: e.shape.Shifted,
	}
	if e.shape.Swapped {
		m.Delta, m.Alpha = m.Alpha, m.Delta
	}
	return m
}

// convolve returns x and s, both [batch·length, D].
func (e *emaCase) convolve(m naive.EMA) (x, s *naive.Matrix) {
	kernel := m.Kernel(e.length)
	x = e.matrix(e.x)
	seen := naive.Fill(x, 0, func(i, _ int) bool { return e.mask != nil && e.mask[i] })
	var averages []*naive.Matrix
	for b := range e.batch {
		averages = append(averages, m.Convolution(naive.Rows(seen, b*e.length, (b+1)*e.length), kernel))
	}
	return x, naive.Add(naive.ConcatRows(averages...), naive.Mul(x, m.Omega))
}

// distance returns the norms of got − want and of want.
func distance(got []float32, want []float64) (difference, norm float64) {
	if len(got) != len(want) {
		return math.Inf(1), 0
	}
	for i, w := range want {
		d := float64(got[i]) - w
		difference += d * d
		norm += w * w
	}
	return math.Sqrt(difference), math.Sqrt(norm)
}

// compare fails where a tensor differs by more than tolerance times its norm.
// A parameter's gradient is a sum over all steps that can cancel out: to its
// norm a fifth is added of what that would be without.
func (e *emaCase) compare(t *testing.T, got map[string][]float32, want map[string][]float64, tolerance float64) {
	t.Helper()
	_, s := distance(e.x, want["s"])
	_, ds := distance(e.x, e.matrix(e.ds).Data)
	typical := s * ds / math.Sqrt(float64(e.batch*e.length))
	for name, w := range want {
		difference, norm := distance(got[name], w)
		if name != "s" && name != "dx" {
			norm += typical / 5
		}
		if !(difference <= tolerance*norm) {
			t.Errorf("%s differs by %.2g, more than %.2g times %.2g", name, difference, tolerance, norm)
		}
	}
}

// eachEMA runs f under every implementation.
func eachEMA(t *testing.T, f func(t *testing.T)) {
	before := Current()
	defer Use(before)
	for _, i := range Available() {
		if err := Use(i); err != nil {
			t.Fatal(err)
		}
		t.Run(i.String(), f)
	}
}

// emaCases are odd sizes, one channel, length 1, truncations below, at and above
// the length, both directions, both variants, sequences that are divided.
func emaCases(r *rand.Rand) (cases []*emaCase) {
	add := func(d, n, batch, length int, f func(*EMAShape)) {
		shape := EMAShape{Channels: d, States: n}
		f(&shape)
		cases = append(cases, newEMACase(r, shape, batch, length, 0))
	}
	plain := func(*EMAShape) {}
	both := func(s *EMAShape) { s.Bidirectional = true }
	image := func(s *EMAShape) { s.Bidirectional, s.Swapped, s.Shifted = true, true, true }
	truncated := func(k int) func(s *EMAShape) { return func(s *EMAShape) { s.Truncation = k } }
	for n := 1; n <= 17; n++ {
		add(8, n, 1, 9, plain)
	}
	for _, d := range []int{1, 5, 8, 16, 17, 40} {
		add(d, 3, 2, 11, both)
	}
	for _, length := range []int{1, 2, 7, 8, 63, 64, 65, 131} {
		add(3, 2, 1, length, plain)
		add(18, 5, 2, length, image)
	}
	for _, k := range []int{-1, 0, 1, 2, 5, 39, 40, 41} {
		add(9, 6, 2, 40, truncated(k))
		add(9, 16, 1, 40, func(s *EMAShape) { s.Bidirectional, s.Truncation = true, k })
		add(16, 7, 1, 40, func(s *EMAShape) { image(s); s.Truncation = k })
	}
	for _, length := range []int{emaLong - 1, emaLong, emaLong + 3, emaLong + 70} { // whole, and by halves
		add(3, 2, 1, length, both)
		add(2, 5, 1, length, func(s *EMAShape) { s.Bidirectional, s.Truncation = true, emaLong/2+30 })
	}
	add(2, 5, 1, emaLong, image)
	add(2, 64, 1, 20, both)
	add(60, 4, 3, 20, both)
	add(80, 2, 1, 20, plain)
	return cases
}

func (e *emaCase) String() string {
	masked := 0
	for _, m := range e.mask {
		if m {
			masked++
		}
	}
	return fmt.Sprintf("%+v batch %d length %d padding %d", e.shape, e.batch, e.length, masked)
}

// masked returns copies of the case with padding: right, left, scattered, all.
func (e *emaCase) masked(r *rand.Rand) (cases []*emaCase) {
	rules := []func(b, t int) bool{
		func(b, t int) bool { return t >= e.length-e.length/3-b },
		func(b, t int) bool { return t < e.length/3+b },
		func(int, int) bool { return r.IntN(4) == 0 },
		func(int, int) bool { return true },
	}
	for _, rule := range rules {
		c := *e
		c.mask = make([]bool, e.batch*e.length)
		for i := range c.mask {
			c.mask[i] = rule(i/e.length, i%e.length)
		}
		cases = append(cases, &c)
	}
	return cases
}

// Everything is within a few roundings of the float64 convolutions.
func TestEMAMatchesSpecification(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	cases := emaCases(r)
	for i, e := range cases {
		if i%2 == 1 {
			cases = append(cases, e.masked(r)...)
		}
	}
	wants := make([]map[string][]float64, len(cases))
	for i, e := range cases {
		wants[i] = e.specification()
	}
	eachEMA(t, func(t *testing.T) {
		for i, e := range cases {
			if e.compare(t, e.run(), wants[i], 1e-6); t.Failed() {
				t.Fatal(e)
			}
		}
	})
}

// The gradients are also what differences of the float64 convolution give.
func TestEMAGradientByDifferences(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	shape := EMAShape{Channels: 3, States: 2, Bidirectional: true, Truncation: 5}
	e := newEMACase(r, shape, 2, 7, 0).masked(r)[0]
	m := e.model()
	f := func() float64 {
		_, s := e.convolve(m)
		return naive.Dot(s, e.matrix(e.ds)).Data[0]
	}
	want := map[string][]float64{}
	for name, p := range map[string]*naive.Matrix{"delta": m.Delta, "alpha": m.Alpha, "beta": m.Beta, "gamma": m.Gamma, "omega": m.Omega} {
		want[name] = naive.Gradient(f, p.Data, 1e-3)
	}
	_, s := e.convolve(m)
	want["s"] = s.Data
	eachEMA(t, func(t *testing.T) { e.compare(t, e.run(), want, 1e-6) })
}

// The fields are where the assembly looks for them.
func TestEMALayout(t *testing.T) {
	var s emaScan
	var g emaGradient
	var d emaDot
	ahead := unsafe.Offsetof(s.ahead)
	offsets := []uintptr{
		unsafe.Offsetof(s.steps), unsafe.Offsetof(s.lanes), unsafe.Offsetof(s.plain), unsafe.Offsetof(s.lagged),
		unsafe.Offsetof(s.half), unsafe.Offsetof(s.x), unsafe.Offsetof(s.lag),
		unsafe.Offsetof(s.decay), unsafe.Offsetof(s.drift), unsafe.Offsetof(s.lagDecay), unsafe.Offsetof(s.scratch),
		ahead + unsafe.Offsetof(s.ahead.x), ahead + unsafe.Offsetof(s.ahead.y),
		ahead + unsafe.Offsetof(s.ahead.left), ahead + unsafe.Offsetof(s.ahead.lines), ahead + unsafe.Offsetof(s.ahead.gap),
		unsafe.Offsetof(s.from), unsafe.Offsetof(s.y), unsafe.Offsetof(s.scale), unsafe.Offsetof(s.output), unsafe.Offsetof(s.state),
		unsafe.Offsetof(g.ds), unsafe.Offsetof(g.lagSlope), unsafe.Offsetof(g.g), unsafe.Offsetof(g.w), unsafe.Offsetof(g.dc), unsafe.Offsetof(g.dq),
		unsafe.Offsetof(d.x), unsafe.Offsetof(d.ds), unsafe.Offsetof(d.sum),
	}
	want := []uintptr{0, 8, 16, 24, 32, 40, 80, 120, 144, 168, 192, 216, 224, 232, 240, 248, 256, 296, 336, 360, 384, 256, 296, 320, 344, 368, 392, 16, 56, 96}
	if !slices.Equal(offsets, want) {
		t.Errorf("offsets %v, want %v", offsets, want)
	}
}

// Decays and what they are made of have full precision, near 0 and 1 too.
func TestEMADecay(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	const n = 203 // whole registers and some more
	delta, alpha := emaNormal(r, n, 0, 4), emaNormal(r, n, 0, 4)
	copy(delta, []float32{0, 36, -36, 80, -80, 300, 0, float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))})
	copy(alpha, []float32{0, 36, 36, 80, 80, 300, 40, 1, float32(math.Inf(1)), 2})
	run := func(f func(decay, p, a []float64, delta, alpha []float32)) [3][]float64 {
		var v [3][]float64
		for i := range v {
			v[i] = make([]float64, n)
		}
		f(v[0], v[1], v[2], delta, alpha)
		return v
	}
	want := run(emaDecayGeneric)
	eachEMA(t, func(t *testing.T) {
		for k, values := range run(emaDecay) {
			for i, v := range values {
				w := want[k][i]
				if same := math.IsNaN(v) && math.IsNaN(w); !same && !(math.Abs(v-w) <= 1e-15*w+1e-300) {
					t.Errorf("%s of delta %g, alpha %g is %g, want %g", [...]string{"decay", "p", "a"}[k], delta[i], alpha[i], v, w)
				}
			}
		}
	})
}
