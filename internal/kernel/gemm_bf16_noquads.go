//go:build !arm64 || purego

package kernel

// packQuadRows is for the kernels of quads, which are ARM's.
func packQuadRows([]float32, int, int, int, []float32, int) {
	panic("kernel: no kernels of quads here")
}
