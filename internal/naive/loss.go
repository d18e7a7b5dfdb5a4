package naive

// NoPad, as the padding of a loss, leaves no target out.
const NoPad = -1

// CrossEntropy returns −Σ log softmax(logits)[target], 1×1, over the rows of
// logits [R×V] whose target is not pad (criterions/cross_entropy.py,
// criterions/lra_cross_entropy.py:42).
func CrossEntropy(logits *Matrix, targets []int, pad int) *Matrix {
	return Scale(Sum(pick(LogSoftmax(logits), targets, pad)), -1)
}

// WeightedCrossEntropy returns −Σ w[target]·log softmax(logits)[target], 1×1, over
// the rows of logits [R×V] (torch.nn.CrossEntropyLoss, weight, reduction="sum").
func WeightedCrossEntropy(logits *Matrix, targets []int, weights []float64) *Matrix {
	of := New(len(targets), 1, nil)
	for i, target := range targets {
		of.Data[i] = weights[target]
	}
	return Scale(Sum(Mul(pick(LogSoftmax(logits), targets, NoPad), of)), -1)
}

// LabelSmoothedCrossEntropy returns Σ (1−eps)·nll + eps/V·Σ_v −log p(v), 1×1, over
// the rows of logits [R×V] whose target is not pad: eps is spread over all
// classes, the target's too (criterions/label_smoothed_cross_entropy.py:12).
func LabelSmoothedCrossEntropy(logits *Matrix, targets []int, eps float64, pad int) *Matrix {
	logProbs := LogSoftmax(logits)
	nll := Scale(Sum(pick(logProbs, targets, pad)), -1)
	kept := Fill(logProbs, 0, func(i, _ int) bool { return targets[i] == pad })
	smooth := Scale(Sum(kept), -1/float64(logits.Cols))
	return Add(Scale(nll, 1-eps), Scale(smooth, eps))
}

// pick returns x[i, targets[i]] of each row, [R×1], and 0 where the target is pad.
func pick(x *Matrix, targets []int, pad int) *Matrix {
	return Gather(x, x.Rows, 1, func(i, _ int) int {
		if targets[i] == pad {
			return -1
		}
		return i*x.Cols + targets[i]
	})
}
