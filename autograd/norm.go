package autograd

import (
	"slices"

	"github.com/mega-go/mega/internal/kernel"
	"github.com/mega-go/mega/tensor"
)

// LayerNorm normalises each row of x [..., D] to mean 0 and variance 1, then
// multiplies by weight and adds bias, both [D] or both nil. Norms over rows are followed by
// Dropout of probability drop.
func (t *Tape) LayerNorm(x, weight, bias *Variable, eps float32, drop float64) *Variable {
	return t.normRows(x, weight, bias, eps, drop, layerNorm)
}

// RMSNorm divides each row of x [..., D] by the root of its mean square and
// multiplies it by weight [D] (reference root_mean_square_norm.py). A nil weight
// is 1 everywhere.
func (t *Tape) RMSNorm(x, weight *Variable, eps float32, drop float64) *Variable {
	if weight == nil {
		return t.ScaleNorm(x, nil, eps, drop)
	}
	return t.normRows(x, weight, nil, eps, drop, rmsNorm)
}

// ScaleNorm divides each row of x [..., D] by the root of its mean square and
// multiplies it by one number, scale [1] (reference scale_norm.py:28-34). A nil
// scale is 1.
func (t *Tape) ScaleNorm(x, scale *Variable, eps float32, drop float64) *Variable {
	return t.normRows(x, scale, nil, eps, drop, scaleNorm)
}

// A normKind is a norm over rows.
type normKind int

const (
	layerNorm normKind = iota
	rmsNorm
	scaleNorm
)

// normRows computes a norm over rows.
func (t *Tape) normRows(x, weight, bias *Variable, eps float32, drop float64, kind normKind) *Variable {
	start := t.start()
	stats := t.pool.Get(2, x.Rows())
	out := t.allocLike(x)
	norm := rowNorm{t, x, weight, bias, stats, eps, t.ending(Ending{Drop: drop}), kind}
	norm.run(out.value)
	if !t.wants(x, weight, bias) {
		t.pool.Put(stats)
	} else {
		out.recompute = norm.run
		t.pushMany("norm", []*Variable{out}, []*tensor.Tensor{stats}, []*Variable{x, weight, bias}, func() {
			norm.grad(t.outGrad(out))
		})
	}
	t.stop("norm", start)
	return out
}

// A rowNorm is a norm over rows that may be computed again: it fills stats with the mean
// and rstd of each row, or rstd alone.
type rowNorm struct {
	t               *Tape
	x, weight, bias *Variable
	stats           *tensor.Tensor // [2, rows]
	eps             float32
	drop            ending
	kind            normKind
}

// normOperands are what a norm over rows works on; weight and bias may be nil.
type normOperands struct {
	kind         normKind
	dst, x       *tensor.Tensor
	weight, bias *tensor.Tensor
	stats        *tensor.Tensor // mean and rstd [2, rows]
	eps          float32
	drop         ending // which activates nothing
}

func (n rowNorm) operands(dst *tensor.Tensor) normOperands {
	return normOperands{n.kind, dst, n.t.value(n.x), n.t.optional(n.weight), n.t.optional(n.bias), n.stats, n.eps, n.drop}
}

func (n rowNorm) run(dst *tensor.Tensor) { n.t.ops.norm(n.operands(dst)) }

// grad passes dy on to x, whose gradient goes to scratch memory if it is not
// wanted, and to the parameters.
func (n rowNorm) grad(dy *tensor.Tensor) {
	o := n.operands(nil)
	accumulate := false
	if n.x.needs {
		o.dst, accumulate = n.t.grad(n.x)
	} else {
		o.dst = n.t.pool.Get(n.x.shape...)
		defer n.t.pool.Put(o.dst)
	}
	n.t.addGrads(func(d []*tensor.Tensor) { n.t.ops.normGrad(o, dy, d[0], d[1], accumulate) }, n.weight, n.bias)
}

// normNumbers are the numbers of normOperands in the host's memory.
type normNumbers struct {
	dst, x                   *tensor.Tensor
	weight, bias, mean, rstd []float32
	eps                      float32
}

// A normForward computes rows of dst.
type normForward func(o normNumbers, from, to int)

