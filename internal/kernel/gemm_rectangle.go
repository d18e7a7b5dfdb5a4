package kernel

import "github.com/mega-go/mega/internal/parallel"

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
// for i < m, j < n, p < k; with scales, b is ints times the scale of column j. One of as and ks
// is 1. The sum is taken in the order of p in every implementation, whatever m is.
type strip struct {
	m, n, k int
	a       []float32
	as, ks  int
	b       []float32
	ints    []int8    // B's numbers in units of scales, if that is not nil; b is not used then
	scales  []float32 // of the columns, and up to a whole panel's
	bs      int
	c       []float32
	ldc     int
	bias    []float32 // nil for none
	add     bool
	ahead   readAhead
	sums    []float32 // memory for what tiles hold of C
}

// A readAhead is where to look ahead for what of A comes next: lines are asked for while the
// rows of B pass, the first one from numbers after A's start, each other step bytes after the one
// before, and with each panel of B lap bytes more.
type readAhead struct{ from, step, lap int }

// compute computes a rectangle into out, whose row 0 and column 0 are those of
// the product. It takes B in blocks that stay in the second level of cache
// while all panels of rows pass by; a panel of A stays in the first.
func (p *product) compute(r rectangle, out *output) {
	depth := p.blockDepth(r.k1 - r.k0)
	width := min(roundUp(r.j1-r.j0, p.nr), max(p.nr, p.blockMax()/depth/p.nr*p.nr))
	sizeA, sizeB := p.panelSize(depth), depth*width
	switch {
	case p.packsA():
		sizeA *= r.p1 - r.p0
	case p.a.Transposed || !p.copiesA(depth): // but reads it in place
		sizeA = 0
	case r.j1-r.j0 > width: // the next block of columns reads the same
		sizeA *= r.p1 - r.p0
	}
	if p.packed != nil {
		sizeB = 0
	}
	sizeC := 0
	if p.impl == AMX {
		sizeC = tileSums
	}
	memory := parallel.Borrow(sizeC + sizeA + sizeB)
	forC, forA, forB := memory.Data[:sizeC], memory.Data[sizeC:][:sizeA], memory.Data[sizeC+sizeA:]
	for k := r.k0; k == r.k0 || k < r.k1; k += depth {
		block := r
		block.k0, block.k1 = k, min(k+depth, r.k1)
		if p.packsA() && k < r.k1 {
			p.packA(block, forA)
		}
		for j := r.j0; j < r.j1; j += width {
			block.j0, block.j1 = j, min(j+width, r.j1)
			p.computeBlock(block, j > r.j0, k == r.k0, block.k1 == r.k1, out, forA, forB, forC)
		}
	}
	memory.Return()
}

// computeBlock computes what a rectangle has of one block of B, strip by strip.
// The first block of a reduction starts the sums, the last one finishes them. again says that
// the rows of A have met other columns of B.
func (p *product) computeBlock(r rectangle, again, first, last bool, out *output, forA, forB, forC []float32) {
	s := strip{n: r.j1 - r.j0, k: r.k1 - r.k0, ldc: out.ldc, add: out.e.Accumulate || out.e.Base != nil || !first, sums: forC}
	if p.packed != nil && p.packed.scales != nil {
		s.ints, s.bs, s.scales = p.packed.ints[r.j0*p.packed.k+r.k0*p.nr:], p.packed.k*p.nr, p.packed.scales[r.j0:]
	} else {
		s.b, s.bs = p.blockOfB(r.k0, s.k, r.j0, s.n, forB)
	}
	if first && out.e.Bias != nil {
		s.bias = out.e.Bias[r.j0:]
	}
	finish := last && out.unfinished()
	for q := r.p0; q < r.p1; q++ {
		i := p.firstRow(q)
		s.m = p.firstRow(q+1) - i
		switch {
		case s.k == 0:
		case p.a.Transposed && !p.packsA():
			s.a, s.as, s.ks = p.a.Data[r.k0*p.a.Stride+i:], 1, p.a.Stride
		case p.a.Transposed && p.impl == AMX:
			s.a, s.as = forA[(q-r.p0)*p.panelSize(s.k):], s.k+panelSpare
		case p.a.Transposed:
			s.a, s.as, s.ks = forA[(q-r.p0)*p.panelSize(s.k):], 1, p.mr
		default:
			memory := forA
			if size := p.panelSize(s.k); len(forA) >= (r.p1-r.p0)*size {
				memory = forA[(q-r.p0)*size:]
			}
			s.a, s.as, s.ks = p.rowsOfA(i, s.m, r.k0, s.k, again, memory)
		}
		s.c = out.sums()[i*out.ldc+r.j0:]
		if first && out.e.Base != nil {
			out.begin(i, s.m, r.j0, s.n)
		}
		s.ahead = p.readAhead(&s)
		if p.a.Maker != nil && !again {
			s.ahead = p.makeAhead(&s, i+s.m)
		}
		p.runStrip(&s)
		if finish {
			out.finish(i, s.m, r.j0, s.n)
		}
	}
}

