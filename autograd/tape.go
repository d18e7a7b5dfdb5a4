package autograd

import (
	"fmt"
	"slices"
	"time"

	"github.com/mega-go/mega/internal/kernel"
	"github.com/mega-go/mega/internal/parallel"
	"github.com/mega-go/mega/tensor"
)

// A Tape runs operations and, when it records, remembers them for Backward. It
// belongs to one goroutine; any number of tapes may share the same parameters
// as long as at most one of them records.
//
// What a tape makes it takes back, at the end of a Scope or at Reset, and hands
// out again: values, Variables and all. A step that does not record and works
// on a few rows, as in decoding, therefore allocates nothing once another like
// it has gone before. Operations keep to that by listing their shapes on the
// stack and by making closures only where they record.
type Tape struct {
	ops      operations  // what computes
	device   *deviceTape // ops, if that is a device
	workers  *parallel.Workers
	pool     tensor.Pool
	nodes    []node
	made     []*Variable // variables of the tape, oldest first
	idle     []*Variable // variables that are done with, to be made again
	record   bool
	training bool
	keepAll  bool              // nothing is dropped, in training either
	company  bool              // the batch counts for nothing
	sum      func(x []float64) // over the processes that share a batch; nil for one
	bf16     bool              // of products of matrices
	seed     uint64
	draws    uint64 // random operations since the seed was set
	profile  *Profile

	follow       following                 // the product in progress
	coefficients []*kernel.EMACoefficients // to be used again
	wide         []float64                 // sums in float64, to be used again
}

// A node is one operation that Backward will run.
type node struct {
	name     string
	out      []*Variable
	buffers  []*tensor.Tensor // further memory that backward reads
	backward func()
	always   bool // run backward even if no gradient has reached out
}

// NewTape returns a tape for inference: nothing is recorded, dropout is off and
// batch norms use their running statistics.
func NewTape() *Tape {
	t := &Tape{}
	t.ops = (*host)(t)
	return t
}

// NewTrainingTape returns a tape that records, drops out and lets batch norms
// learn. Its randomness is fixed by SetSeed.
func NewTrainingTape() *Tape {
	t := NewTape()
	t.SetMode(true, true)
	return t
}

// SetMode chooses whether operations are recorded for Backward and whether
// layers behave as in training (dropout, batch statistics).
func (t *Tape) SetMode(record, training bool) { t.record, t.training = record, training }

// NoDropout turns dropout off for good; all else stays as in training.
func (t *Tape) NoDropout() { t.keepAll = true }

// drops reports whether dropout of probability p does anything.
func (t *Tape) drops(p float64) bool { return t.training && !t.keepAll && p > 0 }

// SetSum makes batch norms that are synchronised see one batch where several processes
// have each a part of it: sum adds up x over them. All processes run the same
// synchronised operations in the same order, forward and backward.
func (t *Tape) SetSum(sum func(x []float64)) { t.sum = sum }

// SetIdle says that what follows only keeps other processes company: it adds nothing to
// their sums, and Backward adds 0 to gradients.
func (t *Tape) SetIdle(on bool) { t.company = on }

// Training reports whether layers should behave as in training.
func (t *Tape) Training() bool { return t.training }

// Recording reports whether operations are remembered for Backward.
func (t *Tape) Recording() bool { return t.record }

// Workers are threads that compute, for one tape or several. A nil *Workers
// stands for those of the process, which all tapes share that were given none.
type Workers = parallel.Workers

// NewWorkers returns n threads, as many as there are cores if n < 1.
func NewWorkers(n int) *Workers { return parallel.New(n) }

// SetWorkers says who computes. Results do not depend on how many they are.
func (t *Tape) SetWorkers(w *Workers) { t.workers = w }

// Workers returns who computes.
func (t *Tape) Workers() *Workers { return t.workers }

// SetSeed fixes the randomness of the operations that follow: the same seed and
// the same operations give the same numbers, on any number of workers.
func (t *Tape) SetSeed(seed uint64) { t.seed, t.draws = seed, 0 }

// nextSeed returns a seed of its own for one random operation.
func (t *Tape) nextSeed() uint64 {
	t.draws++
	return drawnSeed(t.seed, t.draws)
}

// drawnSeed is draw number n of a seed, from 1 on.
func drawnSeed(seed, n uint64) uint64 { return mix(seed + n*0x9e3779b97f4a7c15) }

// mix is the finaliser of splitmix64 (Steele, Lea, Flood 2014).
func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// HeldBytes returns the memory that the tape's buffers take, in use or not.
func (t *Tape) HeldBytes() int { return 4 * t.pool.Held() }

// alloc makes a variable with an undefined value that belongs to the tape.
func (t *Tape) alloc(shape ...int) *Variable {
	v := t.variable()
	t.pool.Fill(&v.own, shape...)
	v.value, v.shape = &v.own, v.own.Shape()
	return v
}

// allocLike is alloc for x's shape.
func (t *Tape) allocLike(x *Variable) *Variable { return t.allocCols(x, x.Cols()) }

