package kernels

import (
	"fmt"
	"testing"

	"github.com/mega-go/mega/internal/kernel"
)

// TestDropout compares which elements fall to the last one, at sizes that begin and end
// inside groups of random words.
func TestDropout(t *testing.T) {
	b := newBench(t)
	for _, n := range []int{0, 1, 16, 63, 64, 65, 1000, 4200} {
		x, want := b.normal(n), make([]float32, n)
		copy(x, specials)
		dst, seed := b.empty(n), b.r.Uint64()
		e := Ending{Dropout: Dropout{up(b, []uint64{seed}), 0.3}}
		b.must(e.Apply(b, dst, up(b, x), n))
		kernel.Dropout(want, x, seed, 0, 0.3)
		b.compare(fmt.Sprint("dropout ", n), dst, want, 0)
		b.must(e.Grad(b, dst, up(b, x), 0, n))
		b.compare(fmt.Sprint("gradient of dropout ", n), dst, want, 0)
	}
}

// TestGates holds gates and their gradients against the CPU's.
func TestGates(t *testing.T) {
	b := newBench(t)
	const rows, cols = 15, 20
	const n = rows * cols
	r, u, h, dout := b.normal(n), b.normal(n), b.normal(n), b.normal(n)
	copy(u, []float32{50, -50, 100, -100})
	flat := func(at Address) Rows { return Rows{at, cols} }
	ar, au, ah, ad := flat(up(b, r)), flat(up(b, u)), flat(up(b, h)), flat(up(b, dout))
	out, dr, du, dh := flat(b.empty(n)), flat(b.empty(n)), flat(b.empty(n)), flat(b.empty(n))
	wr, wu, wh := make([]float32, n), make([]float32, n), make([]float32, n)
	b.must(Ending{}.GatedResidual(b, out, ar, au, ah, rows, cols))
	kernel.GatedResidual(wr, r, u, h)
	b.compare("gated residual", out.At, wr, 4e-7)
	b.must(Ending{}.GatedResidualGrad(b, dr, du, dh, ad, ar, au, ah, rows, cols))
	kernel.GatedResidualGrad(wr, wu, wh, dout, r, u, h)
	b.compare("dr", dr.At, wr, 4e-7)
	b.compare("du", du.At, wu, 6e-7)
	b.compare("dh", dh.At, wh, 4e-7)
	b.must(SiLUMultiply(b, out, au, ar, rows, cols))
	kernel.SiLUMul(wr, u, r)
	b.compare("silu multiply", out.At, wr, 4e-7)
	b.must(SiLUMultiplyGrad(b, dr, du, ad, au, ar, rows, cols))
	kernel.SiLUMulGrad(wr, wu, dout, u, r)
	b.compare("dr of silu multiply", dr.At, wr, 2e-6)
	b.compare("da of silu multiply", du.At, wu, 4e-7)
}

// TestGatesApart holds that gates compute the same bits of rows that lie apart, and write
// nothing between them.
func TestGatesApart(t *testing.T) {
	b := newBench(t)
	const rows, cols = 7, 13
	var near, apart [7]Rows // three results, and what they are made from
	for i := range near {
		x, stride := b.normal(rows*cols), cols+i%4
		wide := b.normal(rows * stride)
		for r := range rows {
			copy(wide[r*stride:], x[r*cols:][:cols])
		}
		near[i], apart[i] = Rows{up(b, x), cols}, Rows{up(b, wide), stride}
	}
	e := Ending{int(kernel.SiLU), Dropout{up(b, []uint64{7}), 0.3}}
	for name, run := range map[string]func(x [7]Rows) error{
		"gate": func(x [7]Rows) error { return e.GatedResidual(b, x[1], x[3], x[4], x[5], rows, cols) },
		"gradient of the gate": func(x [7]Rows) error {
			return e.GatedResidualGrad(b, x[0], x[1], x[2], x[3], x[4], x[5], x[6], rows, cols)
		},
		"reset gate":                 func(x [7]Rows) error { return SiLUMultiply(b, x[1], x[3], x[4], rows, cols) },
		"gradient of the reset gate": func(x [7]Rows) error { return SiLUMultiplyGrad(b, x[1], x[2], x[3], x[4], x[5], rows, cols) },
	} {
		var between [3][]float32
		for i := range between {
			between[i] = down[float32](b, apart[i].At, rows*apart[i].LD)
		}
		b.must(run(near))
		b.must(run(apart))
		for i, wide := range between {
			for r := range rows {
				copy(wide[r*apart[i].LD:], down[float32](b, near[i].At+Address(4*r*cols), cols))
			}
			b.compare(fmt.Sprintf("%s, result %d", name, i), apart[i].At, wide, 0)
		}
	}
}

