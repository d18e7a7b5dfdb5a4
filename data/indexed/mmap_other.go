//go:build !(linux || darwin || freebsd || netbsd || openbsd || dragonfly)

package indexed

import "os"

// mapFile reads a file whole where there is no mmap.
func mapFile(path string) ([]byte, func() error, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, openError(path, err)
	}
	return b, func() error { return nil }, nil
}
