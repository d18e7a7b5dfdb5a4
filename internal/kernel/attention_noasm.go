//go:build (!amd64 && !arm64) || purego

package kernel

func attentionScores(s, bias []float32, scale float32) float32 {
	return attentionScoresGeneric(s, bias, scale)
}

func attentionExp(s []float32, m float32) float32 { return attentionExpGeneric(s, m) }

func attentionWeights(f AttentionFunction, s, bias []float32, scale float32) {
	attentionWeightsGeneric(f, s, bias, scale)
}

func attentionSoftmaxGrad(p, ds, bias, dbias []float32, scale, logSum, delta float32) {
	attentionSoftmaxGradGeneric(p, ds, bias, dbias, scale, logSum, delta)
}

func attentionWeightsGrad(f AttentionFunction, p, ds, bias, dbias []float32, scale float32) {
	attentionWeightsGradGeneric(f, p, ds, bias, dbias, scale)
}

func attentionDots(s, q []float32, k Matrix) { attentionDotsGeneric(s, q, k) }

func attentionSum(out, p []float32, v Matrix) { attentionSumGeneric(out, p, v) }
