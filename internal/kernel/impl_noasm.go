//go:build (!amd64 && !arm64) || purego

package kernel

// waitsForL2 is for the kernels in assembly.
var waitsForL2 = false

// native is empty where there is no assembly.
func native() []Implementation { return nil }
