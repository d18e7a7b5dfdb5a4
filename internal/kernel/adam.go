package kernel

import "math"

// AdamParams are the numbers of one step of Adam. They are float64 because
// 1 - Beta is taken from them: from a float32 of 0.98 it would be off by 1e-6.
type AdamParams struct {
	StepSize  float64 // lr √(1 - Beta2^t) / (1 - Beta1^t) at step t, from 1
	Beta1     float64 // decay of the mean of the gradients
	Beta2     float64 // decay of the mean of their squares
	Eps       float64 // added to the root before the correction of its bias
	Decay     float64 // weight decay times lr
	GradScale float64 // what gradients are multiplied by, for clipping
}

// AdamStepSize returns lr √(1 - beta2^t) / (1 - beta1^t), the StepSize of step
// t, which counts from 1.
func AdamStepSize(lr, beta1, beta2 float64, t int) float64 {
	return lr * math.Sqrt(1-math.Pow(beta2, float64(t))) / (1 - math.Pow(beta1, float64(t)))
}

// AdamStep updates the weights w and the means m and v as the reference does
// (fairseq/optim/adam.py:184), with weight decay first and eps added before the
// bias is corrected:
//
//	g = GradScale grad
//	m = Beta1 m + (1 - Beta1) g
//	v = Beta2 v + (1 - Beta2) g²
//	w = w - Decay w - StepSize m / (√v + Eps)
//
// All slices have one length; grad is left as it is.
func AdamStep(w, grad, m, v []float32, p AdamParams) {
	checkLengths(len(w), len(grad), len(m), len(v))
	adamStep(w, grad, m, v, adamNumbers{
		gradScale: float32(p.GradScale),
		beta1:     float32(p.Beta1),
		rest1:     float32(1 - p.Beta1),
		beta2:     float32(p.Beta2),
		rest2:     float32(1 - p.Beta2),
		eps:       float32(p.Eps),
		step:      float32(p.StepSize),
		decay:     float32(p.Decay),
	})
}

// adamNumbers are AdamParams rounded for the kernels.
type adamNumbers struct {
	gradScale, beta1, rest1, beta2, rest2, eps, step, decay float32
}
