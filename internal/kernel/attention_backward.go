package kernel

import (
	"sync"

	"github.com/mega-go/mega/internal/parallel"
)

const (
	// attentionSplit is the number of tasks that Backward cuts few, long
	// segments into, and attentionTasks the greatest number of tasks.
	attentionSplit = 32
	attentionTasks = 128
)

// Backward computes the gradients dq, dk and dv, which it overwrites, from
// dout, the gradient of out, and adds the bias's to dbias, laid out as Bias;
// nil dbias computes none. out and stats are what Forward gave for q, k and v
// (both may be empty unless the function is softmax). Blocks of scores are
// computed again. Operands must not overlap.
func (a *Attention) Backward(dq, dk, dv Rows, dbias []float32, dout, q, k, v, out Rows, stats []float32) {
	a.check()
	if a.Segments == 0 || a.Queries+a.Keys == 0 {
		return
	}
	b := backwards.Get().(*attentionBackward)
	b.Attention = *a
	b.q = q.view("q", a.Segments, a.Queries, a.Z)
	b.k = k.view("k", a.Segments, a.Keys, a.Z)
	b.v = v.view("v", a.Segments, a.Keys, a.H)
	b.dq = dq.view("dq", a.Segments, a.Queries, a.Z)
	b.dk = dk.view("dk", a.Segments, a.Keys, a.Z)
	b.dv = dv.view("dv", a.Segments, a.Keys, a.H)
	b.dout = dout.view("dout", a.Segments, a.Queries, a.H)
	if a.Function == AttentionSoftmax {
		b.out = out.view("out", a.Segments, a.Queries, a.H)
		checkLengths(a.Segments*a.Queries, len(stats))
		b.stats = stats
	}
	b.dbias = dbias
	b.run()
	b.attentionCall = attentionCall{}
	b.backwardOperands = backwardOperands{}
	backwards.Put(b)
}

// attentionBackward is one call of Backward under way. A task owns a group of
// key blocks of one segment, whose dk and dv it writes, or all blocks of some
// segments. Its queries' dq and its dbias are parts of sums that are added up
// in the order of the tasks once all have run; the groups depend on the shape
// alone, and so do the results.
type attentionBackward struct {
	attentionCall
	backwardOperands
	keys     int // in a block
	blocks   int // in a segment
	group    int // blocks in a task
	groups   int // tasks in a segment
	segments int // segments in a task; 1 if groups > 1
	tasks    int
	workers  []backwardWorker

	memory   *parallel.Scratch
	delta    []float32 // [Segments, Queries]: Σ_j P[i,j] dP[i,j], for softmax
	dqParts  []float32 // [Segments, groups−1, Queries, Z]: of every group but the first
	biasPart []float32 // [tasks, Queries + Keys − 1]

	deltaTask, blockTask, sumTask, biasTask func(worker, i int)
}

// backwardOperands are those that Forward does not have.
type backwardOperands struct {
	dq, dk, dv, dout Rows
	dbias            []float32
}

// backwardWorker is a worker's scratch memory.
type backwardWorker struct {
	kT, k, vT Packed // a block of Kᵀ, K and Vᵀ
	q, dout   Packed // a tile's rows
	runs      keyRuns
	memory    *parallel.Scratch
	p, ds     []float32 // products, then P; products, then dS
	unused    []float32 // the bias's gradient if nobody wants it
}

// backwards holds idle ones.
var backwards = sync.Pool{New: func() any {
	b := new(attentionBackward)
	b.deltaTask, b.blockTask, b.sumTask, b.biasTask = b.deltaRows, b.runTask, b.sumQueries, b.sumBias
	return b
}}

// run computes the gradients.
func (b *attentionBackward) run() {
	b.plan()
	b.borrow()
	if b.Function == AttentionSoftmax && b.groups > 1 {
		b.Workers.Run(ceilDiv(b.Segments*b.Queries, sumDeltaRows), b.deltaTask)
	}
	clear(b.biasPart)
	b.Workers.Run(b.tasks, b.blockTask)
	if b.groups > 1 {
		b.Workers.Run(b.Segments*ceilDiv(b.Queries, sumQueryRows), b.sumTask)
	}
	if b.dbias != nil {
		b.Workers.Run(ceilDiv(b.Queries+b.Keys-1, sumBiasColumns), b.biasTask)
	}
	b.giveBack()
}

