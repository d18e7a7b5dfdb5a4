//go:build (!amd64 && !arm64) || purego

package kernel

const (
	hasBF16            = false
	bf16Implementation = Generic
	bf16Instructions   = ""
	bf16Processors     = "a processor with AVX512_BF16 (AMD from Zen 4 on, Intel from Cooper Lake on) or ARM's BF16"
)

func (s *strip) runPairs(Implementation) { s.runPairsGeneric() }

func pairRows(_ Implementation, dst []float32, pitch, rows, n int, src []float32, stride int) {
	pairRowsGeneric(dst, pitch, rows, n, src, stride)
}

func packPairs(_ Implementation, dst []float32, panel, terms, n int, src []float32, stride int) {
	packPairsGeneric(dst, panel, tilings[Generic].nr, terms, n, src, stride)
}

func packPairRuns(_ Implementation, dst []float32, panel, terms int, starts []int, src []float32, stride int) {
	packPairRunsGeneric(dst, panel, tilings[Generic].mr, terms, starts, src, stride)
}
