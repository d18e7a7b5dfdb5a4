package naive

// MeanPool returns the sum of each sequence's rows divided by its length, [B×D],
// for x [B·L×D] that is 0 at the padding (models/lra/mega_lra_encoder.py:238).
// lengths counts the closing </s>.
func MeanPool(x *Matrix, lengths []int) *Matrix {
	pooled := make([]*Matrix, len(lengths))
	rows := x.Rows / len(lengths)
	for b, n := range lengths {
		pooled[b] = Scale(ColSum(Rows(x, b*rows, (b+1)*rows)), 1/float64(n))
	}
	return ConcatRows(pooled...)
}

// FirstPool returns the first row of each of batch sequences, [B×D]: sen_rep_type
// cls (models/lra/mega_lra_encoder.py:241).
func FirstPool(x *Matrix, batch int) *Matrix {
	rows := x.Rows / batch
	return Gather(x, batch, x.Cols, func(b, j int) int { return b*rows*x.Cols + j })
}

// ClassifierHead turns a representation of each sequence into logits: hidden
// layers with an activation, then a projection without bias
// (models/lra/model.py:195).
type ClassifierHead struct {
	Layers     []Projection
	Activation func(*Matrix) *Matrix
	Out        Projection
}

// Apply returns logits [B×classes] for x [B×D], or [B×2D] for a pair.
func (c *ClassifierHead) Apply(x *Matrix) *Matrix {
	for _, layer := range c.Layers {
		x = c.Activation(layer.Apply(x))
	}
	return c.Out.Apply(x)
}

// AdaptiveSoftmax gives frequent words a softmax with one further class for each
// band of rarer words, and the words of a band their own softmax behind a
// narrower projection (Grave et al. 2017; modules/adaptive_softmax.py).
type AdaptiveSoftmax struct {
	Cutoff []int // ascending; the last is V
	// Head returns the scores of the words below Cutoff[0], then of the bands.
	Head func(x *Matrix) *Matrix
	// Tail[i] returns the scores of the words Cutoff[i] ≤ id < Cutoff[i+1].
	Tail []func(x *Matrix) *Matrix
}

// LogProbs returns the log-probability of every word, [R×V], for x [R×D]
// (modules/adaptive_softmax.py:178).
func (a *AdaptiveSoftmax) LogProbs(x *Matrix) *Matrix {
	head := LogSoftmax(a.Head(x))
	parts := []*Matrix{Cols(head, 0, a.Cutoff[0])}
	for i, tail := range a.Tail {
		prior := Cols(head, a.Cutoff[0]+i, a.Cutoff[0]+i+1)
		parts = append(parts, Add(LogSoftmax(tail(x)), prior))
	}
	return ConcatCols(parts...)
}

// Loss returns −Σ log p(target), 1×1, over x [R×D] as the reference sums it: the
// cross-entropy of the head's class and, for a target in a band, of its word in
// the band, each without the targets that equal Pad. Inside a band ids count from
// the band's first word, so that its second word counts as padding there and only
// its band is scored (criterions/adaptive_loss.py:63).
func (a *AdaptiveSoftmax) Loss(x *Matrix, targets []int) *Matrix {
	classes := make([]int, len(targets))
	rows, words := make([][]int, len(a.Tail)), make([][]int, len(a.Tail))
	for i, id := range targets {
		band, first := bandOf(a.Cutoff, id)
		if band == 0 {
			classes[i] = id
			continue
		}
		classes[i] = a.Cutoff[0] + band - 1
		rows[band-1] = append(rows[band-1], i)
		words[band-1] = append(words[band-1], id-first)
	}
	loss := CrossEntropy(a.Head(x), classes, Pad)
	for i, tail := range a.Tail {
		if len(rows[i]) > 0 {
			loss = Add(loss, CrossEntropy(tail(Embedding(x, rows[i])), words[i], Pad))
		}
	}
	return loss
}
