//go:build !amd64 || purego

package kernel

func (s *strip) run(Implementation) { s.runGeneric() }

func packRows(_ Implementation, dst []float32, panel, depth, n int, src []float32, stride int) {
	packRowsGeneric(dst, panel, tilings[Generic].nr, depth, n, src, stride)
}

func packFew(_ Implementation, dst []float32, pitch, depth, n int, src []float32, stride int) {
	packRowsGeneric(dst, 0, pitch, depth, n, src, stride)
}

func packTransposed(_ Implementation, dst []float32, pitch, depth, n int, src []float32, stride int) {
	packTransposedGeneric(dst, pitch, depth, n, src, stride)
}
