//go:build (!amd64 && !arm64) || purego

package kernel

// int8Implementation returns the implementation of products with bytes.
func int8Implementation() Implementation { return Generic }

func (s *strip) runInts(Implementation) { s.runIntsGeneric() }
