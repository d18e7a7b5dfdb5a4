//go:build !amd64 || purego

package kernel

// hasAMX is for amd64.
const hasAMX = false

const noTiles = "kernel: no kernels in tiles here"

func (s *strip) runTiles(int) { panic(noTiles) }

func threePartRows([]float32, int, int, int, []float32, int) { panic(noTiles) }

func packTilePairs(int, []float32, int, int, int, int, []float32, int) { panic(noTiles) }