// plan cuts the work into tasks: many segments into few groups each, few
// segments into many, so that the parts of dq stay in bounds. Blocks are halved
// where there would be too few for the workers.
func (b *attentionBackward) plan() {
	b.keys = attentionKeys
	if b.Segments*ceilDiv(b.Keys, b.keys) < attentionSplit/4 {
		b.keys = attentionKeys / 2
	}
	b.blocks = ceilDiv(b.Keys, b.keys)
	b.groups = min(b.blocks, ceilDiv(attentionSplit, max(1, b.Segments)))
	b.groups = max(1, b.groups)
	b.group = ceilDiv(b.blocks, b.groups)
	b.groups = max(1, ceilDiv(b.blocks, max(1, b.group)))
	b.segments = 1
	if b.groups == 1 {
		b.segments = ceilDiv(b.Segments, attentionTasks)
	}
	b.tasks = ceilDiv(b.Segments, max(1, b.segments)) * b.groups
}

// borrow gets the scratch memory of the call and of every worker.
func (b *attentionBackward) borrow() {
	parts := b.Segments * (b.groups - 1) * b.Queries * b.Z
	biases := 0
	if b.dbias != nil {
		biases = b.tasks * (b.Queries + b.Keys - 1)
	}
	b.memory = parallel.Borrow(b.Segments*b.Queries + parts + biases)
	b.delta = b.memory.Data[:b.Segments*b.Queries]
	b.dqParts = b.memory.Data[b.Segments*b.Queries:][:parts]
	b.biasPart = b.memory.Data[b.Segments*b.Queries+parts:]
	for len(b.workers) < b.Workers.Size() {
		b.workers = append(b.workers, backwardWorker{})
	}
	b.workers = b.workers[:b.Workers.Size()]
	const block = attentionRows * attentionStride
	for i := range b.workers {
		w := &b.workers[i]
		w.memory = parallel.Borrow(2*block + attentionKeys)
		w.p, w.ds, w.unused = w.memory.Data[:block], w.memory.Data[block:2*block], w.memory.Data[2*block:]
	}
}

// giveBack returns the scratch memory.
func (b *attentionBackward) giveBack() {
	b.memory.Return()
	for i := range b.workers {
		b.workers[i].memory.Return()
	}
	b.memory, b.delta, b.dqParts, b.biasPart = nil, nil, nil, nil
}

// runTask runs task i. The first groups come first: under Causal they are the
// ones with the most queries.
func (b *attentionBackward) runTask(worker, i int) {
	w := &b.workers[worker]
	if b.groups > 1 {
		b.runGroup(w, i, i%b.Segments, i/b.Segments)
		return
	}
	for s := i * b.segments; s < min((i+1)*b.segments, b.Segments); s++ {
		b.runGroup(w, i, s, 0)
	}
}

// runGroup computes dk and dv of the keys of group g of segment s, and what
// they contribute to dq and dbias.
func (b *attentionBackward) runGroup(w *backwardWorker, task, s, g int) {
	mask := b.mask(s)
	x := backwardBlock{attentionBackward: b, w: w, s: s, dq: b.queryPart(s, g), length: b.length(s), first: true}
	if b.dbias != nil {
		x.dbias = b.biasPart[task*(b.Queries+b.Keys-1):][:b.Queries+b.Keys-1]
	}
	if b.Function == AttentionSoftmax && b.groups == 1 {
		b.computeDelta(s*b.Queries, (s+1)*b.Queries)
	}
	from := g * b.group * b.keys
	for j := from; j < min(from+b.group*b.keys, b.Keys); j += b.keys {
		end := min(j+b.keys, b.Keys)
		x.begin, x.end = w.runs.set(mask, j, end)
		b.clearKeys(s, j, x.begin)
		b.clearKeys(s, x.end, end)
		if x.begin < x.end {
			x.run()
			x.first = false
		}
	}
	if x.first {
		x.clearQueries(b.Queries)
	}
}

// queryPart returns where group g of segment s adds up its dq: the first group
// in dq itself.
func (b *attentionBackward) queryPart(s, g int) Matrix {
	if g == 0 {
		return b.dq.matrix(s, 0)
	}
	size := b.Queries * b.Z
	return Matrix{Data: b.dqParts[(s*(b.groups-1)+g-1)*size:][:size], Stride: b.Z}
}

// clearKeys zeroes dk and dv of the keys [from, to) of segment s.
func (b *attentionBackward) clearKeys(s, from, to int) {
	for j := from; j < to; j++ {
		clear(b.dk.row(s, j, b.Z))
		clear(b.dv.row(s, j, b.H))
	}
}

