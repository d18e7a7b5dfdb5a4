//go:build !purego

package kernel

import "github.com/klauspost/cpuid/v2"

// bf16Implementation is the one that multiplies in bfloat16, on bf16Processors.
const (
	bf16Implementation = NEON
	bf16Instructions   = "BFMMLA"
	bf16Processors     = "a processor with BF16 instructions (ARM's Neoverse V1 and N2 and later, Apple's from M2 on) under Linux or macOS"
)

// hasBF16 says whether the neon kernels can multiply in bfloat16 here. Package
// x/sys/cpu does not tell; cpuid asks Linux and macOS.
var hasBF16 = cpuid.CPU.Has(cpuid.BF16)

var stripsBF16 = [...]stripFunc{
	1: gemmQuadsNEONx1, 2: gemmQuadsNEONx2, 3: gemmQuadsNEONx3, 4: gemmQuadsNEONx4, 5: gemmQuadsNEONx5, 6: gemmQuadsNEONx6,
}

// runPairs computes a strip of pairs.
func (s *strip) runPairs(impl Implementation) {
	if impl == Generic {
		s.runPairsGeneric()
		return
	}
	s.call(stripsBF16[s.m], tilings[impl].nr)
}

func pairRows(_ Implementation, dst []float32, pitch, rows, n int, src []float32, stride int) {
	pairRowsGeneric(dst, pitch, rows, n, src, stride)
}

// packPairs distributes the pairs of n > 0 numbers from terms > 0 rows, stride
// apart, two and two, over panels, panel apart, of nr columns, by quads. It may
// overwrite what is left of the last panel.
func packPairs(impl Implementation, dst []float32, panel, terms, n int, src []float32, stride int) {
	nr := tilings[impl].nr
	if impl == Generic {
		packPairsGeneric(dst, panel, nr, terms, n, src, stride)
		return
	}
	for j := 0; j < n; j += quadColumns {
		packQuadColumns(dst[j/nr*panel+2*(j%nr):], nr, terms, min(quadColumns, n-j), src[j:], stride)
	}
}

// packPairRuns makes pairs of terms rows, stride apart, two and two, of the runs
// of mr numbers that begin at starts, and copies them to panels, panel apart, by
// quads. It may overwrite panelSpare pairs beyond a panel's last row.
func packPairRuns(impl Implementation, dst []float32, panel, terms int, starts []int, src []float32, stride int) {
	mr := tilings[impl].mr
	if impl == Generic {
		packPairRunsGeneric(dst, panel, mr, terms, starts, src, stride)
		return
	}
	for q, start := range starts {
		packQuadColumns(dst[q*panel:], mr, terms, quadColumns, src[start:], stride)
	}
}

// packQuadRows makes quads of rows > 0 rows, stride apart, of terms > 0 numbers, for
// a panel that is width pairs wide: dst[(2q*width)+2i+p] = the pair of
// src[i*stride+4q+2p] and src[i*stride+4q+2p+1], with zeros after the last.
func packQuadRows(dst []float32, width, rows, terms int, src []float32, stride int) {
	quads, rest := terms/4, terms%4
	if quads > 0 {
		_ = src[(rows-1)*stride+4*quads-1]
		_ = dst[2*(quads-1)*width+2*rows-1]
		quadRowsNEON(quads, &src[0], 4*stride, &dst[0], 8*width, rows)
	}
	if rest > 0 {
		var last [4 * neonWidth]float32
		for i := range rows {
			copy(last[4*i:][:rest], src[i*stride+4*quads:])
		}
		_ = dst[2*quads*width+2*rows-1]
		quadRowsNEON(1, &last[0], 16, &dst[2*quads*width], 8*width, rows)
	}
}

const (
	neonWidth   = 16 // of a panel of B, which is wider than one of A
	quadColumns = 8  // that quadColumnsNEON takes at a time
)

// packQuadColumns makes quads of n <= quadColumns columns of terms > 0 rows, stride
// apart, for a panel that is width pairs wide: dst[(2q*width)+2j+p] = the pair of
// src[(4q+2p)*stride+j] and src[(4q+2p+1)*stride+j], with zeros after the last, as far
// as src goes. It writes quadColumns columns.
func packQuadColumns(dst []float32, width, terms, n int, src []float32, stride int) {
	quads := 0 // of which all columns can be read
	if n == quadColumns && len(src) >= n {
		quads = min(terms, (len(src)-n)/max(stride, 1)+1) / 4
	}
	if quads > 0 {
		_ = dst[2*(quads-1)*width+2*n-1]
		quadColumnsNEON(quads, &src[0], 4*stride, &dst[0], 8*width)
	}
	for t := 4 * quads; t < terms; t += 4 {
		var rows [4 * quadColumns]float32
		for r := range min(4, terms-t) {
			copy(rows[r*quadColumns:][:n], src[(t+r)*stride:])
		}
		_ = dst[t/2*width+2*quadColumns-1]
		quadColumnsNEON(1, &rows[0], 4*quadColumns, &dst[t/2*width], 8*width)
	}
}
