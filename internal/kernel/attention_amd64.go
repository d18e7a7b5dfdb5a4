//go:build !purego

package kernel

// Each function here equals its generic twin, which documents it. Rows of
// scores are not empty.

// A weightsFunc is an assembly kernel of a function of each score alone, a
// weightsGradFunc one of its derivative.
type (
	weightsFunc     func(s, bias *float32, n int, scale float32)
	weightsGradFunc func(p, ds, bias, dbias *float32, n int, scale float32)
)

var (
	weightsFuncs = [...][3]weightsFunc{
		AVX2:   {AttentionReLU2: attentionReLU2AVX2, AttentionLaplace: attentionLaplaceAVX2},
		AVX512: {AttentionReLU2: attentionReLU2AVX512, AttentionLaplace: attentionLaplaceAVX512},
	}
	weightsGradFuncs = [...][3]weightsGradFunc{
		AVX2:   {AttentionReLU2: attentionReLU2GradAVX2, AttentionLaplace: attentionLaplaceGradAVX2},
		AVX512: {AttentionReLU2: attentionReLU2GradAVX512, AttentionLaplace: attentionLaplaceGradAVX512},
	}
)

func attentionScores(s, bias []float32, scale float32) float32 {
	checkLengths(len(s), len(bias))
	switch current {
	case AVX512:
		return attentionScoresAVX512(&s[0], &bias[0], len(s), scale)
	case AVX2:
		return attentionScoresAVX2(&s[0], &bias[0], len(s), scale)
	}
	return attentionScoresGeneric(s, bias, scale)
}

func attentionExp(s []float32, m float32) float32 {
	switch current {
	case AVX512:
		return attentionExpAVX512(&s[0], len(s), m)
	case AVX2:
		return attentionExpAVX2(&s[0], len(s), m)
	}
	return attentionExpGeneric(s, m)
}

func attentionWeights(f AttentionFunction, s, bias []float32, scale float32) {
	checkLengths(len(s), len(bias))
	if i := current; i != Generic {
		weightsFuncs[i][f](&s[0], &bias[0], len(s), scale)
		return
	}
	attentionWeightsGeneric(f, s, bias, scale)
}

func attentionSoftmaxGrad(p, ds, bias, dbias []float32, scale, logSum, delta float32) {
	checkLengths(len(p), len(ds), len(bias), len(dbias))
	switch current {
	case AVX512:
		attentionSoftmaxGradAVX512(&p[0], &ds[0], &bias[0], &dbias[0], len(p), scale, logSum, delta)
	case AVX2:
		attentionSoftmaxGradAVX2(&p[0], &ds[0], &bias[0], &dbias[0], len(p), scale, logSum, delta)
	default:
		attentionSoftmaxGradGeneric(p, ds, bias, dbias, scale, logSum, delta)
	}
}

func attentionWeightsGrad(f AttentionFunction, p, ds, bias, dbias []float32, scale float32) {
	checkLengths(len(p), len(ds), len(bias), len(dbias))
	if i := current; i != Generic {
		weightsGradFuncs[i][f](&p[0], &ds[0], &bias[0], &dbias[0], len(p), scale)
		return
	}
	attentionWeightsGradGeneric(f, p, ds, bias, dbias, scale)
}

func attentionDots(s, q []float32, k Matrix) {
	k.check("keys", len(s), len(q))
	i := current
	if i == Generic || len(s) == 0 || len(q) == 0 {
		attentionDotsGeneric(s, q, k)
		return
	}
	dots := attentionDotsAVX2
	if i == AVX512 {
		dots = attentionDotsAVX512
	}
	dots(&s[0], &q[0], &k.Data[0], len(q), 4*k.Stride, len(s))
}

func attentionSum(out, p []float32, v Matrix) {
	v.check("values", len(p), len(out))
	i := current
	if i == Generic || len(p) == 0 || len(out) == 0 {
		attentionSumGeneric(out, p, v)
		return
	}
	sum := attentionSumAVX2
	if i == AVX512 {
		sum = attentionSumAVX512
	}
	sum(&out[0], &p[0], &v.Data[0], len(out), 4*v.Stride, len(p))
}