// A normBackward writes the gradient of rows of x to dst, or adds it, and adds
// those of weight and bias to part.
type normBackward func(o normNumbers, dy *tensor.Tensor, accumulate bool, part []float32, from, to int)

// The kernels of norms over rows, by their kind.
var normForwards, normBackwards = [...]normForward{layerNormRows, rmsNormRows, scaleNormRows},
	[...]normBackward{layerNormGrad, rmsNormGrad, scaleNormGrad}

func (n normOperands) numbers() normNumbers {
	return normNumbers{n.dst, n.x, optionalData(n.weight), optionalData(n.bias), n.stats.Row(0), n.stats.Row(1), n.eps}
}

// optionalData returns the numbers of a tensor that may be nil.
func optionalData(x *tensor.Tensor) []float32 {
	if x == nil {
		return nil
	}
	return x.Data()
}

func (h *host) norm(n normOperands) {
	onRows(h.tape(), n.dst.Rows(), n.dst.Cols(), n.numbers(), normForwards[n.kind])
	if n.drop.p > 0 {
		h.finish(n.dst, n.dst, n.drop)
	}
}

func (h *host) normGrad(n normOperands, dy, dweight, dbias *tensor.Tensor, accumulate bool) {
	if n.drop.p > 0 {
		h.finishGrad(dy, dy, nil, n.drop)
	}
	o := n.numbers()
	dparams := make([]float32, max(1, len(o.weight)+len(o.bias)))
	h.tape().reduceBlocks(dparams, o.dst.Rows(), o.dst.Cols(), func(part []float32, from, to int) {
		normBackwards[n.kind](o, dy, accumulate, part, from, to)
	})
	copy(optionalData(dweight), dparams[:len(o.weight)])
	copy(optionalData(dbias), dparams[len(o.weight):])
}

func layerNormRows(o normNumbers, from, to int) {
	kernel.LayerNorm(rowsFrom(o.dst, from), rowsFrom(o.x, from), o.weight, o.bias, o.mean[from:to], o.rstd[from:to],
		to-from, o.x.Cols(), o.dst.Stride(), o.x.Stride(), o.eps)
}

func layerNormGrad(o normNumbers, dy *tensor.Tensor, accumulate bool, part []float32, from, to int) {
	var dw, db []float32
	if o.weight != nil {
		dw, db = part[:len(o.weight)], part[len(o.weight):]
	}
	kernel.LayerNormGrad(rowsFrom(o.dst, from), dw, db, rowsFrom(dy, from), rowsFrom(o.x, from), o.weight,
		o.mean[from:to], o.rstd[from:to], to-from, o.x.Cols(), o.dst.Stride(), dy.Stride(), o.x.Stride(), accumulate)
}

func rmsNormRows(o normNumbers, from, to int) {
	kernel.RMSNorm(rowsFrom(o.dst, from), rowsFrom(o.x, from), o.weight, o.rstd[from:to],
		to-from, o.x.Cols(), o.dst.Stride(), o.x.Stride(), o.eps)
}

func rmsNormGrad(o normNumbers, dy *tensor.Tensor, accumulate bool, part []float32, from, to int) {
	kernel.RMSNormGrad(rowsFrom(o.dst, from), part, rowsFrom(dy, from), rowsFrom(o.x, from), o.weight, o.rstd[from:to],
		to-from, o.x.Cols(), o.dst.Stride(), dy.Stride(), o.x.Stride(), accumulate)
}

func scaleNormRows(o normNumbers, from, to int) {
	kernel.ScaleNorm(rowsFrom(o.dst, from), rowsFrom(o.x, from), first(o.weight), o.rstd[from:to],
		to-from, o.x.Cols(), o.dst.Stride(), o.x.Stride(), o.eps)
}

func scaleNormGrad(o normNumbers, dy *tensor.Tensor, accumulate bool, part []float32, from, to int) {
	part[0] = kernel.ScaleNormGrad(rowsFrom(o.dst, from), rowsFrom(dy, from), rowsFrom(o.x, from), first(o.weight), o.rstd[from:to],
		to-from, o.x.Cols(), o.dst.Stride(), dy.Stride(), o.x.Stride(), accumulate)
}

