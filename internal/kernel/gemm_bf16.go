package kernel

import (
	"errors"
	"fmt"

	"github.com/mega-go/mega/internal/parallel"
)

// Products in bfloat16 round the numbers of both operands to bfloat16, to
// nearest, while they pack them, two terms of a sum to a 32-bit word: the pair
// of p, the earlier term in the lower half. What is left is a product of k/2
// terms that are pairs, which is cut into tasks and blocks as any other. The
// memory of pairs is that of float32 numbers, whose bits they are.
//
// ARM's instruction takes four terms of a row or a column at once. There k/2 is even,
// and of a panel's rows 2q and 2q + 1 the two pairs of a column lie side by side. AMX takes
// 32 terms at once, and k/2 is a multiple of 16; gemm_amx.go says what else it multiplies.

// GemmBF16 is Gemm of operands rounded to bfloat16, to nearest, ties to even,
// at up to twice the speed, and with AMX up to four times: a factor is off by up to 2^-9 of
// itself. Products are exact and sums are float32. The instructions, VDPBF16PS of
// AVX512_BF16, TDPBF16PS of AMX and BFMMLA of ARM, take denormal numbers for 0. BFMMLA rounds
// sums to odd, which is off by up to a unit in the last place instead of half of one, but
// adds products by twos first and so rounds half as often.
//
// It computes the same, only slowly, where CheckBF16 returns an error.
func GemmBF16(w *parallel.Workers, m, n, k int, a, b Matrix, c []float32, ldc int, e Epilogue) {
	b.check("B", k, n)
	p := product{workers: w, m: m, n: n, k: k, a: a, raw: b, out: output{c: c, ldc: ldc, e: e}}
	p.multiply(1)
}

// PackBF16 is Pack for products in bfloat16, as GemmBF16 computes. One with fewer rows
// than p holds adds zeros times the rows after them, up to a multiple of two rows,
// of four on ARM, or of 32 with AMX.
func (p *Packed) PackBF16(w *parallel.Workers, k, n int, b Matrix) {
	b.checkNumbers("B", k, n)
	p.pack(w, implementationOf(1), 1, k, n, b)
}

// CheckBF16 returns an error that says what is missing if this machine has no
// fast products in bfloat16.
func CheckBF16() error {
	switch {
	case !hasBF16:
		return errors.New("products in bfloat16 need " + bf16Processors + ", which is not here or not used by this build")
	case current != bf16Implementation:
		return fmt.Errorf("products in bfloat16 need the %v kernels, and MEGA_KERNEL says %v", bf16Implementation, Current())
	}
	return nil
}

// BF16Instructions names the instructions that multiply in bfloat16 here; "" if CheckBF16 has
// an error.
func BF16Instructions() string {
	switch {
	case CheckBF16() != nil:
		return ""
	case implementationOf(1) == AMX:
		return "AMX"
	}
	return bf16Instructions
}

// implementationOf returns the implementation of products of numbers of so many parts; 0
// stands for float32 numbers.
func implementationOf(parts int) Implementation {
	switch {
	case parts == 0:
		return current
	case parts == splitParts, tilesBF16 && current == AVX512:
		return AMX
	case hasBF16 && current == bf16Implementation:
		return bf16Implementation
	}
	return Generic
}

// A grouping says how terms lie in packed operands: so many of them take so many rows of a
// panel of B, or numbers of a row of A.
type grouping struct{ rows, terms int }

// groupingOf returns how an implementation groups terms whose factors have parts parts.
func groupingOf(impl Implementation, parts int) grouping {
	switch {
	case parts == 0:
		return grouping{1, 1}
	case impl == AMX:
		return grouping{16 * parts, tileTerms}
	case impl == NEON:
		return grouping{2, 4}
	}
	return grouping{1, 2}
}

// rowsOf returns how many rows k terms take.
func (g grouping) rowsOf(k int) int { return g.rows * ceilDiv(k, g.terms) }

