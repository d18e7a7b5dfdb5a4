package kernel

import (
	"fmt"
	"math"
	"strings"
	"testing"
)

// A function is a kernel of one argument and what it should be in float64, with
// the error that its documentation allows: rel of the value and abs beside it.
type function struct {
	name     string
	run      func(dst, x []float32)
	want     func(x float64) float64
	rel, abs float64
}

// flushed is an absolute error for functions that return 0 where the exponential
// in them would be less.
const flushed = 2e-38

func functions() []function {
	all := []function{{"exp", Exp, math.Exp, 1.2e-7, flushed}}
	bounds := map[Activation][4]float64{ // value and derivative
		Identity: {0, 0, 0, 0},
		Sigmoid:  {2e-7, flushed, 3e-7, flushed},
		SiLU:     {2e-7, 100 * flushed, 2e-7, 5e-8},
		GELU:     {1e-7, 1e-7, 1e-7, 1e-7},
		ReLU:     {0, 0, 0, 0},
		ReLU2:    {6e-8, flushed, 0, 0},
		Tanh:     {2e-7, 0, 3e-7, 4 * flushed},
		Laplace:  {0, 1e-7, 0, 3e-7},
		GELUTanh: {1e-7, 1e-7, 1e-7, 1e-7},
	}
	for a := Identity; a <= GELUTanh; a++ {
		b := bounds[a]
		all = append(all,
			function{a.String(), func(dst, x []float32) { Activate(a, dst, x) }, a.value, b[0], b[1]},
			function{a.String() + "Grad", func(dst, x []float32) {
				dy := make([]float32, len(x))
				Fill(dy, 1)
				ActivateGrad(a, dst, dy, x)
			}, a.derivative, b[2], b[3]})
	}
	return all
}

// sweep returns float32s all over the line: a sixteen-thousandth of all bit
// patterns, a dense grid of everyday values, and the edges.
func sweep() []float32 {
	x := []float32{0, float32(math.Copysign(0, -1)), 1e-45, -1e-45, 1e-38, -1e-38, 1.1754944e-38,
		math.MaxFloat32, -math.MaxFloat32, 88.72283, 88.72284, -87.33655, -103.97, 88, -88, 13, -13, 1, -1}
	for b := uint64(1); b < 1<<32; b += 16001 {
		if v := math.Float32frombits(uint32(b)); !math.IsNaN(float64(v)) && !math.IsInf(float64(v), 0) {
			x = append(x, v)
		}
	}
	for i := -100000; i <= 100000; i++ {
		x = append(x, float32(i)/4000+1e-6)
	}
	return x
}

// TestFunctionAccuracy holds every function to its bound over the whole line.
func TestFunctionAccuracy(t *testing.T) {
	x := sweep()
	dst := make([]float32, len(x))
	eachVec(t, func(t *testing.T) {
		for _, f := range functions() {
			f.run(dst, x)
			worst, at := 0.0, float32(0)
			for i, v := range x {
				want := f.want(float64(v))
				if float32(want) == dst[i] || math.Abs(want) > math.MaxFloat32 && math.IsInf(float64(dst[i]), 0) {
					continue
				}
				e := math.Abs(float64(dst[i])-want) / (f.rel*math.Abs(want) + f.abs)
				if !(e <= worst) {
					worst, at = e, v
				}
			}
			t.Logf("%-18s error %.2f of the bound, at x = %g", f.name, worst, at)
			if !(worst <= 1) {
				f.run(dst[:1], []float32{at})
				t.Errorf("%s(%g) = %g, want %g", f.name, at, dst[0], f.want(float64(at)))
			}
		}
	})
}

// TestFunctionsOfSpecials checks NaN, and infinities where the limit exists.
func TestFunctionsOfSpecials(t *testing.T) {
	inf := float32(math.Inf(1))
	limits := map[string][2]float32{ // at -Inf and +Inf
		"exp": {0, inf}, "sigmoid": {0, 1}, "tanh": {-1, 1}, "laplace": {0, 1},
		"sigmoidGrad": {0, 0}, "tanhGrad": {0, 0}, "laplaceGrad": {0, 0}, "siluGrad": {0, 1}, "geluGrad": {0, 1},
		"gelu_accurateGrad": {0, 1}, "relu": {0, inf}, "relu2": {0, inf}, "reluGrad": {0, 1}, "relu2Grad": {0, inf},
		"linear": {-inf, inf}, "linearGrad": {1, 1},
	}
	eachVec(t, func(t *testing.T) {
		for _, f := range functions() {
			x := []float32{-inf, inf, float32(math.NaN())}
			dst := make([]float32, len(x))
			f.run(dst, x)
			if want, ok := limits[f.name]; ok {
				for i, w := range want {
					if dst[i] != w && math.Abs(float64(dst[i]-w)) > 1e-30 {
						t.Errorf("%s(%g) = %g, want %g", f.name, x[i], dst[i], w)
					}
				}
			} else if dst[1] != inf { // silu, gelu
				t.Errorf("%s(+Inf) = %g", f.name, dst[1])
			}
			constant := f.name == "linearGrad" || f.name == "reluGrad"
			if got := dst[2]; got == got != constant {
				t.Errorf("%s(NaN) = %g", f.name, got)
			}
		}
	})
}

func TestParseActivation(t *testing.T) {
	for a := Identity; a <= GELUTanh; a++ {
		got, err := ParseActivation(a.String())
		if err != nil || got != a {
			t.Errorf("ParseActivation(%q) = %v, %v", a.String(), got, err)
		}
	}
	if a, err := ParseActivation("gelu_fast"); a != GELUTanh || err != nil {
		t.Errorf("gelu_fast: %v, %v", a, err)
	}
	_, err := ParseActivation("swish")
	if err == nil || !strings.Contains(err.Error(), `"swish"`) || !strings.Contains(err.Error(), "silu") {
		t.Errorf("an unknown name gave %v", err)
	}
	if s := Activation(99).String(); s != "Activation(99)" {
		t.Error(s)
	}
}

func BenchmarkActivate(b *testing.B) {
	x, y := make([]float32, 8192), make([]float32, 8192)
	for i := range x {
		x[i] = float32(i%2000)/100 - 10
	}
	for _, f := range functions() {
		benchVec(b, f.name, len(x), func() { f.run(y, x) })
	}
}

// benchVec runs f under every implementation and reports its time by element.
func benchVec(b *testing.B, name string, n int, f func()) {
	for _, i := range Available() {
		b.Run(fmt.Sprintf("%s/%v", name, i), func(b *testing.B) {
			defer Use(Current())
			Use(i)
			for b.Loop() {
				f()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/elt")
		})
	}
}

// eachVec runs f under every implementation by name.
func eachVec(t *testing.T, f func(t *testing.T)) {
	before := Current()
	t.Cleanup(func() { Use(before) })
	for _, i := range Available() {
		t.Run(i.String(), func(t *testing.T) {
			if err := Use(i); err != nil {
				t.Fatal(err)
			}
			f(t)
		})
	}
}
