package kernel

// GatedResidual computes the output gate of Mega's layers (equation 15 of the
// paper; fairseq/modules/moving_average_gated_attention.py:350):
//
//	out = residual + σ(u) (h - residual)
//
// All slices have one length; out may be any of the others.
func GatedResidual(out, residual, u, h []float32) {
	checkLengths(len(out), len(residual), len(u), len(h))
	gatedResidual(out, residual, u, h)
}

// GatedResidualGrad is the backward pass of GatedResidual:
//
//	dresidual = dout (1 - σ(u))
//	dh        = dout σ(u)
//	du        = dout (h - residual) σ(u) (1 - σ(u))
//
// The three results are overwritten; each may be any one of the sources.
func GatedResidualGrad(dresidual, du, dh, dout, residual, u, h []float32) {
	checkLengths(len(dresidual), len(du), len(dh), len(dout), len(residual), len(u), len(h))
	gatedResidualGrad(dresidual, du, dh, dout, residual, u, h)
}

// SiLUMul sets out = silu(r) a: the reset gate on what attention returns
// (equation 14 of the paper). out may be r or a.
func SiLUMul(out, r, a []float32) {
	checkLengths(len(out), len(r), len(a))
	siluMul(out, r, a)
}

// SiLUMulGrad is the backward pass of SiLUMul:
//
//	dr = dout a silu'(r)
//	da = dout silu(r)
//
// Both are overwritten; each may be any one of the sources.
func SiLUMulGrad(dr, da, dout, r, a []float32) {
	checkLengths(len(dr), len(da), len(dout), len(r), len(a))
	siluMulGrad(dr, da, dout, r, a)
}

// SiLUScaleShift makes queries and keys of z, row by row (equations 8 and 9 of
// the paper; moving_average_gated_attention.py:226):
//
//	s = silu(z)
//	q = s gamma[0] + beta[0]
//	k = s gamma[1] + beta[1]
//
// q, k and z are [rows, cols] with ldq, ldk and ldz elements from row to row;
// gamma and beta are [2, cols]. q or k may be z.
func SiLUScaleShift(q, k, z, gamma, beta []float32, rows, cols, ldq, ldk, ldz int) {
	checkRows(rows, cols, len(q), ldq)
	checkRows(rows, cols, len(k), ldk)
	checkRows(rows, cols, len(z), ldz)
	checkLengths(2*cols, len(gamma), len(beta))
	siluScaleShift(q, k, z, gamma, beta, rows, cols, ldq, ldk, ldz)
}

// SiLUScaleShiftGrad is the backward pass of SiLUScaleShift:
//
//	dz         = (dq gamma[0] + dk gamma[1]) silu'(z)
//	dgamma[0] += Σ dq silu(z),  dbeta[0] += Σ dq, over rows
//	dgamma[1] += Σ dk silu(z),  dbeta[1] += Σ dk
//
// dz is overwritten, and may be dq, dk or z. dgamma and dbeta are [2, cols];
// callers give each block of rows its own and add them in order.
func SiLUScaleShiftGrad(dz, dgamma, dbeta, dq, dk, z, gamma []float32, rows, cols, lddz, lddq, lddk, ldz int) {
	checkRows(rows, cols, len(dz), lddz)
	checkRows(rows, cols, len(dq), lddq)
	checkRows(rows, cols, len(dk), lddk)
	checkRows(rows, cols, len(z), ldz)
	checkLengths(2*cols, len(gamma), len(dgamma), len(dbeta))
	siluScaleShiftGrad(dz, dgamma, dbeta, dq, dk, z, gamma, rows, cols, lddz, lddq, lddk, ldz)
}