// allocCols is alloc for x's shape with another last dimension.
func (t *Tape) allocCols(x *Variable, cols int) *Variable {
	v := t.variable()
	like := &x.own
	if x.leaf {
		like = x.value
	}
	t.pool.FillLike(&v.own, like, cols)
	v.value, v.shape = &v.own, v.own.Shape()
	return v
}

// allocRows is alloc for rows of so many columns.
func (t *Tape) allocRows(shape []int, cols int) *Variable {
	var dims [4]int
	return t.alloc(append(append(dims[:0], shape...), cols)...)
}

// variable makes a variable without a shape and value.
func (t *Tape) variable() *Variable {
	var v *Variable
	if last := len(t.idle) - 1; last >= 0 {
		v, t.idle = t.idle[last], t.idle[:last]
	} else {
		v = new(Variable)
	}
	t.made = append(t.made, v)
	return v
}

// view makes a variable of columns [from, to) of x.
func (t *Tape) view(x *Variable, from, to int) {
	v := t.variable()
	v.own.SetColumns(t.value(x), from, to)
	v.shape, v.base, v.from, v.to = v.own.Shape(), x, from, to
	if !t.record { // else the base may be released and computed again
		v.value = &v.own
	}
}

// value returns v's tensor, computing it again if it was released.
func (t *Tape) value(v *Variable) *tensor.Tensor {
	if v.value != nil {
		return v.value
	}
	return t.valueAgain(v)
}

func (t *Tape) valueAgain(v *Variable) *tensor.Tensor {
	switch {
	case v.base != nil:
		v.own.SetColumns(t.value(v.base), v.from, v.to)
		return &v.own
	case v.later.x != nil:
		v.later.whole = true
		return t.valueNow(v)
	case v.recompute == nil:
		panic(fmt.Sprintf("autograd: the value of shape %v was released", v.shape))
	}
	t.pool.Fill(&v.own, v.shape...)
	v.value = &v.own
	v.recompute(v.value)
	return v.value
}

// compute gives v a value that can be computed again: it runs f now, and
// Backward runs it once more if the value was released in between. f must read
// its inputs by t.value, and the caller lists them in reads of push. If the
// operation is not recorded the value is computed this once: nothing keeps what
// f reads. As f is allocated, operations of a step in decoding do without it.
func (t *Tape) compute(v *Variable, f func(dst *tensor.Tensor)) {
	f(v.value)
	if t.record {
		v.recompute = f
	}
}

// free returns the value of v to the pool.
func (t *Tape) free(v *Variable) {
	if v.value != nil && !v.leaf && v.base == nil {
		t.pool.Drain(v.value)
		v.value = nil
	}
}

// wants reports whether an operation on these inputs must be recorded.
func (t *Tape) wants(inputs ...*Variable) bool {
	return t.record && slices.ContainsFunc(inputs, func(v *Variable) bool { return v != nil && v.needs })
}

// push records an operation. reads lists the variables whose values backward
// (or the recomputing of out) looks at; they stay alive or computable.
func (t *Tape) push(name string, out *Variable, reads []*Variable, backward func()) {
	t.pushMany(name, []*Variable{out}, nil, reads, backward)
}

// pushMany is push for several outputs and for further buffers, taken from the
// pool, that are returned to it when backward has run.
func (t *Tape) pushMany(name string, out []*Variable, buffers []*tensor.Tensor, reads []*Variable, backward func()) {
	for _, v := range out {
		v.needs = true
	}
	for _, v := range reads {
		if v != nil {
			v.root().reads++
		}
	}
	t.nodes = append(t.nodes, node{name: name, out: out, buffers: buffers, backward: backward})
}

// OnBackward calls f when the backward pass comes to this place: what is recorded later
// has then passed all its gradients on. It does nothing on a tape that does not record.
func (t *Tape) OnBackward(f func()) {
	if t.record {
		t.nodes = append(t.nodes, node{name: "hook", always: true, backward: f})
	}
}

// Scope runs f and ends the life of every value made in it, except its result
// and what the backward pass reads and cannot cheaply compute again.
func (t *Tape) Scope(f func() *Variable) *Variable {
	mark := len(t.made)
	out := f()
	if out.value == nil && out.later.x != nil { // by what ends here
		t.value(out)
	}
	root, kept := out.root(), t.made[:mark]
	for _, v := range t.made[mark:] {
		switch {
		case v == out || v == root:
		case !t.record:
			t.free(v)
			v.base, v.later = nil, deferral{} // all that is set without recording, but for what the next use sets
			t.idle = append(t.idle, v)
			continue
		case v.reads == 0 || v.cheap() && v.needs:
			t.free(v)
		}
		kept = append(kept, v)
	}
	t.made = kept
	return out
}

// cheap reports whether v's value can be computed again.
func (v *Variable) cheap() bool { return v.recompute != nil || v.later.x != nil }

// Release ends the life of v's value where that is not needed for Backward: on a
// tape that does not record. Nothing may read v afterwards, nor what SiLUMul made of it.
func (t *Tape) Release(v *Variable) {
	if !t.record {
		t.free(v.root())
	}
}

