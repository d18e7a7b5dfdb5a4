package naive

// NormEps is ε of every norm (sequence_norm.py:15, which overrides the smaller
// defaults of ScaleNorm and RMSNorm).
const NormEps = 1e-5

// batchNormMomentum is the weight of a new batch in the running statistics
// (torch.nn.BatchNorm1d's default, which the reference keeps).
const batchNormMomentum = 0.1

// LayerNorm returns (x − mean)/√(var + ε)·weight + bias over each row of x
// [R×D]; weight and bias are [1×D] or nil.
func LayerNorm(x, weight, bias *Matrix) *Matrix {
	centred := Sub(x, rowMean(x))
	return affine(Mul(centred, rsqrt(rowMean(Mul(centred, centred)))), weight, bias)
}

// ScaleNorm returns scalar·x/√(mean(x²) + ε) over each row of x [R×D]; scalar is
// 1×1 or nil. It is a mean, not Nguyen and Salazar's sum (scale_norm.py:28).
func ScaleNorm(x, scalar *Matrix) *Matrix {
	return affine(Mul(x, rsqrt(rowMean(Mul(x, x)))), scalar, nil)
}

// RMSNorm returns weight∘x/√(mean(x²) + ε) over each row of x [R×D]; weight is
// [1×D] or nil (root_mean_square_norm.py:28).
func RMSNorm(x, weight *Matrix) *Matrix {
	return affine(Mul(x, rsqrt(rowMean(Mul(x, x)))), weight, nil)
}

// BatchNorm returns (x − mean)/√(var + ε)·weight + bias over each column of x
// [R×D], R being every position of the batch, padding too (sequence_norm.py:30).
// In training mean and var are the batch's, and the running ones move towards
// them by a tenth, in place, var with R−1 in the denominator; otherwise mean and
// var are the running ones.
func BatchNorm(x, weight, bias *Matrix, runningMean, runningVar []float64, training bool) *Matrix {
	if !training {
		centred := Sub(x, New(1, x.Cols, runningMean))
		return affine(Mul(centred, rsqrt(New(1, x.Cols, runningVar))), weight, bias)
	}
	n := float64(x.Rows)
	mean := Scale(ColSum(x), 1/n)
	centred := Sub(x, mean)
	variance := Scale(ColSum(Mul(centred, centred)), 1/n)
	for j := range x.Cols {
		runningMean[j] += batchNormMomentum * (mean.Data[j] - runningMean[j])
		runningVar[j] += batchNormMomentum * (variance.Data[j]*n/(n-1) - runningVar[j])
	}
	return affine(Mul(centred, rsqrt(variance)), weight, bias)
}

func rowMean(x *Matrix) *Matrix { return Scale(RowSum(x), 1/float64(x.Cols)) }

// rsqrt returns 1/√(x + ε).
func rsqrt(x *Matrix) *Matrix { return Pow(Offset(x, NormEps), -0.5) }

func affine(x, weight, bias *Matrix) *Matrix {
	if weight != nil {
		x = Mul(x, weight)
	}
	if bias != nil {
		x = Add(x, bias)
	}
	return x
}

// Norm is one of the norms with its parameters, of which those that a type does
// not have are nil.
type Norm struct {
	Type                    string // layernorm, scalenorm, rmsnorm, batchnorm, syncbatchnorm
	Weight, Bias            *Matrix
	RunningMean, RunningVar []float64
	Training                bool // batchnorm: use and record the batch's statistics
}

// Apply normalises x, all rows of a batch.
func (n *Norm) Apply(x *Matrix) *Matrix {
	switch n.Type {
	case "layernorm":
		return LayerNorm(x, n.Weight, n.Bias)
	case "scalenorm":
		return ScaleNorm(x, n.Weight)
	case "rmsnorm":
		return RMSNorm(x, n.Weight)
	case "batchnorm", "syncbatchnorm":
		return BatchNorm(x, n.Weight, n.Bias, n.RunningMean, n.RunningVar, n.Training)
	}
	panic("naive: unknown norm " + n.Type)
}
