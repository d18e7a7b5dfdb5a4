package kernel

import (
	"math"
	"sync"

	"github.com/mega-go/mega/internal/parallel"
)

// Sizes of the blocks of scores. A block takes 137 KB, so that two of them,
// Backward's, leave room for a block of keys in a second-level cache of 512 KB;
// heights are multiples of the matrix kernels' 6 and 14 rows, or 32. The stride is not
// a power of two, which would send a column's elements to few cache sets.
const (
	attentionKeys   = 256 // keys in a block
	attentionRows   = 128 // queries in a tile at most
	attentionStride = attentionKeys + 16

	// attentionDirect is the number of queries up to which it does not pay to
	// pack the keys and values.
	attentionDirect = 4
	// splitKeys is the least number of keys that a task is then given.
	splitKeys = 64
)

// attentionHeights are the queries in a tile at most, which are a multiple of step, and in a
// block that Causal cuts.
type attentionHeights struct{ tile, diagonal, step int }

// Forward computes out from q, k and v over the workers. stats, [Segments,
// Queries], receives what Backward needs of each row under softmax, the
// logarithm of Σ_j exp(S[i,j]) (+Inf for a row that sees no key); nil is right
// where no backward pass follows. The other functions leave it alone. Operands
// must not overlap out.
func (a *Attention) Forward(out, q, k, v Rows, stats []float32) {
	a.check()
	f := forwards.Get().(*attentionForward)
	f.Attention = *a
	f.out = out.view("out", a.Segments, a.Queries, a.H)
	f.q = q.view("q", a.Segments, a.Queries, a.Z)
	f.k = k.view("k", a.Segments, a.Keys, a.Z)
	f.v = v.view("v", a.Segments, a.Keys, a.H)
	if stats != nil && a.Function == AttentionSoftmax {
		checkLengths(a.Segments*a.Queries, len(stats))
		f.stats = stats
	}
	f.run()
	f.attentionCall = attentionCall{}
	forwards.Put(f)
}

// attentionCall is what one call of Forward or Backward works on.
type attentionCall struct {
	Attention
	q, k, v, out Rows
	stats        []float32
}

// attentionForward is one call of Forward under way. A task computes some
// tiles of queries of one segment, taking the keys a block at a time, which it
// packs for all of its tiles, or finds packed if other tasks have the same segment. Under
// softmax a row's sum and output are kept relative to the largest score so far and rescaled
// when a block raises it.
//
// Where there are few queries, as in decoding, the keys are split among tasks
// too; each then has an output and sums of its own, merged in the end.
type attentionForward struct {
	attentionCall
	tile, tiles   int // queries in a tile, tiles in a segment
	group, groups int // tiles in a task, tasks in a segment and split
	split, splits int // keys in a split, splits of a segment
	shared        sharedKeys
	workers       []forwardWorker
	parts         rowStates         // [Segments, splits, Queries], if splits > 1
	memory        *parallel.Scratch // theirs

	blockTask, mergeTask func(worker, i int)
}

// forwardWorker is a worker's scratch memory.
type forwardWorker struct {
	k, v   Packed  // a block of Kᵀ and of V, unless the tasks share them
	runs   keyRuns // the block's keys that are not masked
	memory *parallel.Scratch
	scores []float32
	rows   rowStates // of the task's rows; out is not used
}

// rowStates are the rows of a softmax under way; the other functions use out
// alone.
type rowStates struct {
	max []float32 // the largest score so far
	sum []float32 // the sum of the exponentials of scores − max
	out Matrix    // the sum of those, times the values
}

// forwards holds idle ones.
var forwards = sync.Pool{New: func() any {
	f := new(attentionForward)
	f.blockTask, f.mergeTask, f.shared.packTask = f.runTask, f.merge, f.shared.packBlock
	return f
}}

// run computes the output.
func (f *attentionForward) run() {
	f.plan()
	f.borrow()
	if f.groups > 1 && !f.direct() {
		f.shared.pack(f)
	}
	f.Workers.Run(f.Segments*f.groups*f.splits, f.blockTask)
	f.shared.giveBack()
	if f.splits > 1 {
		f.Workers.Run(f.Segments*f.Queries, f.mergeTask)
		f.memory.Return()
	}
	for i := range f.workers {
		f.workers[i].memory.Return()
	}
	f.memory, f.parts = nil, rowStates{}
}

// plan cuts the segments into tasks. How many tiles a task has depends on the
// number of workers, but no number of the result does; splits, which change
// the order of sums, depend on the shape alone.
func (f *attentionForward) plan() {
	const tasksPerWorker, tasks = 16, 16
	heights := f.heights()
	f.tiles = max(1, ceilDiv(f.Queries, heights.tile))
	f.tile = roundUp(ceilDiv(f.Queries, f.tiles), heights.step)
	segments := max(1, f.Segments)
	least := attentionKeys
	if f.direct() {
		least = splitKeys
	}
	f.splits = max(1, min(ceilDiv(tasks, segments*f.tiles), f.Keys/least))
	f.split = roundUp(ceilDiv(f.Keys, f.splits), least)
	f.splits = max(1, ceilDiv(f.Keys, max(1, f.split)))
	f.groups = min(f.tiles, ceilDiv(tasksPerWorker*f.Workers.Size(), segments*f.splits))
	f.group = ceilDiv(f.tiles, f.groups)
	f.groups = ceilDiv(f.tiles, f.group)
}