// grouping returns how p groups its terms.
func (p *product) grouping() grouping { return groupingOf(p.impl, p.parts) }

// firstTerm returns the first term of row k.
func (g grouping) firstTerm(k int) int { return k / g.rows * g.terms }

// partsOfA is rowsOfA for parts: of m rows from i on those of depth rows of B from k on.
func (p *product) partsOfA(i, m, k, depth int, again bool, memory []float32) (a []float32, as, ks int) {
	as, ks = depth+panelSpare, 1
	if p.impl == NEON {
		as, ks = 2, p.mr
	}
	if again {
		return memory, as, ks
	}
	terms, src := p.termsOf(k, depth), p.a.Data[i*p.a.Stride+p.grouping().firstTerm(k):]
	if p.impl == NEON {
		packQuadRows(memory, p.mr, m, terms, src, p.a.Stride)
	} else {
		partRows(p.impl, p.parts, memory, as, m, terms, src, p.a.Stride)
	}
	return memory, as, ks
}

// partRows makes rows of parts of n > 0 numbers from each of rows > 0 rows, stride apart.
func partRows(impl Implementation, parts int, dst []float32, pitch, rows, n int, src []float32, stride int) {
	if parts == splitParts {
		threePartRows(dst, pitch, rows, n, src, stride)
		return
	}
	pairRows(impl.vectors(), dst, pitch, rows, n, src, stride)
}

// termsOf returns how many terms the depth rows from the kth on are made of.
func (p *product) termsOf(k, depth int) int { return p.grouping().termsOf(p.terms, k, depth) }

// termsOf returns how many of all terms the depth rows from the kth on are made of.
func (g grouping) termsOf(all, k, depth int) int {
	return min(g.firstTerm(depth), all-g.firstTerm(k))
}

// packParts is packBlock for parts, of which depth, k and panelRows count rows.
func (p *Packed) packParts(dst []float32, panelRows int, raw Matrix, k, depth, j, n int) {
	nr, g := tilings[p.impl].nr, groupingOf(p.impl, p.parts)
	first, terms := g.firstTerm(k), g.termsOf(p.terms, k, depth)
	switch {
	case raw.Transposed:
		for i := 0; i < n; i += nr {
			p.packTransposedParts(dst[i*panelRows:], terms, min(nr, n-i), raw.Data[(j+i)*raw.Stride+first:], raw.Stride)
		}
	case p.impl == AMX:
		packTilePairs(p.parts, dst, panelRows*nr, depth, terms, n, raw.Data[first*raw.Stride+j:], raw.Stride)
	default:
		packPairs(p.impl, dst, panelRows*nr, terms, n, raw.Data[first*raw.Stride+j:], raw.Stride)
	}
}

// partSlice is how many terms of a row packTransposedParts takes at a time: 32
// rows of their parts stay in the first level of cache, or in the second.
const partSlice = 256

// packTransposedParts makes rows of parts of n <= nr rows, stride apart, of terms > 0
// numbers, and transposes them into a panel: with pairs
// dst[p*nr+j] = the pair of src[j*stride+2p] and src[j*stride+2p+1], or by quads.
func (p *Packed) packTransposedParts(dst []float32, terms, n int, src []float32, stride int) {
	nr, g := tilings[p.impl].nr, groupingOf(p.impl, p.parts)
	if p.impl == NEON {
		packQuadRows(dst, nr, n, terms, src, stride)
		return
	}
	memory := parallel.Borrow(nr * (g.rowsOf(partSlice) + panelSpare))
	defer memory.Return()
	for t := 0; t < terms; t += partSlice {
		count := min(partSlice, terms-t)
		depth := g.rowsOf(count)
		partRows(p.impl, p.parts, memory.Data, depth+panelSpare, n, count, src[t:], stride)
		packTransposed(p.impl.vectors(), dst[g.rowsOf(t)*nr:], nr, depth, n, memory.Data, depth+panelSpare)
	}
}
