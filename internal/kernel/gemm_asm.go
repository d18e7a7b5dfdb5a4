//go:build (amd64 || arm64) && !purego

package kernel

// run computes the strip.
func (s *strip) run(impl Implementation) {
	if impl == Generic {
		s.runGeneric()
		return
	}
	s.call(s.kernel(impl), tilings[impl].nr)
}

// call runs an assembly kernel with panels of nr columns, once it is certain
// that the operands hold what the kernel will touch.
func (s *strip) call(kernel stripFunc, nr int) {
	var a, b, bias *float32
	if s.k > 0 {
		_ = s.a[(s.m-1)*s.as+(s.k-1)*s.ks]
		_ = s.b[(s.n-1)/nr*s.bs+s.k*nr-1]
		a, b = &s.a[0], &s.b[0]
	}
	if s.bias != nil {
		_ = s.bias[s.n-1]
		bias = &s.bias[0]
	}
	_ = s.c[(s.m-1)*s.ldc+s.n-1]
	add := uint64(0)
	if s.add {
		add = 1
	}
	s.launch(kernel, a, b, bias, add)
}

// packRows copies n > 0 numbers from each of depth > 0 rows, stride apart, to
// panels, panel apart, of nr columns:
// dst[j/nr*panel+p*nr+j%nr] = src[p*stride+j]. It may overwrite what is left of
// the last panel.
func packRows(impl Implementation, dst []float32, panel, depth, n int, src []float32, stride int) {
	nr := tilings[impl].nr
	_ = src[(depth-1)*stride+n-1]
	_ = dst[(n-1)/nr*panel+depth*nr-1]
	if impl == Generic {
		packRowsGeneric(dst, panel, nr, depth, n, src, stride)
		return
	}
	packRowsNative(impl, depth, &src[0], 4*stride, &dst[0], 4*panel, n)
}

// packRuns copies from each of depth rows, stride apart, the runs of mr numbers
// that begin at starts to panels, panel apart, whose rows are mr apart:
// dst[q*panel+p*mr+i] = src[p*stride+starts[q]+i]. It may overwrite panelSpare
// numbers beyond a panel's last row.
func packRuns(impl Implementation, dst []float32, panel, depth int, starts []int, src []float32, stride int) {
	mr := tilings[impl].mr
	whole := 0 // rows of which a vector can be read at every start
	if spare := len(src) - starts[len(starts)-1] - panelSpare; impl != Generic && spare >= 0 {
		whole = min(depth, spare/max(stride, 1)+1)
	}
	if whole > 0 {
		var bytes [runsMax]int
		for q, start := range starts {
			bytes[q] = 4 * start
		}
		_ = dst[(len(starts)-1)*panel+(whole-1)*mr+panelSpare-1]
		packRunsNative(impl, whole, &src[0], 4*stride, &dst[0], 4*mr, 4*panel, &bytes[0], len(starts))
	}
	if whole < depth {
		packRunsGeneric(dst[whole*mr:], panel, mr, depth-whole, starts, src[whole*stride:], stride)
	}
}

// packTransposed copies depth > 0 numbers from each of n rows, stride apart,
// and transposes them: dst[p*pitch+j] = src[j*stride+p]. It may overwrite dst
// up to the pitch.
func packTransposed(impl Implementation, dst []float32, pitch, depth, n int, src []float32, stride int) {
	if impl == Generic {
		packTransposedGeneric(dst, pitch, depth, n, src, stride)
		return
	}
	_ = src[(n-1)*stride+depth-1]
	_ = dst[depth*pitch-1]
	for j := 0; j < n; j += transposedRows {
		packTransposedNative(depth, &src[j*stride], 4*stride, &dst[j], 4*pitch, min(transposedRows, n-j))
	}
}