// grad returns the buffer for v's gradient and whether it already holds one to
// be added to; the caller fills it entirely.
func (t *Tape) grad(v *Variable) (dst *tensor.Tensor, accumulate bool) {
	accumulate = v.hasGrad
	v.hasGrad = true
	if v.base != nil {
		return t.gradBuffer(v.base).Columns(v.from, v.to), accumulate
	}
	return t.gradBuffer(v), accumulate
}

// gradBuffer makes v's gradient buffer if there is none: from the heap for
// leaves, whose gradients outlive the tape, else from the pool.
func (t *Tape) gradBuffer(v *Variable) *tensor.Tensor {
	switch {
	case v.base != nil:
		return t.gradBuffer(v.base).Columns(v.from, v.to)
	case v.grad != nil:
	case v.leaf:
		v.grad = tensor.NewLike(v.value, v.shape...)
	default:
		v.grad = t.pool.Get(v.shape...)
	}
	return v.grad
}

// addGrad lets f overwrite a buffer with a gradient of v, and adds it to what
// has reached v before. It does nothing if v wants no gradient.
func (t *Tape) addGrad(v *Variable, f func(dst *tensor.Tensor)) {
	if v.needs {
		t.addGrads(func(dst []*tensor.Tensor) { f(dst[0]) }, v)
	}
}

// addGrads is addGrad for an operation that computes the gradients of several
// inputs at once; those that are not wanted go to scratch memory. Inputs that are not
// there are nil, and so are their gradients.
func (t *Tape) addGrads(f func(dst []*tensor.Tensor), vs ...*Variable) {
	dst := make([]*tensor.Tensor, len(vs))
	sums := make([]*tensor.Tensor, len(vs)) // non-nil where dst is scratch to be added
	scratch := make([]bool, len(vs))
	for i, v := range vs {
		if v == nil {
			continue
		}
		accumulate := true
		if v.needs {
			dst[i], accumulate = t.grad(v)
		}
		if accumulate {
			sums[i], scratch[i] = dst[i], true
			dst[i] = t.pool.Get(v.shape...)
		}
	}
	f(dst)
	for i, sum := range sums {
		if sum != nil {
			t.ops.add(sum, sum, dst[i])
		}
		if scratch[i] {
			t.pool.Put(dst[i])
		}
	}
}

// passGrad adds the gradient of an operation's output to that of an input of
// the same shape. It is the last that a backward function does with out's
// gradient: the buffer itself goes over where that saves a copy.
func (t *Tape) passGrad(in, out *Variable) {
	dy := t.outGrad(out)
	if in.needs && !in.hasGrad && !in.leaf && in.base == nil && out.base == nil && in.grad == nil {
		in.grad, in.hasGrad = dy.Reshape(in.shape...), true
		out.grad, out.hasGrad = nil, false
		return
	}
	t.addGrad(in, func(d *tensor.Tensor) { t.ops.copy(d, dy) })
}

// outGrad returns the gradient that has reached an operation's output; an
// output that nothing depended on has gradient zero.
func (t *Tape) outGrad(v *Variable) *tensor.Tensor {
	dst, has := t.grad(v)
	if !has {
		t.ops.fill(dst, 0)
	}
	return dst
}

// Backward computes the gradient of the sum of v's elements for every leaf
// that wants one, adding to the gradients that leaves already hold, and clears
// the tape.
func (t *Tape) Backward(v *Variable) {
	one := float32(1)
	if t.company {
		one = 0
	}
	t.addGrad(v, func(seed *tensor.Tensor) { t.ops.fill(seed, one) })
	for i := len(t.nodes) - 1; i >= 0; i-- {
		n := &t.nodes[i]
		start := t.start()
		if n.always || slices.ContainsFunc(n.out, func(v *Variable) bool { return v.hasGrad }) {
			n.backward()
		}
		t.stop(n.name+"'", start)
		t.retire(n)
	}
	t.nodes = t.nodes[:0]
	t.Reset()
}

// retire frees what only node n still needed.
func (t *Tape) retire(n *node) {
	for _, v := range n.out {
		t.free(v)
		if v.grad != nil && v.base == nil {
			t.pool.Put(v.grad)
			v.grad, v.hasGrad = nil, false
		}
	}
	for _, b := range n.buffers {
		t.pool.Put(b)
	}
	*n = node{}
}

// Reset drops everything recorded and returns all buffers to the pool.
// Variables of the tape must not be used afterwards.
func (t *Tape) Reset() {
	for i := range t.nodes {
		t.retire(&t.nodes[i])
	}
	for _, v := range t.made {
		t.free(v)
		*v = Variable{}
	}
	t.idle = append(t.idle, t.made...)
	t.nodes, t.made = t.nodes[:0], t.made[:0]
	if t.device != nil {
		t.device.reset()
	}
}

// Trim returns the tape's free buffers to the garbage collector.
func (t *Tape) Trim() { t.pool.Trim() }

// start and stop time an operation when a profile is taken.
func (t *Tape) start() time.Time {
	if t.profile == nil {
		return time.Time{}
	}
	return time.Now()
}

func (t *Tape) stop(name string, start time.Time) {
	if t.profile != nil {
		t.profile.since(name, start)
	}
}