// readAhead returns how to read A ahead of a strip, so far as A is read in place.
// Otherwise a few lines are asked for that are at hand.
func (p *product) readAhead(s *strip) readAhead {
	switch {
	case s.k == 0 || p.packsA() || p.terms > 0:
	case p.a.Transposed: // rows of A's transpose a little further on, of which the last number may begin a line
		return readAhead{from: rowsAhead*s.ks + s.m - 1, step: 4 * s.ks}
	case s.as == p.a.Stride && s.as <= 2*s.k: // the rows of the next strip, in the time that this one takes
		asks := max(1, p.impl.asks(s.k))
		step := ceilDiv(4*s.m*s.as, asks*ceilDiv(s.n, p.nr))
		return readAhead{from: s.m * s.as, step: step, lap: asks * step}
	}
	return readAhead{}
}

// asks returns how often a kernel whose A is not transposed asks for a line while k rows of B
// pass: AVX-512's asks twice in a turn of four.
func (i Implementation) asks(k int) int {
	if i == AVX512 {
		return k / 4 * 2
	}
	return k
}

// rowsAhead is how many rows of a transposed A are read in the time that memory takes to
// answer.
const rowsAhead = 16

// runStrip computes a strip of numbers, of their parts or of bytes.
func (p *product) runStrip(s *strip) {
	switch {
	case p.impl == AMX:
		s.runTiles(p.parts)
	case p.terms > 0:
		s.runPairs(p.impl)
	case s.scales != nil:
		s.runInts(p.impl)
	default:
		s.run(p.impl)
	}
}

// firstRow returns the first row of a panel. Tiles, which take as long for a few rows, are
// filled one after the other.
func (p *product) firstRow(panel int) int {
	if p.impl == AMX {
		return min(panel*p.mr, p.m)
	}
	return panel * p.m / p.panels
}

// depthMax returns how many rows a block of B has at most.
func (p *product) depthMax() int {
	if p.impl == AMX {
		return tileDepth
	}
	return depthMax
}

// blockMax returns how many numbers a block of B has at most.
func (p *product) blockMax() int {
	if p.impl == AMX {
		return tileBlock
	}
	return blockMax
}

// blockDepth returns the number of rows of B in a block for a reduction over
// k: blocks are of about the same size, and none is empty.
func (p *product) blockDepth(k int) int {
	blocks := max(1, ceilDiv(k, p.depthMax()))
	return max(1, roundUp(ceilDiv(k, blocks), max(4, p.grouping().rows)))
}

// blockOfB returns depth rows from k on and n columns from j on of B in packed
// panels, and how far the panels lie apart. j is the start of a panel.
func (p *product) blockOfB(k, depth, j, n int, memory []float32) (b []float32, bs int) {
	if p.packed != nil {
		return p.packed.data[j*p.packed.k+k*p.nr:], p.packed.k * p.nr
	}
	format := Packed{terms: p.terms, parts: p.parts, impl: p.impl}
	format.packBlock(memory, depth, p.raw, k, depth, j, n)
	return memory, depth * p.nr
}

// copiesA reports whether strips of depth columns read their rows of an A that is not transposed
// from memory of the task: those that are made or parted, or that compete for lines of L1.
func (p *product) copiesA(depth int) bool {
	return p.a.Maker != nil || p.terms > 0 ||
		p.m > cacheWays && p.mr > cacheWays && p.a.Stride%aliasing == 0 && depth >= aliasing/4
}