// first returns the only number of a scale, 1 for none.
func first(scale []float32) float32 {
	if scale == nil {
		return 1
	}
	return scale[0]
}

// BatchNorm normalises each channel of x [..., D] over all rows, padding
// included, and moves the running mean and (unbiased) variance, [D], towards
// the batch's by momentum (torch.nn.BatchNorm1d in training; reference
// sequence_norm.py:29-37). weight and bias are [D], or nil for 1 and 0.
func (t *Tape) BatchNorm(x, weight, bias *Variable, runningMean, runningVar *tensor.Tensor, momentum, eps float32) *Variable {
	return t.batchNorm(x, weight, bias, runningMean, runningVar, momentum, eps, nil)
}

// SyncBatchNorm is BatchNorm over the rows of all processes of SetSum
// (torch.nn.SyncBatchNorm). The gradients of weight and bias are of this process's rows:
// they are summed like all others.
func (t *Tape) SyncBatchNorm(x, weight, bias *Variable, runningMean, runningVar *tensor.Tensor, momentum, eps float32) *Variable {
	return t.batchNorm(x, weight, bias, runningMean, runningVar, momentum, eps, t.sum)
}

// A batchNormCall is a batch norm in training.
type batchNormCall struct {
	x, weight, bias         *tensor.Tensor // weight and bias may be nil
	runningMean, runningVar *tensor.Tensor
	momentum, eps           float32
	sum                     func([]float64) // over processes, nil for this one alone

	stats *tensor.Tensor // [6, D], see below
	rows  int            // of the whole batch
}

// The rows of a batchNormCall's stats.
const (
	batchMean     = iota
	batchMeanRest // what rounding takes off the mean
	batchVariance // biased
	batchScale    // and the shift after it are what the norm does to x
	batchShift
	batchRstd
	batchStats // how many they are
)

func (t *Tape) batchNorm(x, weight, bias *Variable, runningMean, runningVar *tensor.Tensor, momentum, eps float32, sum func([]float64)) *Variable {
	start := t.start()
	c := batchNormCall{
		x: t.value(x), weight: t.optional(weight), bias: t.optional(bias), runningMean: runningMean, runningVar: runningVar,
		momentum: momentum, eps: eps, sum: sum, stats: t.pool.Get(batchStats, x.Cols()),
	}
	c.rows = t.ops.batchNorm(c)
	out := t.allocLike(x)
	t.compute(out, func(dst *tensor.Tensor) { t.ops.columnAffine(dst, t.value(x), c.stats, batchScale) })
	if !t.wants(x, weight, bias) {
		t.pool.Put(c.stats)
		t.stop("norm", start)
		return out
	}
	t.pushMany("norm", []*Variable{out}, []*tensor.Tensor{c.stats}, []*Variable{x, weight}, func() {
		c.x, c.weight = t.value(x), t.optional(weight)
		t.batchNormGrad(x, weight, bias, out, c)
	})
	t.stop("norm", start)
	return out
}

func (t *Tape) batchNormGrad(x, weight, bias, out *Variable, c batchNormCall) {
	dy := t.outGrad(out)
	var dx *tensor.Tensor
	accumulate := false
	if x.needs {
		dx, accumulate = t.grad(x)
	}
	t.addGrads(func(d []*tensor.Tensor) { t.ops.batchNormGrad(dx, d[0], d[1], dy, c, accumulate) }, weight, bias)
}

// batchNorm computes the statistics of c and moves the running ones.
func (h *host) batchNorm(c batchNormCall) (rows int) {
	d := c.x.Cols()
	mean, variance := c.stats.Row(batchMean), c.stats.Row(batchVariance)
	n := h.tape().columnMoments(mean, c.stats.Row(batchMeanRest), variance, c.x, c.sum)
	updateRunning(c.runningMean.Data(), mean, c.momentum)
	for i := range variance {
		variance[i] *= float32(n) / float32(max(1, n-1))
	}
	updateRunning(c.runningVar.Data(), variance, c.momentum)
	for i := range variance {
		variance[i] *= float32(max(1, n-1)) / float32(n)
	}
	kernel.BatchNormAffine(c.stats.Row(batchScale), c.stats.Row(batchShift), c.stats.Row(batchRstd), mean, variance,
		dataOr(c.weight, d, 1), dataOr(c.bias, d, 0), c.eps)
	return n
}

