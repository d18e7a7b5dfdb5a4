package autograd

import (
	"github.com/mega-go/mega/internal/kernel"
	"github.com/mega-go/mega/tensor"
)

// A deferral is an elementwise operation that waits for whoever reads its result. A product
// computes the numbers where it reads them, while they are in a core's cache, so that the
// result takes no memory; anything else computes all of them first. Tensors of many megabytes
// are bound by memory, and an operation of its own would write one for the product to read.
//
// A device's operations are not deferred: its products read what they multiply from memory.
// Nor are those whose operands need no gradient, for they may be gone when backward comes.
type deferral struct {
	tape *Tape
	x    *Variable // nil where nothing is deferred
	gate *Variable // the result is silu(gate)·x, or what end makes of x if this is nil
	end  ending

	products int  // that have read the result, or another value that the variable has
	whole    bool // whether other operations have

	values struct{ x, gate *tensor.Tensor } // while a product reads them
}

// Defers reports whether FinishForProducts leaves its work to products.
func (t *Tape) Defers() bool { return t.record && t.device == nil }

// deferLike returns a variable of x's shape for the result of an operation on x, which d
// describes and which is deferred where it can be.
func (t *Tape) deferLike(x *Variable, d deferral) *Variable {
	d.tape = t
	if wants := t.wants(d.x, d.gate); t.device != nil || t.record && !wants {
		return t.computeLike(x, d, wants)
	}
	out := t.variable()
	out.own.SetColumns(t.value(x), 0, x.Cols()) // for its shape
	out.value, out.shape, out.later = nil, out.own.Shape(), d
	return out
}

// computeLike computes what deferLike would defer, and again in backward if it is needed there.
func (t *Tape) computeLike(x *Variable, d deferral, again bool) *Variable {
	out := t.allocLike(x)
	t.deferred(out.value, &d)
	if again {
		out.recompute = func(dst *tensor.Tensor) { t.deferred(dst, &d) }
	}
	return out
}

// deferred computes a whole result.
func (t *Tape) deferred(dst *tensor.Tensor, d *deferral) {
	if d.gate != nil {
		t.ops.siluMul(dst, t.value(d.gate), t.value(d.x))
		return
	}
	t.ops.finish(dst, t.value(d.x), d.end)
}

// maker returns what makes x for a product, nil if x has a value.
func (t *Tape) maker(x *Variable) kernel.Maker {
	d := &x.later
	if x.value != nil || d.x == nil {
		return nil
	}
	d.values.x, d.values.gate = t.value(d.x), t.optional(d.gate)
	return d
}

// valueNow computes the value of a v that is deferred.
func (t *Tape) valueNow(v *Variable) *tensor.Tensor {
	t.pool.FillLike(&v.own, t.value(v.later.x), v.Cols())
	v.value = &v.own
	t.deferred(v.value, &v.later)
	return v.value
}

// Make makes part of the result (see kernel.Maker).
func (d *deferral) Make(dst []float32, stride, i, j, rows, cols int) {
	x, gate, r := d.values.x, d.values.gate, rectangle{i, j, rows, cols}
	if stride == cols {
		r = r.joined(x, gate)
	}
	for n := range r.rows {
		to := dst[n*stride:][:r.cols]
		if gate != nil {
			kernel.SiLUMul(to, r.of(gate, n), r.of(x, n))
		} else {
			d.end.of(to, r.of(x, n), r.word(x, n))
		}
	}
}

// Ahead returns what is far apart in memory of what Make reads (see kernel.Maker).
func (d *deferral) Ahead(i, rows int) []float32 {
	x := d.values.x
	if d.gate != nil {
		x = d.values.gate
	}
	return x.Data()[i*x.Stride():][:(rows-1)*x.Stride()+x.Cols()]
}

// A deferredGrad takes the gradient of a deferral's result, a rectangle at a time as a
// product finishes it, from dx, and sets dx and dgate to those of its operands.
type deferredGrad struct {
	of        deferral
	dx, dgate *tensor.Tensor
}

// Finish passes part of the gradient on (see kernel.Finisher).
func (g *deferredGrad) Finish(i, j, rows, cols int) {
	x, gate := g.of.values.x, g.of.values.gate
	r := rectangle{i, j, rows, cols}.joined(x, gate, g.dx, g.dgate)
	for n := range r.rows {
		dx := r.of(g.dx, n)
		if gate != nil {
			kernel.SiLUMulGrad(r.of(g.dgate, n), dx, dx, r.of(gate, n), r.of(x, n))
		} else {
			g.of.end.grad(dx, dx, r.of(x, n), r.word(x, n))
		}
	}
}

// multiplyGrad computes the gradient dpre·w of a product's factor x, adding it to what x has.
func (t *Tape) multiplyGrad(x *Variable, dpre *tensor.Tensor, w *Variable) {
	if g := t.deferredGrad(x); g != nil {
		t.ops.multiply(g.dx, dpre, t.value(w), plain, epilogue{then: g})
		return
	}
	dx, accumulate := t.grad(x)
	t.ops.multiply(dx, dpre, t.value(w), plain, addTo(dx, accumulate))
}

// deferredGrad returns what passes the gradient of x straight on to the operands of the
// operation that x is deferred by. It returns nil if there is none, if gradients are to be
// added, or if one product is not all that has read x: then x collects its own, and its
// operation's backward passes that on.
func (t *Tape) deferredGrad(x *Variable) *deferredGrad {
	d := &x.later
	if d.x == nil || d.products != 1 || d.whole || d.x == d.gate || !d.x.first() || d.gate != nil && !d.gate.first() {
		return nil
	}
	g := &deferredGrad{of: *d}
	g.of.values.x = t.value(d.x)
	g.dx, _ = t.grad(d.x)
	if d.gate != nil {
		g.of.values.gate = t.value(d.gate)
		g.dgate, _ = t.grad(d.gate)
	}
	return g
}

// first reports whether v wants a gradient and has none yet.
func (v *Variable) first() bool { return v.needs && !v.hasGrad }
