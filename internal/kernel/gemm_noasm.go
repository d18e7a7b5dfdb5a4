//go:build (!amd64 && !arm64) || purego

package kernel

func (s *strip) run(Implementation) { s.runGeneric() }

func packRows(_ Implementation, dst []float32, panel, depth, n int, src []float32, stride int) {
	packRowsGeneric(dst, panel, tilings[Generic].nr, depth, n, src, stride)
}

func packRuns(_ Implementation, dst []float32, panel, depth int, starts []int, src []float32, stride int) {
	packRunsGeneric(dst, panel, tilings[Generic].mr, depth, starts, src, stride)
}

func packTransposed(_ Implementation, dst []float32, pitch, depth, n int, src []float32, stride int) {
	packTransposedGeneric(dst, pitch, depth, n, src, stride)
}
