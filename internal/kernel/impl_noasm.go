//go:build !amd64 || purego

package kernel

// native is empty where there is no assembly.
func native() []Implementation { return nil }
