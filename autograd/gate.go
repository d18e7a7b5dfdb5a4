package autograd

import (
	"fmt"

	"github.com/mega-go/mega/internal/kernel"
	"github.com/mega-go/mega/tensor"
)

// QueryKey returns s·gamma_0 + beta_0 and s·gamma_1 + beta_1 for s = silu(z),
// z [..., Z] and gamma, beta [2, Z]: queries and keys (paper equations 10-11;
// reference moving_average_gated_attention.py:226-231).
func (t *Tape) QueryKey(z, gamma, beta *Variable) (q, k *Variable) {
	start := t.start()
	n := z.Cols()
	if gamma.Rows() != 2 || gamma.Cols() != n || beta.Rows() != 2 || beta.Cols() != n {
		panic(fmt.Sprintf("autograd: QueryKey of %v by %v and %v", z.shape, gamma.shape, beta.shape))
	}
	out := t.allocCols(z, 2*n)
	t.queryKey(out.value, t.value(z), t.value(gamma), t.value(beta))
	if t.wants(z, gamma, beta) {
		out.recompute = func(dst *tensor.Tensor) { t.queryKey(dst, t.value(z), t.value(gamma), t.value(beta)) }
		t.push("query-key", out, []*Variable{z, gamma, beta}, func() { t.queryKeyGrad(z, gamma, beta, out) })
	}
	t.stop("query-key", start)
	views := t.Split(out, n, n)
	return views[0], views[1]
}

// queryKey sets dst to queries and keys side by side.
func (t *Tape) queryKey(dst, z, gamma, beta *tensor.Tensor) {
	onRows(t, z.Rows(), 4*z.Cols(), operands{dst: dst, a: z, b: gamma, c: beta}, func(o operands, from, to int) {
		rows, n := rowsFrom(o.dst, from), o.a.Cols()
		kernel.SiLUScaleShift(rows, rows[n:], rowsFrom(o.a, from), o.b.Data(), o.c.Data(),
			to-from, n, o.dst.Stride(), o.dst.Stride(), o.a.Stride())
	})
}

func (t *Tape) queryKeyGrad(z, gamma, beta, out *Variable) {
	n := z.Cols()
	x, g, dy := t.value(z), t.value(gamma).Data(), t.outGrad(out)
	dparams := make([]float32, 4*n)
	t.addGrads(func(d []*tensor.Tensor) {
		t.reduceBlocks(dparams, x.Rows(), 4*n, func(part []float32, from, to int) {
			rows := rowsFrom(dy, from)
			kernel.SiLUScaleShiftGrad(rowsFrom(d[0], from), part[:2*n], part[2*n:], rows, rows[n:], rowsFrom(x, from), g,
				to-from, n, d[0].Stride(), dy.Stride(), dy.Stride(), x.Stride())
		})
	}, z)
	t.addGrad(gamma, func(d *tensor.Tensor) { copy(d.Data(), dparams[:2*n]) })
	t.addGrad(beta, func(d *tensor.Tensor) { copy(d.Data(), dparams[2*n:]) })
}

// SiLUMul returns silu(r)·a: the reset gate on what attention found (paper
// equation 13; reference moving_average_gated_attention.py:346).
func (t *Tape) SiLUMul(r, a *Variable) *Variable {
	sameShape("SiLUMul", r, a)
	start := t.start()
	out := t.allocLike(a)
	t.siluMul(out.value, t.value(r), t.value(a))
	if t.wants(r, a) {
		out.recompute = func(dst *tensor.Tensor) { t.siluMul(dst, t.value(r), t.value(a)) }
		t.push("gate", out, []*Variable{r, a}, func() {
			x, y, dy := t.value(r), t.value(a), t.outGrad(out)
			t.addGrads(func(d []*tensor.Tensor) {
				t.eachSpan(5, func(s span) {
					kernel.SiLUMulGrad(s.of(d[0]), s.of(d[1]), s.of(dy), s.of(x), s.of(y))
				}, d[0], d[1], dy, x, y)
			}, r, a)
		})
	}
	t.stop("gate", start)
	return out
}

func (t *Tape) siluMul(dst, r, a *tensor.Tensor) {
	t.elementwise(3, operands{dst: dst, a: r, b: a}, func(o operands, s span) {
		kernel.SiLUMul(s.of(o.dst), s.of(o.a), s.of(o.b))
	})
}

// GatedResidual returns residual + σ(u)·(h − residual): the update gate (paper
// equation 15; reference moving_average_gated_attention.py:349).
func (t *Tape) GatedResidual(residual, u, h *Variable) *Variable {
	sameShape("GatedResidual", residual, u, h)
	start := t.start()
	out := t.allocLike(residual)
	t.elementwise(4, operands{dst: out.value, a: t.value(residual), b: t.value(u), c: t.value(h)}, func(o operands, s span) {
		kernel.GatedResidual(s.of(o.dst), s.of(o.a), s.of(o.b), s.of(o.c))
	})
	if t.wants(residual, u, h) {
		t.push("gate", out, []*Variable{residual, u, h}, func() { t.gatedResidualGrad(residual, u, h, out) })
	}
	t.stop("gate", start)
	return out
}

func (t *Tape) gatedResidualGrad(residual, u, h, out *Variable) {
	x, g, y, dy := t.value(residual), t.value(u), t.value(h), t.outGrad(out)
	t.addGrads(func(d []*tensor.Tensor) {
		t.eachSpan(7, func(s span) {
			kernel.GatedResidualGrad(s.of(d[0]), s.of(d[1]), s.of(d[2]), s.of(dy), s.of(x), s.of(g), s.of(y))
		}, d[0], d[1], d[2], dy, x, g, y)
	}, residual, u, h)
}
