package bytetext

import (
	"archive/zip"
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/mega-go/mega/internal/atomicfile"
	"github.com/mega-go/mega/internal/textfile"
)

// Enwik8Size is the length of enwik8, the first bytes of a dump of Wikipedia,
// and Enwik8HeldOut how much of its end is for validation, and again for test.
const (
	Enwik8Size    = 100_000_000
	Enwik8HeldOut = 5_000_000
)

// Part is one split that was written.
type Part struct {
	Path  string // of the numbers; the bytes themselves are in Path + ".raw"
	Bytes int64
}

// Entries are the names of the files that are made of a text.
var Entries = []string{"train.txt", "valid.txt", "test.txt", "train.txt.raw", "valid.txt.raw", "test.txt.raw"}

// Enwik8 writes the splits that results on enwik8 are given for: train.txt,
// valid.txt and test.txt in a directory, 90, 5 and 5 million bytes, from the
// file enwik8 or the zip it is distributed as. progress, if not nil, gets the number
// of bytes done now and then. See [Split].
func Enwik8(path, dir string, progress func(done, total int64)) ([]Part, error) {
	return split(path, dir, Enwik8HeldOut, Enwik8Size, progress)
}

// Split writes the splits of any text: the last heldOut bytes are the test set,
// those before them the validation set, all others are for training. A split is
// written twice: to NAME.txt as the decimal numbers of its bytes with spaces
// between, where a newline stands for itself, and to NAME.txt.raw as it is.
// They are the files of prep_enwik8.py, which Transformer-XL's scripts use and which
// `mega preprocess --only-source` turns into token files.
func Split(path, dir string, heldOut int64, progress func(done, total int64)) ([]Part, error) {
	return split(path, dir, heldOut, 0, progress)
}

// split does the work of Split; a want other than 0 is the only length that the
// text may have.
func split(path, dir string, heldOut, want int64, progress func(done, total int64)) ([]Part, error) {
	text, size, err := openText(path)
	if err != nil {
		return nil, err
	}
	defer text.Close()
	switch {
	case want > 0 && size < want:
		return nil, fmt.Errorf("%s: %d of %d bytes; the download is not finished", path, size, want)
	case want > 0 && size > want:
		return nil, fmt.Errorf("%s: %d bytes, more than the %d of enwik8", path, size, want)
	case heldOut < 1 || size <= 2*heldOut:
		return nil, fmt.Errorf("%s: cannot hold out twice %d of %d bytes", path, heldOut, size)
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, openError(dir, err)
	}
	in := bufio.NewReaderSize(text, 1<<16)
	done := int64(0)
	var parts []Part
	for i, n := range []int64{size - 2*heldOut, heldOut, heldOut} {
		part := Part{filepath.Join(dir, Entries[i]), n}
		err := writePart(part, in, func(written int64) {
			if progress != nil {
				progress(done+written, size)
			}
		})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		done += n
		parts = append(parts, part)
	}
	return parts, nil
}

// openText opens a text, or the only file of a zip.
func openText(path string) (io.ReadCloser, int64, error) {
	if strings.HasSuffix(path, ".zip") {
		return openZip(path)
	}
	f, close, err := textfile.OpenSeekable(path)
	if err != nil {
		return nil, 0, openError(path, err)
	}
	info, err := f.Stat()
	if err != nil {
		close()
		return nil, 0, openError(path, err)
	}
	return opened{f, close}, info.Size(), nil
}

// opened is a file that is closed in a way of its own.
type opened struct {
	io.Reader
	close func() error
}

func (o opened) Close() error { return o.close() }

// zipped is a file of a zip that closes the zip with it.
type zipped struct {
	io.ReadCloser
	archive *zip.ReadCloser
}

func (z zipped) Close() error { return errors.Join(z.ReadCloser.Close(), z.archive.Close()) }

func openZip(path string) (io.ReadCloser, int64, error) {
	z, err := zip.OpenReader(path)
	switch {
	case errors.Is(err, zip.ErrFormat):
		return nil, 0, fmt.Errorf("%s: not a whole zip file; is the download finished?", path)
	case err != nil:
		return nil, 0, openError(path, err)
	case len(z.File) != 1:
		z.Close()
		return nil, 0, fmt.Errorf("%s: holds %d files, want one", path, len(z.File))
	}
	f, err := z.File[0].Open()
	if err != nil {
		z.Close()
		return nil, 0, fmt.Errorf("%s: cannot unpack %s: %w", path, z.File[0].Name, err)
	}
	return zipped{f, z}, int64(z.File[0].UncompressedSize64), nil
}

// writePart writes the next bytes of a text to both files of a split.
func writePart(p Part, in io.Reader, progress func(written int64)) error {
	numbers, err := atomicfile.Create(p.Path)
	if err != nil {
		return err
	}
	defer numbers.Abort()
	raw, err := atomicfile.Create(p.Path + ".raw")
	if err != nil {
		return err
	}
	defer raw.Abort()
	buf := make([]byte, readSize)
	var out []byte
	for done := int64(0); done < p.Bytes; {
		chunk := buf[:min(int64(len(buf)), p.Bytes-done)]
		if _, err := io.ReadFull(in, chunk); err != nil {
			return fmt.Errorf("cannot read: %w", err)
		}
		out = appendNumbers(out[:0], chunk, done == 0)
		_, err1 := numbers.Write(out)
		_, err2 := raw.Write(chunk)
		if err := errors.Join(err1, err2); err != nil {
			return fmt.Errorf("cannot write %s: %w", p.Path, err)
		}
		done += int64(len(chunk))
		progress(done)
	}
	if err := numbers.Commit(); err != nil {
		return err
	}
	return raw.Commit()
}

// appendNumbers appends the numbers of bytes, each with a space before it unless
// it is the very first.
func appendNumbers(dst, text []byte, first bool) []byte {
	for i, b := range text {
		if i > 0 || !first {
			dst = append(dst, ' ')
		}
		if b == '\n' {
			dst = append(dst, b)
			continue
		}
		dst = strconv.AppendUint(dst, uint64(b), 10)
	}
	return dst
}
