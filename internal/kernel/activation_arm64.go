//go:build !purego

package kernel

func activate(a Activation, dst, x []float32) {
	if current == NEON {
		activateNEON(a, dst, x)
		return
	}
	activateGeneric(a, dst, x)
}

func activateGrad(a Activation, dx, dy, x []float32) {
	if current == NEON {
		activateGradNEON(a, dx, dy, x)
		return
	}
	activateGradGeneric(a, dx, dy, x)
}

func activateNEON(a Activation, dst, x []float32) {
	switch d, p, n := at(dst), at(x), len(dst); a {
	case Identity:
		copy(dst, x)
	case Sigmoid:
		sigmoidNEON(d, p, n)
	case SiLU:
		siluNEON(d, p, n)
	case GELU:
		geluNEON(d, p, n)
	case ReLU:
		reluNEON(d, p, n)
	case ReLU2:
		relu2NEON(d, p, n)
	case Tanh:
		tanhNEON(d, p, n)
	case Laplace:
		laplaceNEON(d, p, n)
	case GELUTanh:
		geluTanhNEON(d, p, n)
	}
}

func activateGradNEON(a Activation, dx, dy, x []float32) {
	switch d, e, p, n := at(dx), at(dy), at(x), len(dx); a {
	case Identity:
		copy(dx, dy)
	case Sigmoid:
		sigmoidGradNEON(d, e, p, n)
	case SiLU:
		siluGradNEON(d, e, p, n)
	case GELU:
		geluGradNEON(d, e, p, n)
	case ReLU:
		reluGradNEON(d, e, p, n)
	case ReLU2:
		relu2GradNEON(d, e, p, n)
	case Tanh:
		tanhGradNEON(d, e, p, n)
	case Laplace:
		laplaceGradNEON(d, e, p, n)
	case GELUTanh:
		geluTanhGradNEON(d, e, p, n)
	}
}
