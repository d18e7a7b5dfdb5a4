package torchfile

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/mega-go/mega/format/filemap"
)

// A File is an open file of torch.save.
type File struct {
	file *filemap.File
	root any
}

// Open opens the file at path by mapping it into memory. Everything but the
// tensors' numbers is read and checked. Close the File after use.
func Open(path string) (*File, error) {
	file, err := filemap.Open(path)
	if err != nil {
		return nil, err
	}
	return OpenFile(file)
}

// OpenFile is Open for a file that is open already; it is closed by Close, or
// now if there is an error.
func OpenFile(file *filemap.File) (*File, error) {
	f, err := open(file)
	if err != nil {
		file.Close()
	}
	return f, err
}

// Parse opens a file that is in memory; data must not change while it is used.
func Parse(data []byte) (*File, error) { return open(filemap.FromBytes("torch data", data)) }

// Root returns the value that was saved; package torchfile lists the types. It
// belongs to the File and must not be changed while others use it.
func (f *File) Root() any { return f.root }

// Close releases the file. Tensors cannot be read afterwards.
func (f *File) Close() error { return f.file.Close() }

func open(file *filemap.File) (*File, error) {
	root, err := read(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file.Name(), err)
	}
	return &File{file, root}, nil
}

// read tells the format by the first bytes.
func read(file *filemap.File) (any, error) {
	var start [512]byte
	n := min(file.Size(), int64(len(start)))
	if err := file.View(0, n, func(b []byte) error { copy(start[:], b); return nil }); err != nil {
		return nil, err
	}
	switch {
	case n == 0:
		return nil, errors.New("the file is empty")
	case bytes.HasPrefix(start[:], []byte("PK\x03\x04")):
		return readArchive(file)
	case start[0] == 0x80:
		return readLegacy(file)
	}
	return nil, fmt.Errorf("not a file of torch.save%s", guess(start[:n]))
}

// guess says what a file that is not torch's may be.
func guess(start []byte) string {
	for _, known := range []struct {
		at    int
		magic string
		is    string
	}{
		{8, "{", "a safetensors file"},
		{257, "ustar", "a tar archive, as torch before 0.1.10 wrote: load it and save it again with a newer one"},
		{0, "\x1f\x8b", "compressed with gzip: unpack it first"},
		{0, "version https://git-lfs", "a Git LFS pointer: fetch the file with git lfs pull"},
		{0, "<", "a web page: the download may have failed"},
		{0, "\x89HDF", "an HDF5 file"},
	} {
		if known.at < len(start) && bytes.HasPrefix(start[known.at:], []byte(known.magic)) {
			return "; it looks like " + known.is
		}
	}
	return ""
}
