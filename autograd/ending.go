package autograd

import (
	"github.com/mega-go/mega/internal/kernel"
	"github.com/mega-go/mega/tensor"
)

// An Ending is how a layer's result ends: in an activation, and in training in dropout
// of probability Drop, which sets each element to zero or divides it by 1−Drop. The zero
// value changes nothing.
type Ending struct {
	Activation Activation
	Drop       float64
}

// An ending is an Ending with its random numbers.
type ending struct {
	act  Activation
	seed uint64
	p    float32 // 0 where nothing drops out
}

func (t *Tape) ending(e Ending) ending {
	if !t.drops(e.Drop) {
		return ending{act: e.Activation}
	}
	return ending{e.Activation, t.nextSeed(), float32(e.Drop)}
}

// changes reports whether an ending does anything.
func (t *Tape) changes(e Ending) bool { return e.Activation != Identity || t.drops(e.Drop) }

// Activate returns act(x).
func (t *Tape) Activate(act Activation, x *Variable) *Variable {
	return t.Finish(x, Ending{Activation: act})
}

// Dropout sets each element to zero with probability p and divides the others
// by 1−p. Outside training it returns x.
func (t *Tape) Dropout(x *Variable, p float64) *Variable { return t.Finish(x, Ending{Drop: p}) }

// Finish returns what an ending makes of x, which is x itself if it changes nothing.
func (t *Tape) Finish(x *Variable, end Ending) *Variable {
	if !t.changes(end) {
		return x
	}
	return t.finishTo(t.allocLike(x), x, end)
}

// FinishForProducts is Finish for a result that products read, and an x, the result of an
// operation, that nothing else reads. Where the tape records, the products compute the result;
// elsewhere x's memory takes it.
func (t *Tape) FinishForProducts(x *Variable, end Ending) *Variable {
	switch {
	case !t.changes(end):
		return x
	case !t.record:
		return t.finishTo(x, x, end)
	}
	start, name := t.start(), t.nameOf(end)
	e := t.ending(end)
	out := t.deferLike(x, deferral{x: x, end: e})
	t.recordFinish(name, out, x, e)
	t.stop(name, start)
	return out
}

func (t *Tape) finishTo(out, x *Variable, end Ending) *Variable {
	start, name := t.start(), t.nameOf(end)
	e := t.ending(end)
	t.ops.finish(out.value, t.value(x), e)
	if t.wants(x) {
		out.recompute = func(dst *tensor.Tensor) { t.ops.finish(dst, t.value(x), e) }
	}
	t.recordFinish(name, out, x, e)
	t.stop(name, start)
	return out
}

// nameOf returns the operation that an ending is in profiles.
func (t *Tape) nameOf(end Ending) string {
	if t.drops(end.Drop) {
		return "dropout"
	}
	return "activate"
}

func (t *Tape) recordFinish(name string, out, x *Variable, e ending) {
	if t.wants(x) {
		t.push(name, out, []*Variable{x}, func() { t.finishGrad(x, t.outGrad(out), e) })
	}
}

// finishGrad passes the gradient dy of what e makes of x on to x.
func (t *Tape) finishGrad(x *Variable, dy *tensor.Tensor, e ending) {
	t.addGrad(x, func(dx *tensor.Tensor) {
		var before *tensor.Tensor
		if e.act != Identity {
			before = t.value(x)
		}
		t.ops.finishGrad(dx, dy, before, e)
	})
}

// AddFinished returns residual plus what an ending makes of x.
func (t *Tape) AddFinished(residual, x *Variable, end Ending) *Variable {
	if !t.changes(end) {
		return t.Add(x, residual)
	}
	sameShape("AddFinished", residual, x)
	start := t.start()
	e := t.ending(end)
	out := t.allocLike(x)
	t.ops.addFinished(out.value, t.value(residual), t.value(x), e)
	if t.wants(residual, x) {
		t.recordAdd(residual, x, out, e)
	}
	t.stop("add", start)
	return out
}

func (t *Tape) recordAdd(residual, x, out *Variable, e ending) {
	var reads []*Variable
	if e.act != Identity {
		reads = append(reads, x)
	}
	t.push("add", out, reads, func() {
		t.finishGrad(x, t.outGrad(out), e)
		t.passGrad(residual, out)
	})
}

// of returns what the ending makes of x, whose first number is that of a word of the
// seed: in dst, or x itself if it changes nothing.
func (e ending) of(dst, x []float32, word uint64) []float32 {
	if e.act != Identity {
		kernel.Activate(e.act, dst, x)
		x = dst
	}
	if e.p > 0 {
		kernel.Dropout(dst, x, e.seed, word, e.p)
		x = dst
	}
	return x
}

// changes reports whether the ending does anything.
func (e ending) changes() bool { return e.act != Identity || e.p > 0 }

// rectangle sets part of dst to what the ending makes of x's, and returns dst; it returns x if the
// ending changes nothing.
func (e ending) rectangle(dst, x *tensor.Tensor, r rectangle) *tensor.Tensor {
	if !e.changes() {
		return x
	}
	r = r.joined(dst, x)
	for n := range r.rows {
		e.of(r.of(dst, n), r.of(x, n), r.word(x, n))
	}
	return dst
}

// grad sets dx to the gradient of x given that of what of returns. dx may be dy.
func (e ending) grad(dx, dy, x []float32, word uint64) {
	if e.p > 0 {
		kernel.Dropout(dx, dy, e.seed, word, e.p)
		dy = dx
	}
	if e.act != Identity {
		kernel.ActivateGrad(e.act, dx, dy, x)
	}
}

func (h *host) finish(dst, x *tensor.Tensor, e ending) {
	h.tape().elementwise(2, operands{dst: dst, a: x, end: e}, func(o operands, s span) {
		o.end.of(s.of(o.dst), s.of(o.a), s.word(o.a))
	})
}

func (h *host) finishGrad(dx, dy, x *tensor.Tensor, e ending) {
	if x == nil {
		x = dy // which nothing reads
	}
	h.tape().eachSpan(3, func(s span) { e.grad(s.of(dx), s.of(dy), s.of(x), s.word(dy)) }, dx, dy, x)
}

func (h *host) addFinished(dst, a, x *tensor.Tensor, e ending) {
	h.then(following{dst: dst, h: x, residual: a, end: e}, 3)
}
