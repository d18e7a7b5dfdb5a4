//go:build !purego

package kernel

func activate(a Activation, dst, x []float32) {
	switch current {
	case AVX512:
		activateAVX512(a, dst, x)
	case AVX2:
		activateAVX2(a, dst, x)
	default:
		activateGeneric(a, dst, x)
	}
}

func activateGrad(a Activation, dx, dy, x []float32) {
	switch current {
	case AVX512:
		activateGradAVX512(a, dx, dy, x)
	case AVX2:
		activateGradAVX2(a, dx, dy, x)
	default:
		activateGradGeneric(a, dx, dy, x)
	}
}

func activateAVX2(a Activation, dst, x []float32) {
	switch d, p, n := at(dst), at(x), len(dst); a {
	case Identity:
		copy(dst, x)
	case Sigmoid:
		sigmoidAVX2(d, p, n)
	case SiLU:
		siluAVX2(d, p, n)
	case GELU:
		geluAVX2(d, p, n)
	case ReLU:
		reluAVX2(d, p, n)
	case ReLU2:
		relu2AVX2(d, p, n)
	case Tanh:
		tanhAVX2(d, p, n)
	case Laplace:
		laplaceAVX2(d, p, n)
	case GELUTanh:
		geluTanhAVX2(d, p, n)
	}
}

func activateGradAVX2(a Activation, dx, dy, x []float32) {
	switch d, e, p, n := at(dx), at(dy), at(x), len(dx); a {
	case Identity:
		copy(dx, dy)
	case Sigmoid:
		sigmoidGradAVX2(d, e, p, n)
	case SiLU:
		siluGradAVX2(d, e, p, n)
	case GELU:
		geluGradAVX2(d, e, p, n)
	case ReLU:
		reluGradAVX2(d, e, p, n)
	case ReLU2:
		relu2GradAVX2(d, e, p, n)
	case Tanh:
		tanhGradAVX2(d, e, p, n)
	case Laplace:
		laplaceGradAVX2(d, e, p, n)
	case GELUTanh:
		geluTanhGradAVX2(d, e, p, n)
	}
}

func activateAVX512(a Activation, dst, x []float32) {
	switch d, p, n := at(dst), at(x), len(dst); a {
	case Identity:
		copy(dst, x)
	case Sigmoid:
		sigmoidAVX512(d, p, n)
	case SiLU:
		siluAVX512(d, p, n)
	case GELU:
		geluAVX512(d, p, n)
	case ReLU:
		reluAVX512(d, p, n)
	case ReLU2:
		relu2AVX512(d, p, n)
	case Tanh:
		tanhAVX512(d, p, n)
	case Laplace:
		laplaceAVX512(d, p, n)
	case GELUTanh:
		geluTanhAVX512(d, p, n)
	}
}

func activateGradAVX512(a Activation, dx, dy, x []float32) {
	switch d, e, p, n := at(dx), at(dy), at(x), len(dx); a {
	case Identity:
		copy(dx, dy)
	case Sigmoid:
		sigmoidGradAVX512(d, e, p, n)
	case SiLU:
		siluGradAVX512(d, e, p, n)
	case GELU:
		geluGradAVX512(d, e, p, n)
	case ReLU:
		reluGradAVX512(d, e, p, n)
	case ReLU2:
		relu2GradAVX512(d, e, p, n)
	case Tanh:
		tanhGradAVX512(d, e, p, n)
	case Laplace:
		laplaceGradAVX512(d, e, p, n)
	case GELUTanh:
		geluTanhGradAVX512(d, e, p, n)
	}
}
