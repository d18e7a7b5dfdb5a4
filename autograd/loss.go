package autograd

import (
	"fmt"
	"math"

	"github.com/mega-go/mega/internal/kernel"
	"github.com/mega-go/mega/tensor"
)

// A Loss is what a criterion says of a batch: the summed loss, shape [1], for
// Backward, and numbers to report.
type Loss struct {
	*Variable
	numbers *lossNumbers
}

// lossNumbers are LossNumbers that a device may still be computing.
type lossNumbers struct {
	ask    func() LossNumbers // nil once it was asked
	answer LossNumbers
}

func (n *lossNumbers) get() LossNumbers {
	if n.ask != nil {
		n.answer, n.ask = n.ask(), nil
	}
	return n.answer
}

// LossNumbers are sums over the rows of a batch.
type LossNumbers struct {
	Sum     float64 // the loss, summed in float64, in nats
	NLL     float64 // without label smoothing
	Correct int     // rows whose largest logit is the target's
	Count   int     // rows that count
}

// Host returns the numbers, after Backward and Reset too. Where tapes run on a
// device it waits for them, so that loops over batches do better to call it late. Until
// it is called the device keeps memory for each row.
func (l Loss) Host() LossNumbers { return l.numbers.get() }

// newLoss returns a loss whose numbers are there once ask returns. On the host it does so
// at once. On a device the value, which backward passes do without, waits until somebody
// wants it.
func (t *Tape) newLoss(ask func() LossNumbers) Loss {
	l := Loss{t.alloc(1), &lossNumbers{ask: ask}}
	fill := func(dst *tensor.Tensor) { t.ops.fill(dst, float32(l.Host().Sum)) }
	if t.device == nil {
		fill(l.value)
		return l
	}
	t.free(l.Variable)
	l.recompute = fill
	return l
}

// AddLosses returns the sum of losses of the same rows. The first says how many rows
// count and are right.
func (t *Tape) AddLosses(l Loss, more ...Loss) Loss {
	all := append([]Loss{l}, more...)
	sum := t.newLoss(func() LossNumbers {
		n := l.Host()
		for _, m := range more {
			n.Sum += m.Host().Sum
			n.NLL += m.Host().NLL
		}
		return n
	})
	if t.record {
		t.push("loss", sum.Variable, nil, func() {
			dy := t.outGrad(sum.Variable)
			for _, m := range all {
				t.addGrad(m.Variable, func(d *tensor.Tensor) { t.ops.copy(d, dy) })
			}
		})
	}
	return sum
}

// CrossEntropy returns the summed negative log-likelihood of targets [R] under
// softmax(logits [R, V]). Rows whose target is ignore do not count. With label
// smoothing ε the loss is (1−ε)·nll + ε/V·Σ_v −log p_v (reference
// label_smoothed_cross_entropy.py). It panics on a target outside [0, V).
func (t *Tape) CrossEntropy(logits *Variable, targets []int32, ignore int32, smoothing float64) Loss {
	start := t.start()
	x := t.value(logits)
	if len(targets) != x.Rows() {
		panic(fmt.Sprintf("autograd: %d targets for logits of shape %v", len(targets), x.Shape()))
	}
	sums := t.pool.Get(x.Rows())
	classes := classTargets{targets, ignore, smoothing}
	loss := t.newLoss(t.ops.crossEntropy(sums, x, classes))
	if !t.wants(logits) {
		t.pool.Put(sums)
		t.stop("loss", start)
		return loss
	}
	t.pushMany("loss", []*Variable{loss.Variable}, []*tensor.Tensor{sums}, []*Variable{logits}, func() {
		dloss := t.outGrad(loss.Variable)
		t.addGrad(logits, func(dst *tensor.Tensor) { t.ops.crossEntropyGrad(dst, dloss, sums, t.value(logits), classes) })
	})
	t.stop("loss", start)
	return loss
}

// classTargets are the classes that rows should have.
type classTargets struct {
	classes   []int32
	ignore    int32 // stands for a row that does not count
	smoothing float64
}

// check panics if a class of row i is none of v.
func (t classTargets) check(i, v int) {
	if c := t.classes[i]; c < 0 || int(c) >= v {
		panic(fmt.Sprintf("autograd: target %d of %d classes", c, v))
	}
}

