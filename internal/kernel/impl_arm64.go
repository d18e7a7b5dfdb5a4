//go:build !purego

package kernel

// waitsForL2 is for the kernels of AVX-512.
var waitsForL2 = false

// native lists the assembly implementations: every CPU of the architecture has
// vectors of four numbers and multiply-adds.
func native() []Implementation { return []Implementation{NEON} }
