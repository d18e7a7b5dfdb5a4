//go:build !purego

package kernel

func gatedResidual(out, residual, u, h []float32) {
	switch current {
	case AVX512:
		gatedResidualAVX512(at(out), at(residual), at(u), at(h), len(out))
	case AVX2:
		gatedResidualAVX2(at(out), at(residual), at(u), at(h), len(out))
	default:
		gatedResidualGeneric(out, residual, u, h)
	}
}

func gatedResidualGrad(dresidual, du, dh, dout, residual, u, h []float32) {
	switch current {
	case AVX512:
		gatedResidualGradAVX512(at(dresidual), at(du), at(dh), at(dout), at(residual), at(u), at(h), len(dout))
	case AVX2:
		gatedResidualGradAVX2(at(dresidual), at(du), at(dh), at(dout), at(residual), at(u), at(h), len(dout))
	default:
		gatedResidualGradGeneric(dresidual, du, dh, dout, residual, u, h)
	}
}

func siluMul(out, r, a []float32) {
	switch current {
	case AVX512:
		siluMulAVX512(at(out), at(r), at(a), len(out))
	case AVX2:
		siluMulAVX2(at(out), at(r), at(a), len(out))
	default:
		siluMulGeneric(out, r, a)
	}
}

func siluMulGrad(dr, da, dout, r, a []float32) {
	switch current {
	case AVX512:
		siluMulGradAVX512(at(dr), at(da), at(dout), at(r), at(a), len(dout))
	case AVX2:
		siluMulGradAVX2(at(dr), at(da), at(dout), at(r), at(a), len(dout))
	default:
		siluMulGradGeneric(dr, da, dout, r, a)
	}
}

func siluScaleShift(q, k, z, gamma, beta []float32, rows, cols, ldq, ldk, ldz int) {
	switch current {
	case AVX512:
		siluScaleShiftAVX512(at(q), at(k), at(z), at(gamma), at(beta), rows, cols, 4*ldq, 4*ldk, 4*ldz)
	case AVX2:
		siluScaleShiftAVX2(at(q), at(k), at(z), at(gamma), at(beta), rows, cols, 4*ldq, 4*ldk, 4*ldz)
	default:
		siluScaleShiftGeneric(q, k, z, gamma, beta, rows, cols, ldq, ldk, ldz)
	}
}

func siluScaleShiftGrad(dz, dgamma, dbeta, dq, dk, z, gamma []float32, rows, cols, lddz, lddq, lddk, ldz int) {
	switch current {
	case AVX512:
		siluScaleShiftGradAVX512(at(dz), at(dgamma), at(dbeta), at(dq), at(dk), at(z), at(gamma), rows, cols, 4*lddz, 4*lddq, 4*lddk, 4*ldz)
	case AVX2:
		siluScaleShiftGradAVX2(at(dz), at(dgamma), at(dbeta), at(dq), at(dk), at(z), at(gamma), rows, cols, 4*lddz, 4*lddq, 4*lddk, 4*ldz)
	default:
		siluScaleShiftGradGeneric(dz, dgamma, dbeta, dq, dk, z, gamma, rows, cols, lddz, lddq, lddk, ldz)
	}
}
