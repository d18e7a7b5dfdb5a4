//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package indexed

import (
	"os"
	"syscall"
)

// mapFile maps a file for reading. The second result unmaps it.
func mapFile(path string) ([]byte, func() error, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, openError(path, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, openError(path, err)
	}
	if info.Size() == 0 { // cannot be mapped
		return nil, func() error { return nil }, nil
	}
	b, err := syscall.Mmap(int(f.Fd()), 0, int(info.Size()), syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		return nil, nil, openError(path, err)
	}
	return b, func() error { return syscall.Munmap(b) }, nil
}
