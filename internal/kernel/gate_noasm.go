//go:build (!amd64 && !arm64) || purego

package kernel

func gatedResidual(out, residual, u, h []float32) { gatedResidualGeneric(out, residual, u, h) }

func gatedResidualGrad(dresidual, du, dh, dout, residual, u, h []float32) {
	gatedResidualGradGeneric(dresidual, du, dh, dout, residual, u, h)
}

func siluMul(out, r, a []float32) { siluMulGeneric(out, r, a) }

func siluMulGrad(dr, da, dout, r, a []float32) { siluMulGradGeneric(dr, da, dout, r, a) }

func siluScaleShift(q, k, z, gamma, beta []float32, rows, cols, ldq, ldk, ldz int) {
	siluScaleShiftGeneric(q, k, z, gamma, beta, rows, cols, ldq, ldk, ldz)
}

func siluScaleShiftGrad(dz, dgamma, dbeta, dq, dk, z, gamma []float32, rows, cols, lddz, lddq, lddk, ldz int) {
	siluScaleShiftGradGeneric(dz, dgamma, dbeta, dq, dk, z, gamma, rows, cols, lddz, lddq, lddk, ldz)
}
