package table

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
)

// compressions are the endings of compressed files.
var compressions = []string{".gz", ".zst"}

// Name returns the path of a file without the ending of its compression.
func Name(path string) string {
	for _, ending := range compressions {
		if strings.EqualFold(filepath.Ext(path), ending) {
			return path[:len(path)-len(ending)]
		}
	}
	return path
}

// encodings are the encodings of text by name; nil is UTF-8.
var encodings = map[string]encoding.Encoding{
	"": nil, "utf-8": nil,
	"utf-16":       unicode.UTF16(unicode.LittleEndian, unicode.UseBOM),
	"utf-16le":     unicode.UTF16(unicode.LittleEndian, unicode.UseBOM),
	"utf-16be":     unicode.UTF16(unicode.BigEndian, unicode.UseBOM),
	"latin-1":      charmap.ISO8859_1,
	"windows-1252": charmap.Windows1252,
}

// CheckEncoding reports an encoding that is unknown.
func CheckEncoding(name string) error {
	if _, ok := encodings[strings.ToLower(name)]; !ok {
		return fmt.Errorf("encoding is %q, want utf-8, utf-16, utf-16le, utf-16be, latin-1 or windows-1252", name)
	}
	return nil
}

// ErrNoMark is of what looks like UTF-16 and may be no text at all.
var ErrNoMark = errors.New("the text looks like UTF-16 without a byte order mark: want encoding utf-16le or utf-16be")

// OpenText opens a file of text, decompresses it and makes UTF-8 of it. A byte
// order mark says what the encoding is, whatever the name given, and is no text.
func OpenText(path, encoding string) (io.ReadCloser, error) {
	in, err := OpenBytes(path)
	if err != nil {
		return nil, err
	}
	text, err := decode(in, encoding)
	if err != nil {
		in.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return reading{text, in.Close}, nil
}

// decode makes UTF-8 of a text.
func decode(in io.Reader, name string) (io.Reader, error) {
	if err := CheckEncoding(name); err != nil {
		return nil, err
	}
	buffered := bufio.NewReaderSize(in, 1<<16)
	head, err := buffered.Peek(4)
	if err != nil && err != io.EOF {
		return nil, err
	}
	chosen := encodings[strings.ToLower(name)]
	switch {
	case bytes.HasPrefix(head, []byte("\xEF\xBB\xBF")):
		buffered.Discard(3)
		chosen = nil
	case bytes.HasPrefix(head, []byte("\xFF\xFE")), bytes.HasPrefix(head, []byte("\xFE\xFF")):
		chosen = encodings["utf-16"]
	case chosen == nil && len(head) == 4 && (head[0] == 0) != (head[1] == 0) && (head[2] == 0) != (head[3] == 0):
		return nil, ErrNoMark
	}
	if chosen == nil {
		return buffered, nil
	}
	return chosen.NewDecoder().Reader(buffered), nil
}

// OpenBytes opens a file and decompresses it.
func OpenBytes(path string) (io.ReadCloser, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err == nil && info.Mode()&os.ModeDevice != 0 {
		f.Close()
		return nil, fmt.Errorf("%s: is a device, want a file or a pipe", path)
	}
	in, end, err := decompress(f, path)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return reading{in, func() error { end(); return f.Close() }}, nil
}

// decompress returns the content of a file by the ending of its name.
func decompress(f io.Reader, path string) (io.Reader, func(), error) {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".gz":
		z, err := gzip.NewReader(bufio.NewReaderSize(f, 1<<16))
		return z, func() {}, err
	case ".zst":
		z, err := zstd.NewReader(f, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(1<<27))
		if err != nil {
			return nil, nil, err
		}
		return z, z.Close, nil
	}
	return f, func() {}, nil
}

// reading is a reader that is closed by a function.
type reading struct {
	io.Reader
	close func() error
}

func (r reading) Close() error { return r.close() }