// backwardBlock is a block of keys, [begin, end), of segment s.
type backwardBlock struct {
	*attentionBackward
	w          *backwardWorker
	s          int
	begin, end int
	dq         Matrix // the segment's queries
	dbias      []float32
	length     float32
	first      bool // whether it is the first block to write to dq
}

// clearQueries zeroes dq of the queries before to.
func (b *backwardBlock) clearQueries(to int) {
	for i := range min(to, b.Queries) {
		clear(b.dq.Data[i*b.dq.Stride:][:b.Z])
	}
}

// run goes through the queries that see the block.
func (b *backwardBlock) run() {
	n := b.end - b.begin
	b.pack(&b.w.kT, b.Z, n, b.k.matrix(b.s, b.begin).T())
	b.pack(&b.w.k, n, b.Z, b.k.matrix(b.s, b.begin))
	b.pack(&b.w.vT, b.H, n, b.v.matrix(b.s, b.begin).T())
	i := b.firstQuery(b.begin)
	if b.first {
		b.clearQueries(i)
	}
	fresh := true // dk and dv hold nothing yet
	for i < b.Queries {
		next := b.cut(i, min(i+b.heights().tile, b.Queries), b.end)
		seen := min(b.end, b.visible(next-1)) - b.begin
		if fresh && seen < n {
			b.clearKeys(b.s, b.begin, b.end)
			fresh = false
		}
		b.tile(i, next, seen, !fresh)
		fresh = false
		i = next
	}
	if fresh {
		b.clearKeys(b.s, b.begin, b.end)
	}
}

// tile adds what the queries [i, to) and the block's first n keys contribute.
func (b *backwardBlock) tile(i, to, n int, accumulate bool) {
	m, w := to-i, b.w
	q, dout := b.q.matrix(b.s, i), b.dout.matrix(b.s, i)
	p, ds := Matrix{Data: w.p, Stride: attentionStride}, Matrix{Data: w.ds, Stride: attentionStride}
	b.pack(&w.q, m, b.Z, q) // first, as reading straight on brings the rows in fastest
	b.pack(&w.dout, m, b.H, dout)
	GemmPackedSerial(m, n, b.Z, q, &w.kT, w.p, attentionStride, Epilogue{})
	GemmPackedSerial(m, n, b.H, dout, &w.vT, w.ds, attentionStride, Epilogue{})
	for r := range m {
		b.differentiate(i+r, w.p[r*attentionStride:][:n], w.ds[r*attentionStride:][:n])
	}
	keys := Epilogue{Accumulate: accumulate}
	GemmPackedSerial(m, b.Z, n, ds, &w.k, b.dq.Data[i*b.dq.Stride:], b.dq.Stride, Epilogue{Accumulate: !b.first})
	GemmPackedSerial(n, b.Z, m, ds.T(), &w.q, b.dk.at(b.s, b.begin), b.dk.Stride, keys)
	GemmPackedSerial(n, b.H, m, p.T(), &w.dout, b.dv.at(b.s, b.begin), b.dv.Stride, keys)
}

// differentiate turns a row of products q_i·k_j into P[i,j] and a row of
// dout_i·v_j into the derivatives by q_i·k_j, and adds those by the scores to
// the bias's.
func (b *backwardBlock) differentiate(i int, p, ds []float32) {
	n := min(len(p), max(0, b.visible(i)-b.begin))
	bias, dbias := b.biasRow(i, b.begin, n), b.w.unused
	if b.dbias != nil {
		dbias = b.dbias[b.begin-i+b.Queries-1:]
	}
	if b.Dropout > 0 {
		b.drop(b.s, i, b.begin, ds[:n])
	}
	scale := b.scale(b.length, i)
	runs := b.w.runs.upTo(n)
	for _, r := range runs {
		p, ds, bias, dbias := p[r.from:r.to], ds[r.from:r.to], bias[r.from:r.to], dbias[r.from:r.to]
		if b.Function == AttentionSoftmax {
			row := b.s*b.Queries + i
			attentionSoftmaxGrad(p, ds, bias, dbias, scale, b.stats[row], b.delta[row])
		} else {
			attentionWeightsGrad(b.Function, p, ds, bias, dbias, scale)
		}
	}
	clearGaps(p, runs)
	clearGaps(ds, runs)
	if b.Dropout > 0 {
		b.drop(b.s, i, b.begin, p[:n])
	}
}
