package kernel

import "math"

// attentionScoresGeneric sets s ← scale·s + bias and returns the largest.
func attentionScoresGeneric(s, bias []float32, scale float32) float32 {
	m := negInf
	for j, b := range bias {
		s[j] = s[j]*scale + b
		m = max(m, s[j])
	}
	return m
}

// attentionExpGeneric sets s ← exp(s − m) and returns the sum. Less than
// 2^-126 becomes 0 in assembly.
func attentionExpGeneric(s []float32, m float32) float32 {
	sum := 0.0
	for j, x := range s {
		s[j] = float32(math.Exp(float64(x - m)))
		sum += float64(s[j])
	}
	return float32(sum)
}

// attentionWeightsGeneric sets s ← f(scale·s + bias), for relu2 and laplace.
func attentionWeightsGeneric(f AttentionFunction, s, bias []float32, scale float32) {
	for j, b := range bias {
		s[j] = float32(f.activation().value(float64(s[j]*scale + b)))
	}
}

// attentionSoftmaxGradGeneric takes the products q·k in p and the derivatives
// by P in ds. It sets p to P = exp(scale·p + bias − logSum), ds to those by
// the products, scale·dS with dS = P∘(dP − delta), and adds dS to dbias.
func attentionSoftmaxGradGeneric(p, ds, bias, dbias []float32, scale, logSum, delta float32) {
	for j, b := range bias {
		p[j] = float32(math.Exp(float64(p[j]*scale + b - logSum)))
		d := p[j] * (ds[j] - delta)
		dbias[j] += d
		ds[j] = d * scale
	}
}

// attentionWeightsGradGeneric is the same for P = f(scale·p + bias).
func attentionWeightsGradGeneric(f AttentionFunction, p, ds, bias, dbias []float32, scale float32) {
	for j, b := range bias {
		s := float64(p[j]*scale + b)
		p[j] = float32(f.activation().value(s))
		d := ds[j] * float32(f.activation().derivative(s))
		dbias[j] += d
		ds[j] = d * scale
	}
}

// attentionDotsGeneric sets s[j] to the product of q and row j of k.
func attentionDotsGeneric(s, q []float32, k Matrix) {
	for j := range s {
		sum := float32(0)
		for i, x := range k.Data[j*k.Stride:][:len(q)] {
			sum += x * q[i]
		}
		s[j] = sum
	}
}

// attentionSumGeneric sets out ← out + Σ_j p[j] v_j, over rows v_j of v.
func attentionSumGeneric(out, p []float32, v Matrix) {
	for j, w := range p {
		for i, x := range v.Data[j*v.Stride:][:len(out)] {
			out[i] += w * x
		}
	}
}

// activation returns the function of relu2 and laplace.
func (f AttentionFunction) activation() Activation {
	if f == AttentionLaplace {
		return Laplace
	}
	return ReLU2
}
