//go:build !purego

package kernel

func (s *strip) run(Implementation) { s.runGeneric() }

func packStraight(_ Implementation, dst []float32, pitch, depth, n int, src []float32, stride int) {
	packStraightGeneric(dst, pitch, depth, n, src, stride)
}

func packTransposed(_ Implementation, dst []float32, pitch, depth, n int, src []float32, stride int) {
	packTransposedGeneric(dst, pitch, depth, n, src, stride)
}
