//go:build !amd64 || purego

package parallel

// pause passes some ten nanoseconds.
func pause() {
	for range 16 {
		continue
	}
}
