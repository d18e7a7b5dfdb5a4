package kernel

import "github.com/mega-go/mega/internal/parallel"

// Intel's processors from Sapphire Rapids on multiply bfloat16 numbers in tiles, sixteen
// times as fast as AVX-512 multiplies float32 numbers. That is what GemmBF16 uses there.
//
// Under AMX, products of float32 numbers use it too: a float32 number is the sum of three
// bfloat16 ones, its parts, and six products of parts make one that is off by less than
// 2^-23 of itself. Sums are float32 and have half as many roundings as those of
// multiply-adds, so that results are closer to the exact ones than those of the other
// implementations. Parts of numbers that are less than 2^-126 are taken for 0; infinity, and
// what rounds to it in bfloat16, from 3.396e38 on, makes every sum that it is in NaN.
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

// tilesBF16 says whether products in bfloat16 are computed in tiles.
var tilesBF16 = hasAMX

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
// and more memory, and in which products with many rows are faster.
func (p *Packed) PackOnce(w *parallel.Workers, k, n int, b Matrix) {
	b.check("B", k, n)
	if parts := partsInTiles(k, n); parts > 0 {
		p.pack(w, AMX, parts, k, n, b)
		return
	}
	p.pack(w, current, 0, k, n, b)
}

// packTile packs rows i to end of a transposed A, from the kth row of their parts on, depth of
// them: row after row.
func (p *product) packTile(i, end, k, depth int, memory []float32) {
	const pitch = partSlice + panelSpare
	rows := parallel.Borrow(p.mr * pitch)
	defer rows.Return()
	g := p.grouping()
	first, terms := g.firstTerm(k), p.termsOf(k, depth)
	for t := 0; t < terms; t += partSlice {
		count := min(partSlice, terms-t)
		packTransposed(current, rows.Data, pitch, end-i, count, p.a.Data[(first+t)*p.a.Stride+i:], p.a.Stride)
		partRows(p.impl, p.parts, memory[g.rowsOf(t):], depth+panelSpare, end-i, count, rows.Data, pitch)
	}
}
