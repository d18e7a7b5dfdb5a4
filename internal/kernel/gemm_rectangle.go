package kernel

// A rectangle is what one task computes of a product: panels p0 to p1 of rows
// and columns j0 to j1 of C, summed over k0 to k1 of the reduction.
type rectangle struct {
	p0, p1, j0, j1, k0, k1 int
}

// A strip is the innermost piece of work: a panel of rows of C, summed over
// one block of B,
//
//	c[i*ldc+j] = Σ_p a[i*as+p*ks] b[j/nr*bs+p*nr+j%nr] [+ c[i*ldc+j]] [+ bias[j]]
//
// for i < m, j < n, p < k. The sum is taken in the order of p in every
// implementation, except that fewer than three rows may sum several runs.
type strip struct {
	m, n, k int
	a       []float32
	as, ks  int
	b       []float32
	bs      int
	c       []float32
	ldc     int
	bias    []float32 // nil for none
	add     bool
}

// compute computes a rectangle into out, whose row 0 and column 0 are those of
// the product. It takes B in blocks that stay in the second level of cache
// while all panels of rows pass by; a panel of A stays in the first.
func (p *product) compute(r rectangle, out output) {
	depth := blockDepth(r.k1 - r.k0)
	width := min(roundUp(r.j1-r.j0, p.nr), max(p.nr, blockMax/depth/p.nr*p.nr))
	memory := Borrow(depth * (p.pitch + width))
	defer memory.Return()
	forA, forB := memory.Data[:depth*p.pitch], memory.Data[depth*p.pitch:]
	finish := out.e.Pre != nil || out.e.Activation != Identity
	for j := r.j0; j < r.j1; j += width {
		n := min(width, r.j1-j)
		for k := r.k0; k == r.k0 || k < r.k1; k += depth {
			s := strip{n: n, k: min(depth, r.k1-k), ldc: out.ldc, add: out.e.Accumulate || k > r.k0}
			s.b, s.bs = p.blockOfB(k, s.k, j, n, forB)
			if out.e.Bias != nil && k == r.k0 {
				s.bias = out.e.Bias[j:]
			}
			for q := r.p0; q < r.p1; q++ {
				i := q * p.m / p.panels
				s.m = (q+1)*p.m/p.panels - i
				s.a, s.as, s.ks = p.panelOfA(i, s.m, k, s.k, forA)
				s.c = out.c[i*out.ldc+j:]
				s.run(p.impl)
				if finish && k+s.k == r.k1 {
					out.finish(i, s.m, j, n)
				}
			}
		}
	}
}

// blockDepth returns the number of rows of B in a block for a reduction over
// k: blocks are of about the same size, and none is empty.
func blockDepth(k int) int {
	blocks := max(1, ceilDiv(k, depthMax))
	return max(1, roundUp(ceilDiv(k, blocks), 4))
}

// blockOfB returns depth rows from k on and n columns from j on of B in packed
// panels, and how far the panels lie apart. j is the start of a panel.
func (p *product) blockOfB(k, depth, j, n int, memory []float32) (b []float32, bs int) {
	if p.packed != nil {
		return p.packed.data[j*p.packed.k+k*p.nr:], p.packed.k * p.nr
	}
	packBlock(p.impl, memory, depth, p.raw, k, depth, j, n)
	return memory, depth * p.nr
}

// panelOfA returns m rows from i on and depth columns from k on of A, and its
// strides: in place if that is good to read from, else copied.
func (p *product) panelOfA(i, m, k, depth int, memory []float32) (a []float32, as, ks int) {
	if depth == 0 {
		return nil, 0, 0
	}
	stride := p.a.Stride
	if p.a.Transposed {
		packFew(p.impl, memory, p.pitch, depth, m, p.a.Data[k*stride+i:], stride)
		return memory, 1, p.pitch
	}
	a = p.a.Data[i*stride+k:]
	if m <= cacheWays || stride%aliasing != 0 || depth < aliasing/4 {
		return a, stride, 1
	}
	as = depth + aliasing/32
	for row := range m {
		copy(memory[row*as:][:depth], a[row*stride:])
	}
	return memory, as, 1
}

// finish applies what the strips have left of the epilogue to m rows from i
// on and n columns from j on, which are still in the cache.
func (o output) finish(i, m, j, n int) {
	for row := i; row < i+m; row++ {
		c := o.c[row*o.ldc+j:][:n]
		if o.e.Pre != nil {
			copy(o.e.Pre[row*o.ldc+j:][:n], c)
		}
		if o.e.Activation != Identity {
			Activate(o.e.Activation, c, c)
		}
	}
}
