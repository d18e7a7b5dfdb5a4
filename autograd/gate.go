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
	t.ops.queryKey(out.value, t.value(z), t.value(gamma), t.value(beta))
	if t.wants(z, gamma, beta) {
		out.recompute = func(dst *tensor.Tensor) { t.ops.queryKey(dst, t.value(z), t.value(gamma), t.value(beta)) }
		t.push("query-key", out, []*Variable{z, gamma, beta}, func() {
			dy := t.outGrad(out)
			t.addGrads(func(d []*tensor.Tensor) {
				t.ops.queryKeyGrad(d[0], d[1], d[2], dy, t.value(z), t.value(gamma))
			}, z, gamma, beta)
		})
	}
	t.stop("query-key", start)
	views := t.Split(out, n, n)
	return views[0], views[1]
}

// queryKey sets dst to queries and keys side by side.
func (h *host) queryKey(dst, z, gamma, beta *tensor.Tensor) {
	onRows(h.tape(), z.Rows(), 4*z.Cols(), operands{dst: dst, a: z, b: gamma, c: beta}, func(o operands, from, to int) {
		rows, n := rowsFrom(o.dst, from), o.a.Cols()
		kernel.SiLUScaleShift(rows, rows[n:], rowsFrom(o.a, from), o.b.Data(), o.c.Data(),
			to-from, n, o.dst.Stride(), o.dst.Stride(), o.a.Stride())
	})
}

func (h *host) queryKeyGrad(dz, dgamma, dbeta, dy, z, gamma *tensor.Tensor) {
	n, g := z.Cols(), gamma.Data()
	dparams := make([]float32, 4*n)
	h.tape().reduceBlocks(dparams, z.Rows(), 4*n, func(part []float32, from, to int) {
		rows := rowsFrom(dy, from)
		kernel.SiLUScaleShiftGrad(rowsFrom(dz, from), part[:2*n], part[2*n:], rows, rows[n:], rowsFrom(z, from), g,
			to-from, n, dz.Stride(), dy.Stride(), dy.Stride(), z.Stride())
	})
	copy(dgamma.Data(), dparams[:2*n])
	copy(dbeta.Data(), dparams[2*n:])
}

// SiLUMul returns silu(r)·a: the reset gate on what attention found (paper
// equation 13; reference moving_average_gated_attention.py:346). Who reads the result
// computes it, such as a product: r and a have to keep their values until then.
func (t *Tape) SiLUMul(r, a *Variable) *Variable {
	sameShape("SiLUMul", r, a)
	start := t.start()
	out := t.deferLike(a, deferral{x: a, gate: r})
	if t.wants(r, a) {
		t.push("gate", out, []*Variable{r, a}, func() {
			x, y, dy := t.value(r), t.value(a), t.outGrad(out)
			t.addGrads(func(d []*tensor.Tensor) { t.ops.siluMulGrad(d[0], d[1], dy, x, y) }, r, a)
		})
	}
	t.stop("gate", start)
	return out
}

func (h *host) siluMul(dst, r, a *tensor.Tensor) {
	h.tape().elementwise(3, operands{dst: dst, a: r, b: a}, func(o operands, s span) {
		kernel.SiLUMul(s.of(o.dst), s.of(o.a), s.of(o.b))
	})
}

func (h *host) siluMulGrad(dr, da, dy, r, a *tensor.Tensor) {
	h.tape().eachSpan(5, func(s span) {
		kernel.SiLUMulGrad(s.of(dr), s.of(da), s.of(dy), s.of(r), s.of(a))
	}, dr, da, dy, r, a)
}

// GatedResidual returns residual + σ(u)·(h' − residual), where h' is what Finish makes of h
// by the given ending: the update gate (paper equation 15; reference
// moving_average_gated_attention.py:345-349).
func (t *Tape) GatedResidual(residual, u, h *Variable, end Ending) *Variable {
	sameShape("GatedResidual", residual, u, h)
	start := t.start()
	e := t.ending(end)
	out := t.allocLike(residual)
	t.ops.gatedResidual(out.value, t.value(residual), t.value(u), t.value(h), e)
	if t.wants(residual, u, h) {
		t.recordGate(residual, u, h, out, e)
	}
	t.stop("gate", start)
	return out
}

func (t *Tape) recordGate(residual, u, h, out *Variable, e ending) {
	t.push("gate", out, []*Variable{residual, u, h}, func() {
		x, g, y, dy := t.value(residual), t.value(u), t.value(h), t.outGrad(out)
		t.addGrads(func(d []*tensor.Tensor) { t.ops.gatedResidualGrad(d[0], d[1], d[2], dy, x, g, y, e) }, residual, u, h)
	})
}

func (h *host) gatedResidual(dst, residual, u, y *tensor.Tensor, e ending) {
	h.then(following{dst: dst, h: y, residual: residual, u: u, end: e}, 4)
}

func (h *host) gatedResidualGrad(dresidual, du, dh, dy, residual, u, y *tensor.Tensor, e ending) {
	h.tape().eachBlock(dy.Rows(), 7*dy.Cols(), func(_, from, to int) {
		finished := e.rectangle(dh, y, rectangle{from, 0, to - from, y.Cols()})
		eachStretch(from, to, func(s span) {
			kernel.GatedResidualGrad(s.of(dresidual), s.of(du), s.of(dh), s.of(dy), s.of(residual), s.of(u), s.of(finished))
		}, dresidual, du, dh, dy, residual, u, finished)
		eachStretch(from, to, func(s span) { e.grad(s.of(dh), s.of(dh), s.of(y), s.word(y)) }, dh, y)
	})
}