// direct reports whether there are so few queries that reading the keys and
// values is all the work, so that packing them does not pay.
func (a *Attention) direct() bool { return a.Queries <= attentionDirect && !a.BF16 }

// borrow gets scratch memory: every worker's, and that of the splits' parts.
func (f *attentionForward) borrow() {
	for len(f.workers) < f.Workers.Size() {
		f.workers = append(f.workers, forwardWorker{})
	}
	f.workers = f.workers[:f.Workers.Size()]
	rows := f.group * f.tile
	for i := range f.workers {
		w := &f.workers[i]
		w.memory = parallel.Borrow(attentionRows*attentionStride + 2*rows)
		x := w.memory.Data
		w.rows.max, w.rows.sum, w.scores = x[:rows], x[rows:2*rows], x[2*rows:]
	}
	if f.splits > 1 {
		rows = f.Segments * f.splits * f.Queries
		f.memory = parallel.Borrow(rows * (f.H + 2))
		x := f.memory.Data
		f.parts = rowStates{x[:rows], x[rows : 2*rows], Matrix{Data: x[2*rows:], Stride: f.H}}
	}
}

// runTask computes task i. The last tiles come first: under Causal they are
// the ones with the most keys.
func (f *attentionForward) runTask(worker, i int) {
	s, part, group := i%f.Segments, i/f.Segments%f.splits, f.groups-1-i/f.Segments/f.splits
	b := forwardBlock{attentionForward: f, w: &f.workers[worker], s: s, length: f.length(s), first: true}
	b.from = group * f.group * f.tile
	b.to = min(b.from+f.group*f.tile, f.Queries)
	if b.from == b.to {
		return
	}
	b.rows = b.w.rows
	b.rows.out = f.out.matrix(s, b.from)
	if f.splits > 1 {
		b.rows = f.parts.at((s*f.splits+part)*f.Queries + b.from)
	}
	mask := f.mask(s)
	end := min((part+1)*f.split, f.Keys)
	for j := part * f.split; j < min(end, f.visible(b.to-1)); j += attentionKeys {
		b.begin, b.end = b.w.runs.set(mask, j, min(j+attentionKeys, end))
		if b.begin < b.end {
			b.run()
			b.first = false
		}
	}
	if b.first {
		b.start(b.to)
	}
	if f.splits == 1 && f.Function == AttentionSoftmax {
		b.finish()
	}
}

// at returns the states from row i on.
func (r rowStates) at(i int) rowStates {
	return rowStates{r.max[i:], r.sum[i:], Matrix{Data: r.out.Data[i*r.out.Stride:], Stride: r.out.Stride}}
}

// row returns row i of the output, width wide.
func (r rowStates) row(i, width int) []float32 { return r.out.Data[i*r.out.Stride:][:width] }

// merge adds the splits' parts of row i.
func (f *attentionForward) merge(_, i int) {
	s, row := i/f.Queries, i%f.Queries
	out := f.out.row(s, row, f.H)
	clear(out)
	m, sum := negInf, float32(0)
	for part := range f.splits {
		m = max(m, f.parts.max[(s*f.splits+part)*f.Queries+row])
	}
	for part := range f.splits {
		r, weight := (s*f.splits+part)*f.Queries+row, float32(1)
		if f.Function == AttentionSoftmax {
			weight = shrinkage(f.parts.max[r], m)
			sum += weight * f.parts.sum[r]
		}
		Axpy(out, weight, f.parts.row(r, f.H))
	}
	if f.Function == AttentionSoftmax {
		f.normalize(i, out, m, sum)
	}
}

// shrinkage returns e^(old − m), for m at least old; 0 if both are −Inf.
func shrinkage(old, m float32) float32 {
	if m == negInf {
		return 0
	}
	return float32(math.Exp(float64(old - m)))
}

// oneBlock reports whether all keys are in one block, so that a row's sum is
// known before the values come in.
func (f *attentionForward) oneBlock() bool { return f.Keys <= attentionKeys && f.splits == 1 }

// normalize divides row i of the output by its sum, if the weights have not
// been, and saves the statistics.
func (f *attentionForward) normalize(i int, out []float32, m, sum float32) {
	if sum != 0 && !f.oneBlock() {
		Scale(out, out, 1/sum)
	}
	switch {
	case f.stats == nil:
	case sum == 0:
		f.stats[i] = float32(math.Inf(1))
	default:
		f.stats[i] = m + float32(math.Log(float64(sum)))
	}
}