// rowsOfA returns m rows from i on and depth > 0 columns from k on of an A
// that is not transposed, and its strides: in place if it is good to read
// from, else from memory, which has them already if the strip comes again.
func (p *product) rowsOfA(i, m, k, depth int, again bool, memory []float32) (a []float32, as, ks int) {
	switch {
	case p.terms > 0:
		return p.partsOfA(i, m, k, depth, again, memory)
	case p.a.Maker != nil:
		if !again {
			p.a.Maker.Make(memory, depth, i, k, m, depth)
		}
		return memory, depth, 1
	}
	stride := p.a.Stride
	a = p.a.Data[i*stride+k:]
	if m <= cacheWays || !p.copiesA(depth) {
		return a, stride, 1
	}
	as = depth + panelSpare
	for row := 0; row < m && !again; row++ {
		copy(memory[row*as:][:depth], a[row*stride:])
	}
	return memory, as, 1
}

// panelSpare is what a panel of A has beyond its numbers, for each row: so
// much that rows do not compete for lines of L1, and vectors may be written
// where fewer numbers are meant.
const panelSpare = 16

// panelSize returns the size of a panel of A in memory of our own.
func (p *product) panelSize(depth int) int { return (depth + panelSpare) * p.mr }

// packsA reports whether to pack A. It does if A is transposed and either needs
// rounding or its rows compete for so few lines of L1 that a panel's do not stay
// there. Reading them from L2 costs little where a panel has many rows, unless the CPU
// waits for L2; there packing pays if enough columns read the panels.
func (p *product) packsA() bool {
	switch {
	case !p.a.Transposed:
		return false
	case p.terms > 0:
		return true
	case p.a.Stride%(aliasing/4) != 0:
		return false
	}
	return p.impl != AVX512 || waitsForL2 && p.n >= columnsPacked
}

// packA packs a rectangle of a transposed A: panel after panel, and in each
// one row of Aᵀ after the other.
func (p *product) packA(r rectangle, memory []float32) {
	if p.impl == AMX {
		p.packTiles(r, memory)
		return
	}
	var starts [runsMax]int
	depth := r.k1 - r.k0
	size := p.panelSize(depth)
	for q := r.p0; q < r.p1; q += runsMax {
		n := min(runsMax, r.p1-q)
		i := p.firstRow(q)
		for run := range n {
			starts[run] = p.firstRow(q+run) - i
		}
		if p.terms > 0 {
			src := p.a.Data[2*r.k0*p.a.Stride+i:]
			packPairRuns(p.impl, memory[(q-r.p0)*size:], size, p.termsOf(r.k0, depth), starts[:n], src, p.a.Stride)
			continue
		}
		src := p.a.Data[r.k0*p.a.Stride+i:]
		packRuns(p.impl, memory[(q-r.p0)*size:], size, depth, starts[:n], src, p.a.Stride)
	}
}

// runsMax is how many panels packRuns takes at a time.
const runsMax = 16

// sums returns where the sums V of an epilogue are to be: in Pre, which is to
// have them, unless C holds what they begin with; else in C.
func (o *output) sums() []float32 {
	if o.e.Pre != nil && !o.e.Accumulate {
		return o.e.Pre
	}
	return o.c
}

// begin sets m rows from i on and n columns from j on to what the epilogue adds to products.
func (o *output) begin(i, m, j, n int) {
	for row := i; row < i+m; row++ {
		copy(o.sums()[row*o.ldc+j:][:n], o.e.Base[row*o.e.BaseStride+j:])
	}
}

// unfinished reports whether an epilogue asks for more than sums.
func (o *output) unfinished() bool {
	return o.e.Pre != nil || o.e.Activation != Identity || o.e.Finisher != nil
}

// finish applies what the strips have left of the epilogue to m rows from i
// on and n columns from j on, which are still in the cache.
func (o *output) finish(i, m, j, n int) {
	for row := i; row < i+m; row++ {
		at := row*o.ldc + j
		c, v := o.c[at:][:n], o.sums()[at:][:n]
		if o.e.Pre != nil && o.e.Accumulate {
			copy(o.e.Pre[at:][:n], v)
		}
		if o.e.Pre != nil || o.e.Activation != Identity {
			Activate(o.e.Activation, c, v)
		}
	}
	if o.e.Finisher != nil {
		o.e.Finisher.Finish(i, o.column+j, m, n)
	}
}
