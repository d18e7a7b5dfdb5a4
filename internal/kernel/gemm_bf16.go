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
// and of a panel's rows 2q and 2q + 1 the two pairs of a column lie side by side.

// GemmBF16 is Gemm of operands rounded to bfloat16, to nearest, ties to even,
// at up to twice the speed: a factor is off by up to 2^-9 of itself. Products
// are exact and sums are float32. The instructions, VDPBF16PS of AVX512_BF16 and
// BFMMLA of ARM, take denormal numbers for 0. BFMMLA rounds sums to odd, which is off
// by up to a unit in the last place instead of half of one, but adds products by twos
// first and so rounds half as often.
//
// It computes the same, only slowly, where CheckBF16 returns an error.
func GemmBF16(w *parallel.Workers, m, n, k int, a, b Matrix, c []float32, ldc int, e Epilogue) {
	b.check("B", k, n)
	p := product{workers: w, m: m, n: n, k: k, a: a, raw: b, out: output{c, ldc, e}}
	p.multiply(true)
}

// PackBF16 is Pack for products in bfloat16, as GemmBF16 computes. One with fewer rows
// than p holds adds zeros times the rows after them, up to a multiple of two rows, or
// of four on ARM.
func (p *Packed) PackBF16(w *parallel.Workers, k, n int, b Matrix) {
	b.check("B", k, n)
	impl := pairImplementation()
	p.pack(w, impl, pairsOf(impl, k), n, k, b)
}

// CheckBF16 returns an error that says what is missing if this machine has no
// fast products in bfloat16.
func CheckBF16() error {
	switch {
	case !hasBF16:
		return errors.New("products in bfloat16 need " + bf16Processors + ", which is not here or not used by this build")
	case Current() != bf16Implementation:
		return fmt.Errorf("products in bfloat16 need the %v kernels, and MEGA_KERNEL says %v", bf16Implementation, Current())
	}
	return nil
}

// pairImplementation returns the implementation of products of pairs.
func pairImplementation() Implementation {
	if hasBF16 && Current() == bf16Implementation {
		return bf16Implementation
	}
	return Generic
}

// pairsOf returns how many pairs an implementation makes of k terms.
func pairsOf(impl Implementation, k int) int {
	if impl == NEON {
		return 2 * ceilDiv(k, 4)
	}
	return ceilDiv(k, 2)
}

// pairRowsOfA is rowsOfA for pairs: of m rows from i on the depth pairs from k on.
func (p *product) pairRowsOfA(i, m, k, depth int, memory []float32) (a []float32, as, ks int) {
	terms, src := p.termsOf(k, depth), p.a.Data[i*p.a.Stride+2*k:]
	if p.impl == NEON {
		packQuadRows(memory, p.mr, m, terms, src, p.a.Stride)
		return memory, 2, p.mr
	}
	as = depth + panelSpare
	pairRows(p.impl, memory, as, m, terms, src, p.a.Stride)
	return memory, as, 1
}

// termsOf returns how many terms depth pairs from the kth on are made of.
func (p *product) termsOf(k, depth int) int { return min(2*depth, p.terms-2*k) }

// packPairBlock is packBlock for sums of terms products, of which depth, k and
// panelRows count pairs.
func packPairBlock(impl Implementation, terms int, dst []float32, panelRows int, raw Matrix, k, depth, j, n int) {
	nr := tilings[impl].nr
	terms = min(2*depth, terms-2*k)
	if !raw.Transposed {
		packPairs(impl, dst, panelRows*nr, terms, n, raw.Data[2*k*raw.Stride+j:], raw.Stride)
		return
	}
	for i := 0; i < n; i += nr {
		packPairsTransposed(impl, dst[i*panelRows:], terms, min(nr, n-i), raw.Data[(j+i)*raw.Stride+2*k:], raw.Stride)
	}
}

// pairSlice is how many pairs of a row packPairsTransposed takes at a time: 32
// rows of them stay in the first level of cache.
const pairSlice = 128

// packPairsTransposed makes pairs of n <= nr rows, stride apart, of terms > 0
// numbers, and transposes them into a panel:
// dst[p*nr+j] = the pair of src[j*stride+2p] and src[j*stride+2p+1], or by quads.
func packPairsTransposed(impl Implementation, dst []float32, terms, n int, src []float32, stride int) {
	nr := tilings[impl].nr
	if impl == NEON {
		packQuadRows(dst, nr, n, terms, src, stride)
		return
	}
	memory := parallel.Borrow(nr * (pairSlice + panelSpare))
	defer memory.Return()
	for t := 0; t < terms; t += 2 * pairSlice {
		count := min(2*pairSlice, terms-t)
		depth := ceilDiv(count, 2)
		pairRows(impl, memory.Data, depth+panelSpare, n, count, src[t:], stride)
		packTransposed(impl, dst[t/2*nr:], nr, depth, n, memory.Data, depth+panelSpare)
	}
}
