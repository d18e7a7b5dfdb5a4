package kernel

// Rows and columns of a task of the sums that go before and after Backward's
// blocks.
const (
	sumDeltaRows   = 64
	sumQueryRows   = 64
	sumBiasColumns = 1024
)

// deltaRows computes delta of the i-th sumDeltaRows rows.
func (b *attentionBackward) deltaRows(_, i int) {
	b.computeDelta(i*sumDeltaRows, min((i+1)*sumDeltaRows, len(b.delta)))
}

// computeDelta computes delta of the rows [from, to) of all segments: under
// softmax Σ_j P[i,j] dP[i,j], which is Σ_j P[i,j] dout_i·v_j = dout_i·out_i,
// dropout or not.
func (b *attentionBackward) computeDelta(from, to int) {
	for r := from; r < to; r++ {
		s, i := r/b.Queries, r%b.Queries
		b.delta[r] = Dot(b.dout.row(s, i, b.H), b.out.row(s, i, b.H))
	}
}

// sumQueries adds the groups' parts of dq, in their order, for sumQueryRows rows of
// a segment. Under Causal a group has nothing for the queries before its keys.
func (b *attentionBackward) sumQueries(_, i int) {
	tiles := ceilDiv(b.Queries, sumQueryRows)
	s, from := i/tiles, i%tiles*sumQueryRows
	for g := 1; g < b.groups; g++ {
		part := b.queryPart(s, g).Data
		for row := max(from, b.firstQuery(g*b.group*b.keys)); row < min(from+sumQueryRows, b.Queries); row++ {
			dq := b.dq.row(s, row, b.Z)
			Add(dq, dq, part[row*b.Z:][:b.Z])
		}
	}
}

// sumBias adds the tasks' parts of dbias, in their order, for sumBiasColumns
// elements. Part t belongs to key − query = t − (Queries−1); under Causal
// there are none beyond Keys − Queries.
func (b *attentionBackward) sumBias(_, i int) {
	size := b.Queries + b.Keys - 1
	from, to := i*sumBiasColumns, min((i+1)*sumBiasColumns, size)
	if b.Causal {
		to = min(to, b.Keys)
	}
	if from >= to {
		return
	}
	dbias := b.dbias[b.BiasZero-(b.Queries-1):][from:to]
	for t := range b.tasks {
		Add(dbias, dbias, b.biasPart[t*size:][from:to])
	}
}