// TestEndings holds activations and dropout that are in one kernel with a gate or a sum, or
// with each other, to the last bit against one kernel after the other.
func TestEndings(t *testing.T) {
	b := newBench(t)
	seed := up(b, []uint64{b.r.Uint64()})
	for _, n := range []int{1, 63, 64, 65, 300} {
		r, u, dout := up(b, b.normal(n)), up(b, b.normal(n)), up(b, b.normal(n))
		numbers := b.normal(n)
		copy(numbers, specials)
		y := up(b, numbers)
		for f := kernel.Identity; f <= kernel.GELUTanh; f++ {
			for _, drop := range []Ending{{}, {Dropout: Dropout{seed, 0.3}}} {
				name := fmt.Sprintf("%d numbers, %v, dropout %v: ", n, f, drop.P)
				active := Ending{Activation: int(f)}
				e := Ending{active.Activation, drop.Dropout}
				act, h, want := b.empty(n), b.empty(n), b.empty(n)
				b.must(active.Apply(b, act, y, n))
				b.must(drop.Apply(b, h, act, n))
				same := func(what string, got, want Address) {
					t.Helper()
					b.compare(name+what, got, down[float32](b, want, n), 0)
				}
				got := b.empty(n)
				b.must(e.Apply(b, got, y, n))
				same("apply", got, h)

				b.must(Add(b, want, h, r, n))
				b.must(e.Add(b, got, r, y, n))
				same("add", got, want)

				b.must(drop.Apply(b, want, dout, n))
				b.must(active.Grad(b, want, want, y, n))
				b.must(e.Grad(b, got, dout, y, n))
				same("gradient", got, want)

				flat := func(at Address) Rows { return Rows{at, n} }
				b.must(Ending{}.GatedResidual(b, flat(want), flat(r), flat(u), flat(h), 1, n))
				b.must(e.GatedResidual(b, flat(got), flat(r), flat(u), flat(y), 1, n))
				same("gate", got, want)

				var g, w [3]Address
				for i := range g {
					g[i], w[i] = b.empty(n), b.empty(n)
				}
				b.must(Ending{}.GatedResidualGrad(b, flat(w[0]), flat(w[1]), flat(w[2]), flat(dout), flat(r), flat(u), flat(h), 1, n))
				b.must(drop.Apply(b, w[2], w[2], n))
				b.must(active.Grad(b, w[2], w[2], y, n))
				b.must(e.GatedResidualGrad(b, flat(g[0]), flat(g[1]), flat(g[2]), flat(dout), flat(r), flat(u), flat(y), 1, n))
				for i, what := range []string{"dr", "du", "dy"} {
					same(what, g[i], w[i])
				}
			}
		}
	}
}

// TestNormsWithDropout holds norms that are followed by dropout, to the last bit, against
// dropout by itself after the norm, and before its gradients.
func TestNormsWithDropout(t *testing.T) {
	b := newBench(t)
	const rows, cols, eps = 9, 45, 1e-5
	x, dy, weight, bias := up(b, b.normal(rows*cols)), up(b, b.normal(rows*cols)), up(b, b.normal(cols)), up(b, b.normal(cols))
	drop := Dropout{up(b, []uint64{b.r.Uint64()}), 0.3}
	e := Ending{Dropout: drop}
	mean, rstd, parts := b.empty(rows), b.empty(rows), b.empty(2*Parts(rows)*cols)
	y, want, dropped := b.empty(rows*cols), b.empty(rows*cols), b.empty(rows*cols)
	b.must(e.Apply(b, dropped, dy, rows*cols))
	same := func(name string, got Address, n int) {
		t.Helper()
		b.compare(name, got, down[float32](b, want, n), 0)
	}
	b.must(LayerNorm(b, want, x, weight, bias, mean, rstd, rows, cols, cols, cols, eps, Dropout{}))
	b.must(e.Apply(b, want, want, rows*cols))
	b.must(LayerNorm(b, y, x, weight, bias, mean, rstd, rows, cols, cols, cols, eps, drop))
	same("layer norm", y, rows*cols)
	b.must(LayerNormGrad(b, want, dropped, x, weight, mean, rstd, rows, cols, cols, cols, cols, false, Dropout{}))
	b.must(LayerNormGrad(b, y, dy, x, weight, mean, rstd, rows, cols, cols, cols, cols, false, drop))
	same("dx of layer norm", y, rows*cols)
	biases, wantBiases := b.empty(cols), b.empty(cols)
	b.must(NormWeightGrad(b, want, wantBiases, dropped, x, mean, rstd, parts, rows, cols, cols, cols, Dropout{}))
	b.must(NormWeightGrad(b, y, biases, dy, x, mean, rstd, parts, rows, cols, cols, cols, drop))
	same("dweight of layer norm", y, cols)
	b.compare("dbias of layer norm", biases, down[float32](b, wantBiases, cols), 0)
	for _, one := range []bool{false, true} {
		b.must(RMSNorm(b, want, x, weight, one, rstd, rows, cols, cols, cols, eps, Dropout{}))
		b.must(e.Apply(b, want, want, rows*cols))
		b.must(RMSNorm(b, y, x, weight, one, rstd, rows, cols, cols, cols, eps, drop))
		same("rms norm", y, rows*cols)
		b.must(RMSNormGrad(b, want, dropped, x, weight, one, rstd, rows, cols, cols, cols, cols, false, Dropout{}))
		b.must(RMSNormGrad(b, y, dy, x, weight, one, rstd, rows, cols, cols, cols, cols, false, drop))
		same("dx of rms norm", y, rows*cols)
	}
	b.must(NormScaleGrad(b, want, dropped, x, rstd, parts, rows, cols, cols, cols, Dropout{}))
	b.must(NormScaleGrad(b, y, dy, x, rstd, parts, rows, cols, cols, cols, drop))
	same("dscale", y, 1)
}
