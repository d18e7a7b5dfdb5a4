//go:build (!amd64 && !arm64) || purego

package kernel

func expSub(dst, x []float32, c float32) float32 { return expSubGeneric(dst, x, c) }

func sumExpSub(x []float32, c float32) float32 { return sumExpSubGeneric(x, c) }
