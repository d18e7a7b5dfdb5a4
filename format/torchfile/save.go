package torchfile

import (
	"archive/zip"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"strconv"

	"github.com/mega-go/mega/internal/atomicfile"
)

const (
	// folder is the archive's folder, as torch.save names it where the file has
	// no name.
	folder = "archive/"
	// formatVersion is what torch 1.6 and later write.
	formatVersion = "3\n"
	// alignment is that of torch's storages in the file, so that they can be
	// used where they are mapped.
	alignment = 64
)

// Save writes a file that torch.load reads (PyTorch 1.6 and later), whole or not
// at all, replacing the one at path. The value is of the types that package
// torchfile lists, or int. Tensors that share a storage share it in the file.
// The same value gives the same bytes.
func Save(path string, value any) error {
	return atomicfile.Write(path, func(w io.Writer) error { return Encode(w, value) })
}

// Encode writes what Save does to w.
func Encode(w io.Writer, value any) error {
	// A caller's tree has no file whose length bounds it; this bound only stops sharing
	// that would not end.
	if err := checkTree(value, math.MaxInt32/16); err != nil {
		return err
	}
	data, storages, err := pickle(value)
	if err != nil {
		return err
	}
	a := newArchiveWriter(w)
	if err := a.add(pickleEntry, data); err != nil {
		return err
	}
	for i, s := range storages {
		name := storageEntry + strconv.Itoa(i)
		if err := s.View(func(b []byte) error { return a.add(name, b) }); err != nil {
			return err
		}
	}
	if err := a.add(versionEntry, []byte(formatVersion)); err != nil {
		return err
	}
	return a.zip.Close()
}

// An archiveWriter writes a zip archive of aligned, stored entries.
type archiveWriter struct {
	zip     *zip.Writer
	written *int64
}

func newArchiveWriter(w io.Writer) archiveWriter {
	var n int64
	return archiveWriter{zip.NewWriter(countingWriter{w, &n}), &n}
}

type countingWriter struct {
	io.Writer
	n *int64
}

func (c countingWriter) Write(p []byte) (int, error) {
	n, err := c.Writer.Write(p)
	*c.n += int64(n)
	return n, err
}

// add writes an entry whose data begins at a multiple of alignment: the header
// before it gets an extra field of the length that this takes, with the ID that
// torch uses.
func (a archiveWriter) add(name string, data []byte) error {
	const headerSize, fieldSize = 30, 4
	if err := a.zip.Flush(); err != nil {
		return err
	}
	name = folder + name
	start := *a.written + headerSize + int64(len(name)) + fieldSize
	padding := int((alignment - start%alignment) % alignment)
	extra := append([]byte{'F', 'B', byte(padding), 0}, make([]byte, padding)...)
	w, err := a.zip.CreateRaw(&zip.FileHeader{
		Name:               name,
		Method:             zip.Store,
		CRC32:              crc32.ChecksumIEEE(data),
		CompressedSize64:   uint64(len(data)),
		UncompressedSize64: uint64(len(data)),
		Extra:              extra,
	})
	if err == nil {
		_, err = w.Write(data)
	}
	if err != nil {
		return fmt.Errorf("entry %s: %w", name, err)
	}
	return nil
}
