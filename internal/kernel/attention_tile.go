package kernel

// forwardBlock is a task of Forward, with the rows [from, to) of segment s, at
// one block of keys, [begin, end).
type forwardBlock struct {
	*attentionForward
	w          *forwardWorker
	s          int
	from, to   int
	begin, end int
	keys       *Packed // the block's, transposed
	values     *Packed
	rows       rowStates // counted from from
	length     float32
	first      bool // whether it is the task's first block
}

// run takes in the block.
func (b *forwardBlock) run() {
	seen := max(b.from, b.firstQuery(b.begin))
	if b.first {
		b.start(min(seen, b.to))
	}
	if b.direct() {
		b.runDirect(seen)
		return
	}
	b.keys, b.values = b.shared.of(b.s, b.begin)
	if b.keys == nil {
		b.keys, b.values = &b.w.k, &b.w.v
		b.packKeys(b.keys, b.values, b.s, b.begin, b.end)
	}
	for i := b.from + (seen-b.from)/b.tile*b.tile; i < b.to; i += b.tile {
		b.runTile(i, min(i+b.tile, b.to))
	}
}

// start sets the states, and the output of the rows before to, which see
// nothing of the first block.
func (b *forwardBlock) start(to int) {
	for i := range b.to - b.from {
		b.rows.max[i], b.rows.sum[i] = negInf, 0
	}
	for i := range to - b.from {
		clear(b.rows.row(i, b.H))
	}
}

// finish turns the sums into the output.
func (b *forwardBlock) finish() {
	for i := range b.to - b.from {
		b.normalize(b.s*b.Queries+b.from+i, b.rows.row(i, b.H), b.rows.max[i], b.rows.sum[i])
	}
}

// runTile adds what the block's keys contribute to the rows [i, to).
func (b *forwardBlock) runTile(i, to int) {
	weights := Matrix{Data: b.w.scores, Stride: attentionStride}
	for next := i; i < to; i = next {
		next = b.cut(i, to, b.end)
		n := min(b.end, b.visible(next-1)) - b.begin
		if n <= 0 {
			continue
		}
		GemmPackedSerial(next-i, n, b.Z, b.q.matrix(b.s, i), b.keys, b.w.scores, attentionStride, Epilogue{})
		for r := range next - i {
			b.weigh(i+r, b.w.scores[r*attentionStride:][:n])
		}
		out := b.rows.out
		GemmPackedSerial(next-i, b.H, n, weights, b.values, out.Data[(i-b.from)*out.Stride:], out.Stride,
			Epilogue{Accumulate: !b.first})
	}
}

// runDirect adds what the block's keys contribute to the rows from i on, a row
// at a time and without packing: for so few that reading the keys and values
// is all the work.
func (b *forwardBlock) runDirect(i int) {
	for ; i < b.to; i++ {
		scores := b.w.scores[:min(b.end, b.visible(i))-b.begin]
		attentionDots(scores, b.q.row(b.s, i, b.Z), b.k.matrix(b.s, b.begin))
		b.weigh(i, scores)
		out := b.rows.row(i-b.from, b.H)
		if b.first {
			clear(out)
		}
		attentionSum(out, scores, b.v.matrix(b.s, b.begin))
	}
}

// weigh turns a row of products q_i·k_j into weights, those of a softmax still
// to be divided by the row's sum unless there is but one block.
func (b *forwardBlock) weigh(i int, row []float32) {
	n := min(len(row), max(0, b.visible(i)-b.begin))
	bias, runs := b.biasRow(i, b.begin, n), b.w.runs.upTo(n)
	if b.Function == AttentionSoftmax {
		b.softmax(i-b.from, row, bias, runs)
	} else {
		scale := b.scale(b.length, i)
		for _, r := range runs {
			attentionWeights(b.Function, row[r.from:r.to], bias[r.from:r.to], scale)
		}
	}
	clearGaps(row, runs)
	if b.Dropout > 0 {
		b.drop(b.s, i, b.begin, row[:n])
	}
}

// softmax replaces the products in row by exp(score − m), where m is the
// largest score of the task's row i so far, and brings what came before to the
// same m.
func (b *forwardBlock) softmax(i int, row, bias []float32, runs []keyRun) {
	old := b.rows.max[i]
	m := old
	for _, r := range runs {
		m = max(m, attentionScores(row[r.from:r.to], bias[r.from:r.to], b.Scale))
	}
	base := m
	if m == negInf {
		base = 0 // nothing but −Inf so far, whose exponentials are to be 0
	}
	sum := float32(0)
	for _, r := range runs {
		sum += attentionExp(row[r.from:r.to], base)
	}
	if old != m {
		shrink := shrinkage(old, m)
		b.rows.max[i] = m
		b.rows.sum[i] *= shrink
		if !b.first {
			out := b.rows.row(i, b.H)
			Scale(out, out, shrink)
		}
	}
	b.rows.sum[i] += sum
	if b.oneBlock() && sum != 0 {
		for _, r := range runs {
			Scale(row[r.from:r.to], row[r.from:r.to], 1/sum)
		}
	}
}