// crossEntropy sets sums [rows] to log Σ exp x of each row that counts, and returns
// what the loss is.
func (h *host) crossEntropy(sums, x *tensor.Tensor, t classTargets) func() LossNumbers {
	rows, v := x.Rows(), x.Cols()
	terms := make([]rowLoss, rows)
	h.tape().eachRows(rows, v, func(i int) {
		if t.classes[i] != t.ignore {
			t.check(i, v)
			sums.Data()[i] = kernel.LogSumExp(x.Row(i))
			terms[i] = lossOfRow(x.Row(i), int(t.classes[i]), t.smoothing)
		}
	})
	return func() LossNumbers { return sumLoss(terms, t.smoothing) }
}

func (h *host) crossEntropyGrad(dx, dloss, sums, x *tensor.Tensor, t classTargets) {
	scale := dloss.Data()[0]
	h.tape().eachRows(x.Rows(), x.Cols(), func(i int) {
		class := t.classes[i]
		lossGradRow(dx.Row(i), x.Row(i), sums.Data()[i], int(class), class == t.ignore, scale, t.smoothing)
	})
}

// SoftCrossEntropy returns the summed cross-entropy Σ_v −t_v·log softmax(x)_v of
// logits x [R, V] under targets t [R, V], each row a distribution (timm/loss
// SoftTargetCrossEntropy) or one whose classes are weighted. A row is right where both are largest at one class.
func (t *Tape) SoftCrossEntropy(logits *Variable, targets []float32) Loss {
	start := t.start()
	x := t.value(logits)
	if len(targets) != x.Len() {
		panic(fmt.Sprintf("autograd: %d numbers of targets for logits of shape %v", len(targets), x.Shape()))
	}
	saved := t.pool.Get(x.Rows(), softLossSaved)
	loss := t.newLoss(t.ops.softCrossEntropy(saved, x, targets))
	if !t.wants(logits) {
		t.pool.Put(saved)
		t.stop("loss", start)
		return loss
	}
	t.pushMany("loss", []*Variable{loss.Variable}, []*tensor.Tensor{saved}, []*Variable{logits}, func() {
		dloss := t.outGrad(loss.Variable)
		t.addGrad(logits, func(dst *tensor.Tensor) { t.ops.softCrossEntropyGrad(dst, dloss, saved, t.value(logits), targets) })
	})
	t.stop("loss", start)
	return loss
}

// softLossSaved is how many numbers of a row softCrossEntropy has room to keep for its
// gradient: the CPU keeps the sum of the targets, a device three float64s and two
// float32s.
const softLossSaved = 8

func (h *host) softCrossEntropy(saved, x *tensor.Tensor, targets []float32) func() LossNumbers {
	rows, v := x.Rows(), x.Cols()
	terms := make([]rowLoss, rows)
	h.tape().eachRows(rows, v, func(i int) {
		target := targets[i*v:][:v]
		terms[i] = softLossOfRow(x.Row(i), target)
		sum := float32(0)
		for _, p := range target {
			sum += p
		}
		saved.Row(i)[0] = sum
	})
	return func() LossNumbers { return sumLoss(terms, 0) }
}

func (h *host) softCrossEntropyGrad(dx, dloss, saved, x *tensor.Tensor, targets []float32) {
	scale, v := dloss.Data()[0], x.Cols()
	h.tape().eachRows(x.Rows(), v, func(i int) {
		row := dx.Row(i)
		kernel.ExpSubRow(row, x.Row(i), kernel.LogSumExp(x.Row(i)))
		kernel.Scale(row, row, saved.Row(i)[0])
		kernel.Axpy(row, -1, targets[i*v:][:v])
		kernel.Scale(row, row, scale)
	})
}

// WeightedCrossEntropy returns the summed cross-entropy of targets [R] under
// softmax(logits [R, V]), each row's multiplied by the weight of its class, which is
// above 0: weights [V]. It panics on a target outside [0, V).
func (t *Tape) WeightedCrossEntropy(logits *Variable, targets []int32, weights []float32) Loss {
	v := t.value(logits).Cols()
	if len(weights) != v {
		panic(fmt.Sprintf("autograd: %d weights of %d classes", len(weights), v))
	}
	weighted := make([]float32, len(targets)*v)
	for i, target := range targets {
		if target < 0 || int(target) >= v {
			panic(fmt.Sprintf("autograd: target %d of %d classes", target, v))
		}
		weighted[i*v+int(target)] = weights[target]
	}
	return t.SoftCrossEntropy(logits, weighted)
}

