package autograd

import (
	"github.com/mega-go/mega/internal/kernel"
	"github.com/mega-go/mega/tensor"
)

// LinearFinish is Finish of Linear's result.
func (t *Tape) LinearFinish(x, w, b *Variable, end Ending) *Variable {
	if t.device != nil || !t.changes(end) {
		return t.Finish(t.Linear(x, w, b, Identity), end)
	}
	start := t.start()
	out, e := t.allocCols(x, w.Rows()), t.ending(end)
	h := t.multiplyThen(following{dst: out.value, end: e}, t.wants(x, w, b), nil, x, w, b)
	if h != nil {
		out.recompute = func(dst *tensor.Tensor) { t.ops.finish(dst, t.value(h), e) }
		t.recordFinish(t.nameOf(end), out, h, e)
	}
	t.stop("linear", start)
	return out
}

// LinearResidual is AddFinished with Linear's result.
func (t *Tape) LinearResidual(residual, x, w, b *Variable, end Ending) *Variable {
	switch {
	case !t.changes(end):
		return t.LinearAdd(residual, x, w, b, Identity)
	case t.device != nil || end.Activation != Identity: // backward reads what is activated
		return t.AddFinished(residual, t.Linear(x, w, b, Identity), end)
	}
	start := t.start()
	out, e := t.allocCols(x, w.Rows()), t.ending(end)
	sameShape("LinearResidual", residual, out)
	t.multiplyThen(following{dst: out.value, residual: t.value(residual), end: e}, false, nil, x, w, b)
	if t.wants(residual, x, w, b) {
		h := t.variable()
		h.value, h.shape = nil, out.shape // it has a gradient only
		if t.wants(x, w, b) {
			t.recordLinear(nil, x, w, b, h, nil, Identity)
		}
		t.recordAdd(residual, h, out, e)
	}
	t.stop("linear", start)
	return out
}

// LinearGate is GatedResidual with h = base + x wᵀ + b, of which base and b may be nil
// (LinearAdd).
func (t *Tape) LinearGate(residual, u, base, x, w, b *Variable, end Ending) *Variable {
	if t.device != nil {
		return t.GatedResidual(residual, u, t.LinearAdd(base, x, w, b, Identity), end)
	}
	start := t.start()
	out, e := t.allocCols(x, w.Rows()), t.ending(end)
	sameShape("LinearGate", residual, u, out)
	f := following{dst: out.value, residual: t.value(residual), u: t.value(u), end: e}
	h := t.multiplyThen(f, t.wants(residual, u, base, x, w, b), base, x, w, b)
	if h != nil {
		t.recordGate(residual, u, h, out, e)
	}
	t.stop("linear", start)
	return out
}

// A following is what follows a product, a rectangle at a time as the product finishes it (see
// kernel.Finisher): dst becomes what the ending makes of h, a residual and that, or the update
// gate between them. h may be dst.
type following struct {
	dst, h      *tensor.Tensor
	residual, u *tensor.Tensor // nil if there is none
	end         ending
}

// multiplyThen computes h = base + x wᵀ + b and what follows it. It returns h if backward is to
// read it, and records the product if that has one; otherwise dst's memory takes h.
func (t *Tape) multiplyThen(f following, record bool, base, x, w, b *Variable) (h *Variable) {
	f.h = f.dst
	if record {
		h = t.allocCols(x, w.Rows())
		f.h = h.value
	}
	t.follow = f
	t.multiplyBy(f.h, x, w, epilogue{base: t.optional(base), bias: t.optional(b), then: &t.follow})
	t.follow = following{}
	if record && t.wants(base, x, w, b) {
		t.recordLinear(base, x, w, b, h, nil, Identity)
	}
	return h
}

// Finish computes part of dst.
func (f *following) Finish(i, j, rows, cols int) {
	r := rectangle{i, j, rows, cols}
	h := f.end.rectangle(f.dst, f.h, r)
	if f.residual == nil {
		return
	}
	r = r.joined(f.dst, f.residual, f.u, h)
	for n := range r.rows {
		if f.u != nil {
			kernel.GatedResidual(r.of(f.dst, n), r.of(f.residual, n), r.of(f.u, n), r.of(h, n))
		} else {
			kernel.Add(r.of(f.dst, n), r.of(f.residual, n), r.of(h, n))
		}
	}
}

// then computes all of dst where h is there already, in cost passes over memory.
func (h *host) then(f following, cost int) {
	onRows(h.tape(), f.dst.Rows(), cost*f.dst.Cols(), f, func(f following, from, to int) {
		f.Finish(from, 0, to-from, f.dst.Cols())
	})
}
