//go:build !linux

package parallel

// adviseHuge does nothing where huge pages cannot be asked for.
func adviseHuge([]float32) {}
