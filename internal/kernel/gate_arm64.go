//go:build !purego

package kernel

func gatedResidual(out, residual, u, h []float32) {
	if current == NEON {
		gatedResidualNEON(at(out), at(residual), at(u), at(h), len(out))
		return
	}
	gatedResidualGeneric(out, residual, u, h)
}

func gatedResidualGrad(dresidual, du, dh, dout, residual, u, h []float32) {
	if current == NEON {
		gatedResidualGradNEON(at(dresidual), at(du), at(dh), at(dout), at(residual), at(u), at(h), len(dout))
		return
	}
	gatedResidualGradGeneric(dresidual, du, dh, dout, residual, u, h)
}

func siluMul(out, r, a []float32) {
	if current == NEON {
		siluMulNEON(at(out), at(r), at(a), len(out))
		return
	}
	siluMulGeneric(out, r, a)
}

func siluMulGrad(dr, da, dout, r, a []float32) {
	if current == NEON {
		siluMulGradNEON(at(dr), at(da), at(dout), at(r), at(a), len(dout))
		return
	}
	siluMulGradGeneric(dr, da, dout, r, a)
}

func siluScaleShift(q, k, z, gamma, beta []float32, rows, cols, ldq, ldk, ldz int) {
	if current == NEON {
		siluScaleShiftNEON(at(q), at(k), at(z), at(gamma), at(beta), rows, cols, 4*ldq, 4*ldk, 4*ldz)
		return
	}
	siluScaleShiftGeneric(q, k, z, gamma, beta, rows, cols, ldq, ldk, ldz)
}

func siluScaleShiftGrad(dz, dgamma, dbeta, dq, dk, z, gamma []float32, rows, cols, lddz, lddq, lddk, ldz int) {
	if current == NEON {
		siluScaleShiftGradNEON(at(dz), at(dgamma), at(dbeta), at(dq), at(dk), at(z), at(gamma), rows, cols, 4*lddz, 4*lddq, 4*lddk, 4*ldz)
		return
	}
	siluScaleShiftGradGeneric(dz, dgamma, dbeta, dq, dk, z, gamma, rows, cols, lddz, lddq, lddk, ldz)
}
