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
		NEON: {AttentionReLU2: attentionReLU2NEON, AttentionLaplace: attentionLaplaceNEON},
	}
	weightsGradFuncs = [...][3]weightsGradFunc{
		NEON: {AttentionReLU2: attentionReLU2GradNEON, AttentionLaplace: attentionLaplaceGradNEON},
	}
)

func attentionScores(s, bias []float32, scale float32) float32 {
	checkLengths(len(s), len(bias))
	if Current() == NEON {
		return attentionScoresNEON(&s[0], &bias[0], len(s), scale)
	}
	return attentionScoresGeneric(s, bias, scale)
}

func attentionExp(s []float32, m float32) float32 {
	if Current() == NEON {
		return attentionExpNEON(&s[0], len(s), m)
	}
	return attentionExpGeneric(s, m)
}

func attentionWeights(f AttentionFunction, s, bias []float32, scale float32) {
	checkLengths(len(s), len(bias))
	if i := Current(); i != Generic {
		weightsFuncs[i][f](&s[0], &bias[0], len(s), scale)
		return
	}
	attentionWeightsGeneric(f, s, bias, scale)
}

func attentionSoftmaxGrad(p, ds, bias, dbias []float32, scale, logSum, delta float32) {
	checkLengths(len(p), len(ds), len(bias), len(dbias))
	if Current() == NEON {
		attentionSoftmaxGradNEON(&p[0], &ds[0], &bias[0], &dbias[0], len(p), scale, logSum, delta)
		return
	}
	attentionSoftmaxGradGeneric(p, ds, bias, dbias, scale, logSum, delta)
}

func attentionWeightsGrad(f AttentionFunction, p, ds, bias, dbias []float32, scale float32) {
	checkLengths(len(p), len(ds), len(bias), len(dbias))
	if i := Current(); i != Generic {
		weightsGradFuncs[i][f](&p[0], &ds[0], &bias[0], &dbias[0], len(p), scale)
		return
	}
	attentionWeightsGradGeneric(f, p, ds, bias, dbias, scale)
}

func attentionDots(s, q []float32, k Matrix) {
	k.check("keys", len(s), len(q))
	if Current() == Generic || len(s) == 0 || len(q) == 0 {
		attentionDotsGeneric(s, q, k)
		return
	}
	attentionDotsNEON(&s[0], &q[0], &k.Data[0], len(q), 4*k.Stride, len(s))
}

func attentionSum(out, p []float32, v Matrix) {
	v.check("values", len(p), len(out))
	if Current() == Generic || len(p) == 0 || len(out) == 0 {
		attentionSumGeneric(out, p, v)
		return
	}
	attentionSumNEON(&out[0], &p[0], &v.Data[0], len(out), 4*v.Stride, len(p))
}