// updateRunning moves running towards value by momentum.
func updateRunning(running, value []float32, momentum float32) {
	for i := range running {
		running[i] += momentum * (value[i] - running[i])
	}
}

// columnMoments computes the mean, what rounding it takes off, and the biased
// variance of each column of x, over the rows of all processes that sum adds up, nil for
// this one alone. It returns how many rows these are.
func (t *Tape) columnMoments(mean, meanRest, variance []float32, x *tensor.Tensor, sum func([]float64)) int {
	n, d := x.Rows(), x.Cols()
	sums := t.reduceBlocks64(2*d, n, d, func(part []float64, from, to int) {
		kernel.ColumnMoments(part[:d], part[d:], rowsFrom(x, from), to-from, d, x.Stride())
	})
	if sum != nil {
		sums = append(sums, float64(n))
		t.addUp(sums, sum)
		n = int(sums[2*d])
	}
	kernel.ColumnStatistics(mean, meanRest, variance, sums[:d], sums[d:2*d], n)
	return n
}

// addUp sums x over processes. One that is idle adds nothing.
func (t *Tape) addUp(x []float64, sum func([]float64)) {
	if t.company {
		clear(x)
	}
	sum(x)
}

func (h *host) batchNormGrad(dx, dweight, dbias, dy *tensor.Tensor, c batchNormCall, accumulate bool) {
	rows, d := c.x.Rows(), c.x.Cols()
	mean, rstd := c.stats.Row(batchMean), c.stats.Row(batchRstd)
	own := h.tape().reduceBlocks64(2*d, rows, d, func(part []float64, from, to int) {
		kernel.BatchNormSums(part[:d], part[d:], rowsFrom(dy, from), rowsFrom(c.x, from), mean, to-from, d, dy.Stride(), c.x.Stride())
	})
	sums := own
	if c.sum != nil {
		sums = slices.Clone(own)
		h.tape().addUp(sums, c.sum)
	}
	if dx != nil {
		h.batchNormInputGrad(dx, dy, c, sums, accumulate)
	}
	setWeightGrad(dweight, dbias, rstd, own)
}

func (h *host) batchNormInputGrad(dx, dy *tensor.Tensor, c batchNormCall, sums []float64, accumulate bool) {
	rows, d := c.x.Rows(), c.x.Cols()
	if h.company && c.sum != nil { // other rows decide the mean of dy, which is 0 of these
		if !accumulate {
			dx.Zero()
		}
		return
	}
	coef := h.pool.Get(4, d)
	factor, meanDy, slope, rest := coef.Row(0), coef.Row(1), coef.Row(2), coef.Row(3)
	kernel.BatchNormCoefficients(factor, meanDy, slope, rest, dataOr(c.weight, d, 1), c.stats.Row(batchRstd), c.stats.Row(batchMeanRest), sums[:d], sums[d:], c.rows)
	h.tape().eachBlock(rows, d, func(_, from, to int) {
		kernel.BatchNormGrad(rowsFrom(dx, from), rowsFrom(dy, from), rowsFrom(c.x, from), c.stats.Row(batchMean), factor, meanDy, slope, rest,
			to-from, d, dx.Stride(), dy.Stride(), c.x.Stride(), accumulate)
	})
	h.pool.Put(coef)
}

