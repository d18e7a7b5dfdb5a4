package kernel

// sigmoid32, silu32 and siluDerivative32 are in float32 what the activations
// are.
func sigmoid32(x float32) float32        { return float32(Sigmoid.value(float64(x))) }
func silu32(x float32) float32           { return float32(SiLU.value(float64(x))) }
func siluDerivative32(x float32) float32 { return float32(SiLU.derivative(float64(x))) }

func gatedResidualGeneric(out, residual, u, h []float32) {
	for i, r := range residual {
		out[i] = r + sigmoid32(u[i])*(h[i]-r)
	}
}

func gatedResidualGradGeneric(dresidual, du, dh, dout, residual, u, h []float32) {
	for i, d := range dout {
		s, rest, difference := sigmoid32(u[i]), sigmoid32(-u[i]), h[i]-residual[i]
		dresidual[i] = d * rest
		dh[i] = d * s
		du[i] = d * s * rest * difference
	}
}

func siluMulGeneric(out, r, a []float32) {
	for i := range out {
		out[i] = silu32(r[i]) * a[i]
	}
}

func siluMulGradGeneric(dr, da, dout, r, a []float32) {
	for i, d := range dout {
		x, y := r[i], a[i]
		dr[i] = d * y * siluDerivative32(x)
		da[i] = d * silu32(x)
	}
}

func siluScaleShiftGeneric(q, k, z, gamma, beta []float32, rows, cols, ldq, ldk, ldz int) {
	for r := range rows {
		for c := range cols {
			s := silu32(z[r*ldz+c])
			q[r*ldq+c] = s*gamma[c] + beta[c]
			k[r*ldk+c] = s*gamma[cols+c] + beta[cols+c]
		}
	}
}

func siluScaleShiftGradGeneric(dz, dgamma, dbeta, dq, dk, z, gamma []float32, rows, cols, lddz, lddq, lddk, ldz int) {
	for r := range rows {
		for c := range cols {
			x, d0, d1 := z[r*ldz+c], dq[r*lddq+c], dk[r*lddk+c]
			s := silu32(x)
			dgamma[c] += d0 * s
			dgamma[cols+c] += d1 * s
			dbeta[c] += d0
			dbeta[cols+c] += d1
			dz[r*lddz+c] = (d0*gamma[c] + d1*gamma[cols+c]) * siluDerivative32(x)
		}
	}
}
