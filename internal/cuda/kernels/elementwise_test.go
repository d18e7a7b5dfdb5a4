package kernels

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/mega-go/mega/internal/kernel"
)

// TestElementwise compares to the last bit.
func TestElementwise(t *testing.T) {
	b := newBench(t)
	for _, n := range sizes {
		x, y := b.normal(n), b.normal(n)
		copy(x, specials)
		if n > 5 {
			slices.Reverse(x[n/2:])
		}
		at, ay := up(b, x), up(b, y)
		want := make([]float32, n)
		check := func(name string, run func(dst Address) error, cpu func()) {
			t.Helper()
			dst := up(b, y)
			b.must(run(dst))
			cpu()
			b.compare(fmt.Sprint(name, n), dst, want, 0)
		}
		check("add", func(dst Address) error { return Add(b, dst, at, ay, n) }, func() { kernel.Add(want, x, y) })
		check("multiply", func(dst Address) error { return Multiply(b, dst, at, ay, n) }, func() { kernel.Mul(want, x, y) })
		check("scale", func(dst Address) error { return Scale(b, dst, at, 1.7, n) }, func() { kernel.Scale(want, x, 1.7) })
		check("fill", func(dst Address) error { return Fill(b, dst, -2.5, n) }, func() { kernel.Fill(want, -2.5) })
		check("add_scaled", func(dst Address) error { return AddScaled(b, dst, at, 0.5, n) }, func() {
			copy(want, y)
			kernel.Axpy(want, 0.5, x)
		})
	}
}

// TestActivations covers the range of each function, to within what the CPU's kernels
// promise (kernel.Activate, kernel.ActivateGrad).
func TestActivations(t *testing.T) {
	b := newBench(t)
	x := slices.Clone(specials)
	for v := float32(-16); v <= 16; v += 0.043 {
		x = append(x, v, v*0.01)
	}
	n := len(x)
	dy, want := b.normal(n), make([]float32, n)
	for f := kernel.Identity; f <= kernel.GELUTanh; f++ {
		dst, at, ady := b.empty(n), up(b, x), up(b, dy)
		e := Ending{Activation: int(f)}
		b.must(e.Apply(b, dst, at, n))
		kernel.Activate(f, want, x)
		b.compare(f.String(), dst, want, 2.5e-7)
		b.must(e.Grad(b, dst, ady, at, n))
		kernel.ActivateGrad(f, want, dy, x)
		for i, d := range dy {
			if got := down[float32](b, dst+Address(4*i), 1)[0]; !near(got, want[i], 4e-7*(1+math.Abs(float64(d)))) {
				t.Errorf("%v'(%v)·%v = %v, want %v", f, x[i], d, got, want[i])
				break
			}
		}
	}
}