// BatchNormInference normalises x [..., D] by given statistics, [D], which are
// constants (torch.nn.BatchNorm1d in evaluation).
func (t *Tape) BatchNormInference(x, weight, bias *Variable, mean, variance *tensor.Tensor, eps float32) *Variable {
	start := t.start()
	stats := t.pool.Get(3, x.Cols())
	t.ops.batchNormStatistics(stats, mean, variance, t.optional(weight), t.optional(bias), eps)
	out := t.allocLike(x)
	t.ops.columnAffine(out.value, t.value(x), stats, 0)
	if !t.wants(x, weight, bias) {
		t.pool.Put(stats)
		t.stop("norm", start)
		return out
	}
	out.recompute = func(dst *tensor.Tensor) { t.ops.columnAffine(dst, t.value(x), stats, 0) }
	t.pushMany("norm", []*Variable{out}, []*tensor.Tensor{stats}, []*Variable{x, weight}, func() {
		src, dy := t.value(x), t.outGrad(out)
		t.addGrads(func(d []*tensor.Tensor) { t.ops.batchNormInferenceGrad(d[0], d[1], d[2], dy, src, mean, stats) }, x, weight, bias)
	})
	t.stop("norm", start)
	return out
}

// batchNormStatistics sets stats [3, D] to scale and shift, of x, and rstd.
func (h *host) batchNormStatistics(stats, mean, variance, weight, bias *tensor.Tensor, eps float32) {
	d := stats.Cols()
	kernel.BatchNormAffine(stats.Row(0), stats.Row(1), stats.Row(2), mean.Data(), variance.Data(), dataOr(weight, d, 1), dataOr(bias, d, 0), eps)
}

func (h *host) columnAffine(dst, x, stats *tensor.Tensor, row int) {
	h.tape().scaleColumns(dst, x, stats.Row(row), stats.Row(row+1))
}

func (h *host) batchNormInferenceGrad(dx, dweight, dbias, dy, x, mean, stats *tensor.Tensor) {
	n, d := x.Rows(), x.Cols()
	sums := h.tape().reduceBlocks64(2*d, n, d, func(part []float64, from, to int) {
		kernel.BatchNormSums(part[:d], part[d:], rowsFrom(dy, from), rowsFrom(x, from), mean.Data(), to-from, d, dy.Stride(), x.Stride())
	})
	h.tape().scaleColumns(dx, dy, stats.Row(0), make([]float32, d))
	setWeightGrad(dweight, dbias, stats.Row(2), sums)
}

// setWeightGrad sets the gradients of weight and bias, which may be nil, given the sums of
// kernel.BatchNormSums.
func setWeightGrad(dweight, dbias *tensor.Tensor, rstd []float32, sums []float64) {
	d := len(rstd)
	if dweight != nil {
		for i, v := range sums[d:] {
			dweight.Data()[i] = float32(float64(rstd[i]) * v)
		}
	}
	if dbias != nil {
		for i, v := range sums[:d] {
			dbias.Data()[i] = float32(v)
		}
	}
}

// scaleColumns computes dst = x scale + shift, row by row.
func (t *Tape) scaleColumns(dst, x *tensor.Tensor, scale, shift []float32) {
	o := normNumbers{dst: dst, x: x, weight: scale, bias: shift}
	onRows(t, x.Rows(), x.Cols(), o, func(o normNumbers, from, to int) {
		kernel.ColumnAffine(rowsFrom(o.dst, from), rowsFrom(o.x, from), o.weight, o.bias,
			to-from, o.x.Cols(), o.dst.Stride(), o.x.Stride())
	})
}

// rowsFrom returns the storage of x from row i on.
func rowsFrom(x *tensor.Tensor, i int) []float32 { return x.Data()[i*x.Stride():] }

// dataOr returns a tensor's numbers, or n times c for none.
func dataOr(v *tensor.Tensor, n int, c float32) []float32 {
	if v != nil {
		return v.Data()
	}
	x := make([]float32, n)
	kernel.Fill(x, c)
	return x
}

// reduceBlocks64 is Tape.reduceBlocks for sums in float64: it returns n sums.
func (t *Tape) reduceBlocks64(n, rows, width int, f func(part []float64, from, to int)) []float64 {
	_, count := rowBlocks(rows, width)
	t.wide = slices.Grow(t.wide[:0], count*n)[:count*n]
	parts := t.wide
	clear(parts)
	t.eachBlock(rows, width, func(block, from, to int) { f(parts[block*n:(block+1)*n], from, to) })
	sums := make([]float64, n)
	for b := range count {
		for i, v := range parts[b*n : (b+1)*n] {
			sums[i] += v
		}
	}
	return sums
}
