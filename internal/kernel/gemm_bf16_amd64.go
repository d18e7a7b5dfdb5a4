//go:build !purego

package kernel

import (
	"golang.org/x/sys/cpu"
)

// bf16Implementation is the one that multiplies in bfloat16, on bf16Processors.
const (
	bf16Implementation = AVX512
	bf16Instructions   = "AVX512_BF16"
	bf16Processors     = "a processor with AVX512_BF16 (AMD from Zen 4 on, Intel from Cooper Lake on)"
)

// hasBF16 says whether the avx512 kernels can multiply in bfloat16 here.
var hasBF16 = cpu.X86.HasAVX512BF16 && hasAVX512

var stripsBF16 = [...]stripFunc{
	1: gemmBF16x1, 2: gemmBF16x2, 3: gemmBF16x3, 4: gemmBF16x4, 5: gemmBF16x5,
	6: gemmBF16x6, 7: gemmBF16x7, 8: gemmBF16x8, 9: gemmBF16x9, 10: gemmBF16x10,
	11: gemmBF16x11, 12: gemmBF16x12, 13: gemmBF16x13, 14: gemmBF16x14,
}

// runPairs computes a strip of pairs.
func (s *strip) runPairs(impl Implementation) {
	if impl == Generic {
		s.runPairsGeneric()
		return
	}
	s.call(stripsBF16[s.m], tilings[impl].nr)
}

// pairRows makes pairs of n > 0 numbers from each of rows > 0 rows, stride
// apart: dst[i*pitch+p] = the pair of src[i*stride+2p] and src[i*stride+2p+1],
// or 0 after an odd last. It may overwrite what follows in dst up to a multiple
// of sixteen pairs.
func pairRows(impl Implementation, dst []float32, pitch, rows, n int, src []float32, stride int) {
	if impl == Generic {
		pairRowsGeneric(dst, pitch, rows, n, src, stride)
		return
	}
	_ = src[(rows-1)*stride+n-1]
	_ = dst[(rows-1)*pitch+roundUp(n, 32)/2-1]
	pairRowsBF16(rows, &src[0], 4*stride, &dst[0], 4*pitch, n)
}

// packPairs distributes the pairs of n > 0 numbers from terms > 0 rows, stride
// apart, two and two, over panels, panel apart, of nr columns: dst[j/nr*panel+
// p*nr+j%nr] = the pair of src[2p*stride+j] and src[(2p+1)*stride+j]. It may
// overwrite what is left of the last panel.
func packPairs(impl Implementation, dst []float32, panel, terms, n int, src []float32, stride int) {
	nr := tilings[impl].nr
	if impl == Generic {
		packPairsGeneric(dst, panel, nr, terms, n, src, stride)
		return
	}
	_ = src[(terms-1)*stride+n-1]
	_ = dst[(n-1)/nr*panel+ceilDiv(terms, 2)*nr-1]
	packPairsBF16(terms, &src[0], 4*stride, &dst[0], 4*panel, n)
}

// packPairRuns makes pairs of terms rows, stride apart, two and two, of the runs
// of mr numbers that begin at starts, and copies them to panels, panel apart,
// whose rows are mr apart: dst[q*panel+p*mr+i] = the pair of
// src[2p*stride+starts[q]+i] and src[(2p+1)*stride+starts[q]+i]. It may
// overwrite panelSpare pairs beyond a panel's last row.
func packPairRuns(impl Implementation, dst []float32, panel, terms int, starts []int, src []float32, stride int) {
	mr := tilings[impl].mr
	whole := 0 // pairs of rows of which a vector can be read at every start
	if spare := len(src) - starts[len(starts)-1] - panelSpare; impl != Generic && spare >= 0 {
		whole = min(terms, spare/max(stride, 1)+1) / 2
	}
	if whole > 0 {
		var bytes [runsMax]int
		for q, start := range starts {
			bytes[q] = 4 * start
		}
		_ = dst[(len(starts)-1)*panel+(whole-1)*mr+panelSpare-1]
		packPairRunsBF16(whole, &src[0], 4*stride, &dst[0], 4*mr, 4*panel, &bytes[0], len(starts))
	}
	if 2*whole < terms {
		packPairRunsGeneric(dst[whole*mr:], panel, mr, terms-2*whole, starts, src[2*whole*stride:], stride)
	}
}
