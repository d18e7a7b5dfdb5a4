//go:build unix

package filemap

import (
	"os"

	"golang.org/x/sys/unix"
)

// attach maps the file, which need not stay open for that.
func (f *File) attach(file *os.File) error {
	f.free = func() error { return nil }
	if f.size > 0 { // nothing cannot be mapped
		data, err := unix.Mmap(int(file.Fd()), 0, int(f.size), unix.PROT_READ, unix.MAP_SHARED)
		if err != nil {
			return err
		}
		f.data = data
		f.free = func() error { return unix.Munmap(data) }
	}
	return file.Close()
}
