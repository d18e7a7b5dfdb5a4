//go:build unix

package filemap

import (
	"os"
	"unsafe"

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
		f.data, f.maps = data, true
		f.free = func() error { return unix.Munmap(data) }
	}
	return file.Close()
}

// release takes the pages of a part of a map out of the process, if there are
// many. They stay in the system's cache, and reading them again brings them back.
func release(b []byte) {
	const many = 1 << 20
	if len(b) < many {
		return
	}
	page := os.Getpagesize()
	ahead := -int(uintptr(unsafe.Pointer(unsafe.SliceData(b)))) & (page - 1)
	whole := b[ahead:]
	// The map stays right if the system refuses.
	_ = unix.Madvise(whole[:len(whole)&^(page-1)], unix.MADV_DONTNEED)
}
