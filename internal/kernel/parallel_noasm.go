//go:build !amd64 || purego

package kernel

// pause passes some ten nanoseconds.
func pause() {
	for range 16 {
		continue
	}
}
