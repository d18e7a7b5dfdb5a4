package bytetext

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/mega-go/mega/data"
	"github.com/mega-go/mega/internal/textfile"
)

// File is a file of plain text, or a range of one, as a text of a single line.
// It implements lines.Lines for package blocks, whose modes none and stream it
// is made for. Nothing of it is held in memory: what is asked for is read
// through the system's page cache. Bytes that the dictionary lacks are <unk>.
//
// Its methods may be called from several goroutines.
type File struct {
	file     *os.File
	name     string
	close    func() error
	codec    *Codec // nil for ids of four bytes each
	width    int64  // bytes of a token
	from, to int64  // tokens
}

// Open opens a file, which must not be empty. What a pipe brings is kept in a
// temporary file. Close it when done.
func Open(path string, c *Codec) (*File, error) {
	f, close, err := textfile.OpenSeekable(path)
	if err != nil {
		return nil, openError(path, err)
	}
	return newFile(f, path, close, c, 1)
}

// OpenCopy opens what fill writes, in a temporary file: text, or without a codec
// tokens of four bytes, the lowest first. The name is for errors.
func OpenCopy(name string, c *Codec, fill func(w io.Writer) error) (*File, error) {
	f, close, err := textfile.Spool(fill)
	if err != nil {
		return nil, err
	}
	width := int64(1)
	if c == nil {
		width = 4
	}
	return newFile(f, name, close, c, width)
}

func newFile(f *os.File, name string, close func() error, c *Codec, width int64) (*File, error) {
	info, err := f.Stat()
	switch {
	case err != nil:
		err = openError(name, err)
	case info.Size() == 0:
		err = fmt.Errorf("%s: the text is empty", name)
	}
	if err != nil {
		close()
		return nil, err
	}
	return &File{file: f, name: name, close: close, codec: c, width: width, to: info.Size() / width}, nil
}

// openError words a failure to open a file.
func openError(path string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: no such file", path)
	}
	var e *fs.PathError
	if errors.As(err, &e) {
		err = fmt.Errorf("%s: cannot open: %w", path, e.Err)
	}
	return err
}

// Slice returns the tokens [from, to) of the text. It shares the file, which
// stays open until the whole is closed. It fails on a range that is empty or
// leaves the text.
func (f *File) Slice(from, to int) (*File, error) {
	if from < 0 || to > f.Size(0) || from >= to {
		return nil, fmt.Errorf("%s: no tokens %d to %d in a text of %d", f.name, from, to, f.Size(0))
	}
	part := *f
	part.from, part.to = f.from+int64(from), f.from+int64(to)
	return &part, nil
}

// Close closes the file.
func (f *File) Close() error { return f.close() }

// Len returns 1: all is one line.
func (f *File) Len() int { return 1 }

// Size returns the number of tokens.
func (f *File) Size(int) int { return int(f.to - f.from) }

// Name returns the file's name.
func (f *File) Name(int) string { return f.name }

// readSize is how much is read at once.
const readSize = 1 << 15

// Read implements lines.Lines.
func (f *File) Read(dst []int32, _, from int) error {
	buf := make([]byte, min(len(dst)*int(f.width), readSize))
	for at := (f.from + int64(from)) * f.width; len(dst) > 0; {
		part := buf[:min(len(dst)*int(f.width), len(buf))]
		if _, err := f.file.ReadAt(part, at); err != nil {
			return f.readError(at, err)
		}
		n := len(part) / int(f.width)
		for i := range dst[:n] {
			if f.codec == nil {
				dst[i] = int32(binary.LittleEndian.Uint32(part[4*i:]))
			} else {
				dst[i] = f.codec.ids[part[i]]
			}
		}
		dst, at = dst[n:], at+int64(len(part))
	}
	return nil
}

func (f *File) readError(at int64, err error) error {
	if err == io.EOF {
		return fmt.Errorf("%s: ends before byte %d, though it was longer when opened", f.name, f.to*f.width)
	}
	var e *fs.PathError
	if errors.As(err, &e) {
		err = e.Err
	}
	return fmt.Errorf("%s: cannot read at byte %d: %w", f.name, at, err)
}

// Unknown returns how many bytes of the text the dictionary lacks. It reads the
// whole text.
func (f *File) Unknown() (int, error) {
	n := 0
	buf := make([]int32, readSize)
	for from := 0; from < f.Size(0); from += len(buf) {
		part := buf[:min(len(buf), f.Size(0)-from)]
		if err := f.Read(part, 0, from); err != nil {
			return 0, err
		}
		for _, id := range part {
			if id == data.Unknown {
				n++
			}
		}
	}
	return n, nil
}
