//go:build !purego

package kernel

// intStrips holds the implementation's kernels by their number of rows.
var intStrips = [...][]intStripFunc{
	NEON: {1: gemmInt8NEONx1, 2: gemmInt8NEONx2, 3: gemmInt8NEONx3, 4: gemmInt8NEONx4, 5: gemmInt8NEONx5, 6: gemmInt8NEONx6},
}
