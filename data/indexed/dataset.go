package indexed

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/mega-go/mega/format/filemap"
)

const (
	magic      = "MMIDIDX\x00\x00"
	version    = 1
	headerSize = len(magic) + 8 + 1 + 8
	entrySize  = 4 + 8 // length and address of a sequence
)

// Dataset is a pair of files: the index in memory, the tokens mapped. Its methods
// may be called from several goroutines. Reading tokens that are no longer there
// is an error.
type Dataset struct {
	prefix  string
	dtype   DType
	n       int
	legacy  bool   // the cached or lazy format (legacy.go)
	lengths []byte // int32 [n]; legacy: int64
	starts  []byte // int64 [n]
	data    *filemap.File
}

// Exists tells whether both PREFIX.idx and PREFIX.bin are there.
func Exists(prefix string) bool {
	for _, suffix := range []string{".idx", ".bin"} {
		if _, err := os.Stat(prefix + suffix); err != nil {
			return false
		}
	}
	return true
}

// Open reads PREFIX.idx, maps PREFIX.bin and checks that the index fits both
// files, so that no later read can leave them. Close it when done.
func Open(prefix string) (*Dataset, error) {
	index, err := readIndex(prefix + ".idx")
	if err != nil {
		return nil, err
	}
	data, err := filemap.Open(prefix + ".bin")
	if err != nil {
		return nil, openError(prefix+".bin", err)
	}
	d := &Dataset{prefix: prefix, data: data}
	if err := d.parse(index); err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

func readIndex(path string) ([]byte, error) {
	f, err := filemap.Open(path)
	if err != nil {
		return nil, openError(path, err)
	}
	defer f.Close()
	b := make([]byte, f.Size())
	if _, err := f.ReadAt(b, 0); err != nil {
		return nil, openError(path, err)
	}
	return b, nil
}

// parse reads the index and holds it against the length of the data.
func (d *Dataset) parse(index []byte) error {
	path := d.prefix + ".idx"
	d.legacy = bytes.HasPrefix(index, []byte(legacyMagic))
	switch {
	case len(index) == 0:
		return fmt.Errorf("%s: the file is empty", path)
	case d.legacy:
		return d.parseLegacy(path, index)
	case !bytes.HasPrefix(index, []byte(magic)):
		return fmt.Errorf("%s: not an index of fairseq's mmap, cached or lazy format", path)
	}
	if len(index) < headerSize {
		return fmt.Errorf("%s: %d bytes, cut off inside the header of %d", path, len(index), headerSize)
	}
	header := index[len(magic):headerSize]
	if v := binary.LittleEndian.Uint64(header); v != version {
		return fmt.Errorf("%s: version %d, want %d", path, v, version)
	}
	d.dtype = DType(header[8])
	if d.dtype.size() == 0 {
		return fmt.Errorf("%s: unknown number type %d, want 1 to %d", path, header[8], maxDType)
	}
	entries := index[headerSize:]
	if n := binary.LittleEndian.Uint64(header[9:]); len(entries)%entrySize != 0 || n != uint64(len(entries)/entrySize) {
		return fmt.Errorf("%s: claims %d sequences, but %d bytes of index hold %d", path, n, len(entries), len(entries)/entrySize)
	}
	d.n = len(entries) / entrySize
	d.lengths, d.starts = entries[:4*d.n], entries[4*d.n:]
	return d.checkEntries()
}

// checkEntries checks that the sequences lie one after another and fill the data.
func (d *Dataset) checkEntries() error {
	unit := int64(d.dtype.size())
	at, room := int64(0), d.data.Size()/unit
	for i := range d.n {
		size, start := int64(d.Size(i)), d.start(i)
		switch {
		case size < 0:
			return fmt.Errorf("%s.idx: sequence %d has %d tokens", d.prefix, i, size)
		case start != at*unit:
			return fmt.Errorf("%s.idx: sequence %d begins at byte %d, want %d, where the one before ends", d.prefix, i, start, at*unit)
		case size > room-at:
			return fmt.Errorf("%s.idx: sequence %d (%d tokens at byte %d) lies outside the %d bytes of %s.bin",
				d.prefix, i, size, start, d.data.Size(), d.prefix)
		}
		at += size
	}
	if at*unit != d.data.Size() {
		return fmt.Errorf("%s.bin has %d bytes, but %s.idx describes %d: they do not belong together", d.prefix, d.data.Size(), d.prefix, at*unit)
	}
	return nil
}

// Len returns the number of sequences.
func (d *Dataset) Len() int { return d.n }

// DType returns the type of the numbers on disk.
func (d *Dataset) DType() DType { return d.dtype }

// Size returns the number of tokens of sequence i.
func (d *Dataset) Size(i int) int {
	if d.legacy {
		return int(binary.LittleEndian.Uint64(d.lengths[8*i:]))
	}
	return int(int32(binary.LittleEndian.Uint32(d.lengths[4*i:])))
}

// start returns the byte at which sequence i begins. What overflows is no start
// that checkEntries lets pass.
func (d *Dataset) start(i int) int64 {
	start := int64(binary.LittleEndian.Uint64(d.starts[8*i:]))
	if d.legacy {
		start *= int64(d.dtype.size())
	}
	return start
}

// Read copies the first tokens of sequence i to dst, which must not be longer
// than it. It fails on a number that is no token id, and if the file has become
// shorter.
func (d *Dataset) Read(dst []int32, i int) error {
	if len(dst) > d.Size(i) {
		panic(fmt.Sprintf("indexed: %d tokens asked of a sequence of %d", len(dst), d.Size(i)))
	}
	n := int64(len(dst) * d.dtype.size())
	if err := d.data.View(d.start(i), n, func(b []byte) error { return d.dtype.decode(dst, b) }); err != nil {
		return fmt.Errorf("%s.bin: sequence %d: %w", d.prefix, i, err)
	}
	if d.legacy {
		for k := range dst {
			dst[k]--
		}
	}
	return nil
}

// Close closes the files; reading is an error afterwards.
func (d *Dataset) Close() error { return d.data.Close() }

// openError words a failure to open or map a file.
func openError(path string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: no such file", path)
	}
	var e *fs.PathError
	if errors.As(err, &e) {
		err = e.Err
	}
	return fmt.Errorf("%s: cannot open: %w", path, err)
}
