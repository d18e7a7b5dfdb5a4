//go:build !purego

package kernel

import "golang.org/x/sys/cpu"

// hasAMX says whether the processor and the system let this process use tiles.
var hasAMX = cpu.X86.HasAMXTile && cpu.X86.HasAMXBF16 && hasBF16 && allowTiles()

// runTiles computes a strip of numbers of so many parts, s.k rows of them.
func (s *strip) runTiles(parts int) {
	if s.k == 0 {
		s.runGeneric()
		return
	}
	kernel := gemmAMX3x32
	switch {
	case parts == 1 && s.m <= 16:
		kernel = gemmAMX1x16
	case parts == 1:
		kernel = gemmAMX1x32
	case s.m <= 16:
		kernel = gemmAMX3x16
	}
	var bias *float32
	if s.bias != nil {
		_ = s.bias[s.n-1]
		bias = &s.bias[0]
	}
	add := uint64(0)
	if s.add {
		add = 1
	}
	_ = s.a[roundUp(s.m, 16)*s.as-panelSpare-1] // tiles are read whole
	_ = s.b[(s.n-1)/32*s.bs+s.k*32-1]
	_ = s.c[(s.m-1)*s.ldc+s.n-1]
	kernel(s.k/(16*parts), &s.a[0], 4*s.as, &s.b[0], 4*s.bs, &s.c[0], 4*s.ldc, s.n, s.m, bias, add, &s.sums[:tileSums][0])
}

// threePartRows makes rows of parts of n > 0 numbers from each of rows > 0 rows, stride apart: of
// each 32 numbers the pairs of the first parts, those of the second, and those of the third,
// with zeros after the last.
func threePartRows(dst []float32, pitch, rows, n int, src []float32, stride int) {
	_ = src[(rows-1)*stride+n-1]
	_ = dst[(rows-1)*pitch+groupingOf(AMX, splitParts).rowsOf(n)-1]
	splitRowsAMX(rows, &src[0], 4*stride, &dst[0], 4*pitch, n)
}

// packTilePairs distributes the pairs of n > 0 numbers of so many parts from terms > 0 rows,
// stride apart, two and two, over panels of 32 columns, panel apart and depth rows long, with
// zeros after the last.
func packTilePairs(parts int, dst []float32, panel, depth, terms, n int, src []float32, stride int) {
	const nr = 32
	_ = src[(terms-1)*stride+n-1]
	_ = dst[(n-1)/nr*panel+depth*nr-1]
	if parts == splitParts {
		splitPairsAMX(terms, &src[0], 4*stride, &dst[0], 4*panel, n)
		return
	}
	packPairsBF16(terms, &src[0], 4*stride, &dst[0], 4*panel, n)
	for at := 0; at < n; at += nr {
		clear(dst[at/nr*panel:][ceilDiv(terms, 2)*nr : depth*nr])
	}
}