// softLossOfRow computes a row's terms in float64.
func softLossOfRow(x, target []float32) rowLoss {
	hit := largest(target)
	hard := lossOfRow(x, hit, 0)
	r := rowLoss{counts: true, hit: hard.hit}
	logSum := hard.nll + float64(x[hit])
	for j, p := range target {
		r.nll += float64(p) * (logSum - float64(x[j]))
	}
	return r
}

// A rowLoss is one row's share of a loss.
type rowLoss struct {
	nll, smooth float64
	counts, hit bool
}

// lossOfRow computes a row's terms in float64: the sum over a batch must agree
// with others to more digits than float32 has.
func lossOfRow(x []float32, target int, smoothing float64) rowLoss {
	best := x[0]
	hit := 0
	for j, v := range x {
		if v > best {
			best, hit = v, j
		}
	}
	sum, total := 0.0, 0.0
	for _, v := range x {
		sum += math.Exp(float64(v - best))
		total += float64(v)
	}
	logSum := float64(best) + math.Log(sum)
	r := rowLoss{nll: logSum - float64(x[target]), counts: true, hit: hit == target}
	if smoothing != 0 {
		r.smooth = logSum - total/float64(len(x))
	}
	return r
}

func sumLoss(terms []rowLoss, smoothing float64) LossNumbers {
	var l LossNumbers
	smooth := 0.0
	for _, r := range terms {
		l.NLL += r.nll
		smooth += r.smooth
		if r.counts {
			l.Count++
		}
		if r.hit {
			l.Correct++
		}
	}
	l.Sum = (1-smoothing)*l.NLL + smoothing*smooth
	return l
}

// lossGradRow computes dst = scale · (softmax(x) − (1−ε)·onehot − ε/V).
func lossGradRow(dst, x []float32, logSum float32, target int, ignored bool, scale float32, smoothing float64) {
	if ignored {
		clear(dst)
		return
	}
	kernel.ExpSubRow(dst, x, logSum)
	if smoothing != 0 {
		kernel.AddScalar(dst, dst, float32(-smoothing/float64(len(x))))
	}
	dst[target] -= float32(1 - smoothing)
	kernel.Scale(dst, dst, scale)
}

// Argmax returns the column of each row's largest number, the first of equals.
func (t *Tape) Argmax(x *Variable) []int { return t.ops.argmax(t.value(x)) }

func (h *host) argmax(x *tensor.Tensor) []int {
	out := make([]int, x.Rows())
	h.tape().eachRows(x.Rows(), x.Cols(), func(i int) { out[i] = largest(x.Row(i)) })
	return out
}

// largest returns where the largest number is, the first of equals.
func largest(x []float32) int {
	at := 0
	for j, v := range x {
		if v > x[at] {
			at = j
		}
	}
	return at
}

// Ranks returns how many numbers of each row of x [R, V] are greater than the one
// of its target: 0 where that is the largest.
func (t *Tape) Ranks(x *Variable, targets []int32) []int { return t.ops.ranks(t.value(x), targets) }

func (h *host) ranks(x *tensor.Tensor, targets []int32) []int {
	out := make([]int, x.Rows())
	h.tape().eachRows(x.Rows(), x.Cols(), func(i int) {
		row := x.Row(i)
		for _, v := range row {
			if v > row[targets[i]] {
				out[i]++
			}
		}
	})
	return out
}

// TargetLogProbs returns the log-probability of each row's target under
// softmax(logits [R, V]).
func (t *Tape) TargetLogProbs(logits *Variable, targets []int32) []float64 {
	return t.ops.targetLogProbs(logits.Value(), targets)
}

func (h *host) targetLogProbs(x *tensor.Tensor, targets []int32) []float64 {
	out := make([]float64, x.Rows())
	h.tape().eachRows(x.Rows(), x.Cols(), func(i int) {
		row := x.Row(i)
		out[i] = float64(row[targets[i]]) - float64(kernel.LogSumExp(row))
	})
	return out
}
