// Package filemap gives read access to a file's bytes without reading what is
// not used: by memory map where the system has one, otherwise by reading ranges.
//
// It knows nothing of formats. Its promise is that no file can end the process:
// ranges are checked, only regular files open, and a mapped file that shrinks while
// it is read gives an error instead of a fault.
package filemap

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"runtime/debug"
	"sync"
)

// ErrClosed is returned for reads after Close.
var ErrClosed = errors.New("the file is closed")

// A File is an open file. It is safe for concurrent use.
type File struct {
	name string
	size int64
	data []byte      // the whole file, where it is in memory or mapped
	maps bool        // data is a map, whose pages the system can read again
	from io.ReaderAt // else where to read ranges

	mu     sync.RWMutex // held by readers, so that Close waits for them
	closed bool
	free   func() error
}

// Open opens the regular file at path. Anything else (a directory, a pipe, a
// device) is an error, as reading it could block for ever or never end.
func Open(path string) (*File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "open", Path: path, Err: errors.New("not a regular file")}
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if info, err = file.Stat(); err != nil {
		file.Close()
		return nil, err
	}
	size := info.Size()
	if size > math.MaxInt {
		file.Close()
		return nil, &fs.PathError{Op: "open", Path: path, Err: fmt.Errorf("%d bytes do not fit this machine's address space", size)}
	}
	f := &File{name: path, size: size}
	if err := f.attach(file); err != nil {
		file.Close()
		return nil, &fs.PathError{Op: "map", Path: path, Err: err}
	}
	return f, nil
}

// OpenTemporary opens the file at path, which is deleted when the File is
// closed, if not before. name stands for it in errors.
func OpenTemporary(path, name string) (*File, error) {
	f, err := Open(path)
	if err != nil {
		return nil, errors.Join(err, os.Remove(path))
	}
	f.name = name
	if os.Remove(path) == nil { // a map outlives the name
		return f, nil
	}
	free := f.free
	f.free = func() error { return errors.Join(free(), os.Remove(path)) }
	return f, nil
}

// FromBytes returns a File whose content is data; name stands for it in errors.
func FromBytes(name string, data []byte) *File {
	return &File{name: name, size: int64(len(data)), data: data, free: func() error { return nil }}
}

// Section returns n bytes from offset off as a File under a name of its own. It
// must be closed before f is.
func (f *File) Section(name string, off, n int64) (*File, error) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if err := f.check(off, n); err != nil {
		return nil, err
	}
	s := &File{name: name, size: n, free: func() error { return nil }}
	if f.from == nil {
		s.data, s.maps = f.data[off:off+n:off+n], f.maps
	} else {
		s.from = io.NewSectionReader(f.from, off, n)
	}
	return s, nil
}

// Name returns the path that the file was opened by.
func (f *File) Name() string { return f.name }

// Size returns the file's length in bytes when it was opened.
func (f *File) Size() int64 { return f.size }

// Bytes returns n bytes from offset off. Where the file is mapped they are the
// map itself: valid until Close, and a fault if the file shrinks meanwhile.
func (f *File) Bytes(off, n int64) ([]byte, error) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.bytes(off, n)
}

// check reports a range that the file does not have.
func (f *File) check(off, n int64) error {
	if f.closed {
		return ErrClosed
	}
	if off < 0 || n < 0 || off > f.size || n > f.size-off {
		return fmt.Errorf("%d bytes at %d of a file of %d", n, off, f.size)
	}
	return nil
}

func (f *File) bytes(off, n int64) ([]byte, error) {
	if err := f.check(off, n); err != nil {
		return nil, err
	}
	if f.from == nil {
		return f.data[off : off+n : off+n], nil
	}
	b := make([]byte, n)
	if got, err := f.from.ReadAt(b, off); got < len(b) {
		return nil, fmt.Errorf("%d bytes at %d: %w", n, off, err)
	}
	return b, nil
}

// View calls use with n bytes from offset off, valid until use returns. The
// file is not closed meanwhile, and a file that shrinks while use reads is an
// error. use must read them in its own goroutine. Pages of a map that it read
// do not stay in the process: what makes a copy of a large file needs no memory
// for the file beside it.
func (f *File) View(off, n int64, use func([]byte) error) (err error) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	b, err := f.bytes(off, n)
	if err != nil {
		return err
	}
	if f.maps {
		defer release(b)
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		switch p := recover().(type) {
		case nil:
		case interface{ Addr() uintptr }: // what package debug documents for a fault
			err = errors.New("the file became shorter, or its disk failed, while it was read")
		default:
			panic(p)
		}
	}()
	return use(b)
}

// ReadAt implements io.ReaderAt.
func (f *File) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fmt.Errorf("offset %d is negative", off)
	}
	n := max(0, min(int64(len(p)), f.size-off))
	err := f.View(min(off, f.size), n, func(b []byte) error {
		copy(p, b)
		return nil
	})
	if err == nil && n < int64(len(p)) {
		err = io.EOF
	}
	return int(n), err
}

// Close releases the file once running views have returned. Further reads give
// ErrClosed; closing again does nothing.
func (f *File) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil
	}
	f.closed = true
	f.data, f.from = nil, nil
	return f.free()
}

// Read returns the bytes of the regular file at path, of most bytes at most.
func Read(path string, most int64) ([]byte, error) {
	f, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.ReadAll(most)
}

// ReadAll returns a copy of all bytes, at most the given number.
func (f *File) ReadAll(most int64) ([]byte, error) {
	if f.size > most {
		return nil, fmt.Errorf("%s: %d bytes, want at most %d", f.name, f.size, most)
	}
	out := make([]byte, f.size)
	err := f.View(0, f.size, func(b []byte) error {
		copy(out, b)
		return nil
	})
	return out, err
}
