package kernel

// runGeneric computes a strip with panels of four columns, by tiles of two
// rows; the last row of an odd number counts as two.
func (s *strip) runGeneric() {
	var acc [8]float32
	for j := 0; j < s.n; j += 4 {
		width := min(4, s.n-j)
		for i := 0; i < s.m; i += 2 {
			rows := min(2, s.m-i)
			acc = [8]float32{}
			if s.k > 0 {
				dot2x4(&acc, s.k, s.a[i*s.as:], s.a[(i+rows-1)*s.as:], s.ks, s.b[j/4*s.bs:])
			}
			for r := range rows {
				s.store(i+r, j, acc[4*r:][:width])
			}
		}
	}
}

// store stores sums in row i from column j on.
func (s *strip) store(i, j int, sums []float32) {
	c := s.c[i*s.ldc+j:][:len(sums)]
	for q, v := range sums {
		if s.bias != nil {
			v += s.bias[j+q]
		}
		if s.add {
			v += c[q]
		}
		c[q] = v
	}
}

// dot2x4 sets acc[4r+q] = Σ_p a_r[p*ks] b[4p+q] over k > 0 terms.
func dot2x4(acc *[8]float32, k int, a0, a1 []float32, ks int, b []float32) {
	var s00, s01, s02, s03, s10, s11, s12, s13 float32
	b = b[:4*k]
	last := (k - 1) * ks
	a0, a1 = a0[:last+1], a1[:last+1]
	for p := 0; len(b) >= 4; p += ks {
		x0, x1 := a0[p], a1[p]
		b0, b1, b2, b3 := b[0], b[1], b[2], b[3]
		s00 += x0 * b0
		s01 += x0 * b1
		s02 += x0 * b2
		s03 += x0 * b3
		s10 += x1 * b0
		s11 += x1 * b1
		s12 += x1 * b2
		s13 += x1 * b3
		b = b[4:]
	}
	*acc = [8]float32{s00, s01, s02, s03, s10, s11, s12, s13}
}

// packRowsGeneric distributes n numbers from each of depth rows, stride apart,
// over panels of nr columns, panel apart:
// dst[j/nr*panel+p*nr+j%nr] = src[p*stride+j].
func packRowsGeneric(dst []float32, panel, nr, depth, n int, src []float32, stride int) {
	for p := range depth {
		for j := 0; j < n; j += nr {
			copy(dst[j/nr*panel+p*nr:][:min(nr, n-j)], src[p*stride+j:])
		}
	}
}

// packRunsGeneric copies from each of depth rows, stride apart, runs of mr
// numbers to panels, panel apart:
// dst[q*panel+p*mr+i] = src[p*stride+starts[q]+i], as far as src goes.
func packRunsGeneric(dst []float32, panel, mr, depth int, starts []int, src []float32, stride int) {
	for p := range depth {
		for q, start := range starts {
			copy(dst[q*panel+p*mr:][:mr], src[p*stride+start:])
		}
	}
}

// packTransposedGeneric copies depth numbers from each of n rows, stride
// apart, and transposes: dst[p*pitch+j] = src[j*stride+p].
func packTransposedGeneric(dst []float32, pitch, depth, n int, src []float32, stride int) {
	for j := range n {
		for p, v := range src[j*stride:][:depth] {
			dst[p*pitch+j] = v
		}
	}
}
