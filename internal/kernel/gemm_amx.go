package kernel

import (
	"os"

	"github.com/mega-go/mega/internal/parallel"
)

// Intel's processors from Sapphire Rapids on multiply bfloat16 numbers in tiles, sixteen
// times as fast as AVX-512 multiplies float32 numbers. That is what GemmBF16 uses there.
//
// Under AMX, products of float32 numbers use it too: a float32 number is the sum of three
// bfloat16 ones, its parts, and six products of parts make one that is off by less than
// 2^-23 of itself. Sums are float32 and have half as many roundings as those of
// multiply-adds, so that results are closer to the exact ones than those of the other
// implementations. That holds for numbers and products down to 2^-100: parts of numbers, and
// products of parts, that are less than 2^-126 are taken for 0. Infinity, and what rounds to it
// in bfloat16, from 3.396e38 on, makes every sum that it is in NaN.
//
// Loading tiles suffers from a second thread on the core: such products then take three times
// as long, and longer than with AVX-512.

const (
	splitParts = 3       // of a float32 number
	tileTerms  = 32      // of a row of a tile
	tileSums   = 32 * 32 // sums that a strip has in tiles

	// Sizes of a block of B: processors with tiles have 48 KB of L1 and 2 MB of L2 cache, and
	// rows of A are made anew for each block.
	tileDepth = 192      // rows: a panel of A takes half of L1
	tileBlock = 96 << 10 // words
)

// tilesBF16 says whether products in bfloat16 are computed in tiles: where there are, unless
// the environment asks for vectors.
var tilesBF16 = hasAMX && os.Getenv("MEGA_KERNEL") != AVX512.String()

// tileLeast is how many terms and columns a product of float32 numbers has at least that is
// computed in tiles: cutting A's numbers costs as much as 30 columns.
var tileLeast = struct{ terms, columns int }{48, 96}

// partsInTiles returns of how many parts the numbers of a product of k terms and n columns
// are: 0 if they are not to be parted.
func partsInTiles(k, n int) int {
	if chosen == AMX && k >= tileLeast.terms && n >= tileLeast.columns {
		return splitParts
	}
	return 0
}

// PackOnce is Pack for a few products soon: it may pack in another format, which takes longer
// and more memory, and in which products with many rows are faster. There a product with
// fewer rows than p holds adds zeros times the rows after them, up to a multiple of 32.
func (p *Packed) PackOnce(w *parallel.Workers, k, n int, b Matrix) {
	b.checkNumbers("B", k, n)
	if parts := partsInTiles(k, n); parts > 0 {
		p.pack(w, implementationOf(parts), parts, k, n, b)
		return
	}
	p.Pack(w, k, n, b)
}

// packTiles packs the panels of a rectangle of a transposed A, row after row. It takes some
// terms at a time of all panels, so that it reads rows of Aᵀ straight on.
func (p *product) packTiles(r rectangle, memory []float32) {
	const slice = 64 // terms
	const pitch = slice + panelSpare
	rows := parallel.Borrow(p.mr * pitch)
	defer rows.Return()
	depth, g := r.k1-r.k0, p.grouping()
	first, terms := g.firstTerm(r.k0), p.termsOf(r.k0, depth)
	for t := 0; t < terms; t += slice {
		count := min(slice, terms-t)
		for q := r.p0; q < r.p1; q++ {
			i, panel := p.firstRow(q), memory[(q-r.p0)*p.panelSize(depth):]
			height := p.firstRow(q+1) - i
			packTransposed(p.impl.vectors(), rows.Data, pitch, height, count, p.a.Data[(first+t)*p.a.Stride+i:], p.a.Stride)
			partRows(p.impl, p.parts, panel[g.rowsOf(t):], depth+panelSpare, height, count, rows.Data, pitch)
		}
	}
}
