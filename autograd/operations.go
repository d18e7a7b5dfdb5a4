package autograd

import (
	"github.com/mega-go/mega/internal/kernel"
	"github.com/mega-go/mega/tensor"
)

// operations are what a tape computes with: one call is one operation on whole tensors,
// which all are in the memory of who computes. The host's, in host's methods, are this
// package's files of families of operations; those of a device are in device*.go.
//
// The border is drawn here, at operations, and not below at the kernels for rows. A
// device runs an operation as a few launches over all rows, and what goes with it (which
// rows a task takes, in which memory the sums of blocks are, how a sum is cut) is another
// matter on each side. Above, in Tape, are shapes, what is recorded, and the life of
// buffers, which are the same for both. Gradients are of fixed order on either side, so
// that runs can be repeated bit for bit.
//
// dst is overwritten unless its comment says that it is added to. Where no comment says
// otherwise, operands have dst's shape and may be columns of wider tensors.
type operations interface {
	fill(dst *tensor.Tensor, x float32)
	copy(dst, src *tensor.Tensor)
	add(dst, a, b *tensor.Tensor)
	finish(dst, x *tensor.Tensor, e ending)         // dst may be x
	finishGrad(dx, dy, x *tensor.Tensor, e ending)  // x is not read, and may be nil, where e activates nothing
	addFinished(dst, a, x *tensor.Tensor, e ending) // dst = a + what finish makes of x
	drawFeatures(f featureDrop)
	dropFeatures(dst, x *tensor.Tensor, f featureDrop)
	copyUnmasked(dst, src *tensor.Tensor, mask []bool) // zero in rows whose mask is true

	multiply(c, a, b *tensor.Tensor, how int, e epilogue)        // c = a b, see plain, transposedA, transposedB
	multiplyPacked(c, x *tensor.Tensor, w *Variable, e epilogue) // c = x wᵀ for w of Pack
	columnSums(dst, x *tensor.Tensor)

	queryKey(dst, z, gamma, beta *tensor.Tensor) // queries and keys side by side
	queryKeyGrad(dz, dgamma, dbeta, dy, z, gamma *tensor.Tensor)
	siluMul(dst, r, a *tensor.Tensor)
	siluMulGrad(dr, da, dy, r, a *tensor.Tensor)
	gatedResidual(dst, residual, u, h *tensor.Tensor, e ending) // with what finish makes of h
	gatedResidualGrad(dresidual, du, dh, dy, residual, u, h *tensor.Tensor, e ending)

	norm(n normOperands)
	normGrad(n normOperands, dy, dweight, dbias *tensor.Tensor, accumulate bool) // adds to dst if accumulate is set; dy may be lost
	batchNormStatistics(stats, mean, variance, weight, bias *tensor.Tensor, eps float32)
	batchNorm(c batchNormCall) (rows int)
	batchNormGrad(dx, dweight, dbias, dy *tensor.Tensor, c batchNormCall, accumulate bool) // adds to dx if accumulate is set; all three may be nil
	batchNormInferenceGrad(dx, dweight, dbias, dy, x, mean, stats *tensor.Tensor)          // stats are batchNormStatistics'; dweight and dbias may be nil
	columnAffine(dst, x, stats *tensor.Tensor, row int)                                    // dst = x stats[row] + stats[row+1], of each column

	embed(dst, table *tensor.Tensor, tokens []int32, scale float32)
	embedGrad(dtable, dy *tensor.Tensor, tokens []int32, scale float32, padding int32) // adds to dtable
	embedReals(dst *tensor.Tensor, x []float32, w, b *tensor.Tensor)
	embedRealsGrad(dw *tensor.Tensor, x []float32, dy *tensor.Tensor)
	patches(dst *tensor.Tensor, pixels []float32, p patchGrid)
	meanPool(dst, x *tensor.Tensor, lengths []float32)
	meanPoolGrad(dx, dy *tensor.Tensor, lengths []float32)
	placeRows(dst, x *tensor.Tensor, rows []int32, scale float32) // dst[rows[i]] = scale x[i]
	takeRows(dst, x *tensor.Tensor, rows []int32, scale float32)  // dst[i] = scale x[rows[i]]
	joinBands(dst *tensor.Tensor, parts []*tensor.Tensor, words int)
	rows(dst, src *tensor.Tensor, rows []int32)     // dst[i] = src[rows[i]]
	rowsGrad(dsrc, dy *tensor.Tensor, rows []int32) // adds dy[i] to dsrc[rows[i]]

	// ema returns what emaGrad takes if it is to come.
	ema(dst, x *tensor.Tensor, mask []bool, batch, length int, p EMAParameters, c EMAConfig, record bool) *kernel.EMACoefficients
	emaGrad(dx *tensor.Tensor, dparams [5]*tensor.Tensor, dy, x *tensor.Tensor, mask []bool, batch, length int, p EMAParameters, c EMAConfig, saved *kernel.EMACoefficients) // adds to dparams

	continueAverage(dst, x *tensor.Tensor, mask []bool, batch, length int, s *EMAState) // moves s past x
	attention(dst, q, k, v *tensor.Tensor, a attentionCall)
	attentionGrad(dq, dk, dv, dbias, dy, q, k, v, out *tensor.Tensor, a attentionCall) // adds to dbias
	continueAttention(dst, q, k, v *tensor.Tensor, a attentionCall)                    // by a.State; k and v are nil for sources
	rotaryBias(dst, alpha, beta *tensor.Tensor, chunk int)
	rotaryBiasGrad(dalpha, dbeta, dy, alpha, beta *tensor.Tensor, chunk int)

	logSoftmax(dst, x *tensor.Tensor)
	crossEntropy(logSums, x *tensor.Tensor, t classTargets) func() LossNumbers // to be asked once
	crossEntropyGrad(dx, dloss, logSums, x *tensor.Tensor, t classTargets)
	softCrossEntropy(saved, x *tensor.Tensor, targets []float32) func() LossNumbers // to be asked once
	softCrossEntropyGrad(dx, dloss, saved, x *tensor.Tensor, targets []float32)
	argmax(x *tensor.Tensor) []int
	ranks(x *tensor.Tensor, targets []int32) []int
	targetLogProbs(x *tensor.Tensor, targets []int32) []float64
}

// An epilogue is what a product does with its sums before it writes them.
type epilogue struct {
	base *tensor.Tensor // added, of c's shape, such as c itself; nil for none
	bias *tensor.Tensor // of a row, added to each; nil for none
	act  Activation
	pre  *tensor.Tensor  // if not nil takes what act is given; laid out as c
	bf16 bool            // round the factors, whatever the tape is set to
	then kernel.Finisher // if not nil takes up what c is then; never on a device
}

// host computes on the processor: it is a tape as its operations see it.
type host Tape

func (h *host) tape() *Tape { return (*Tape)(h) }

func (h *host) fill(dst *tensor.Tensor, x float32) {
	if x == 0 {
		dst.Zero()
		return
	}
	dst.Fill(x)
}

func (h *host) copy(dst, src *tensor.Tensor) {
	if dst.Rows() != src.Rows() || dst.Cols() != src.Cols() || dst.Len() <= blockElements {
		dst.Copy(src)
		return
	}
	h.tape().elementwise(2, operands{dst: dst, a: src}, func(o operands, s span) { copy(s.of(o.dst), s.of(o.a)) })
}

var _ operations = (*host)(nil)
