// Package textfile reads text as the reference reads it, in Python: it says what ends
// a line, what is white space, and which files of a directory count. Errors name file
// and line.
package textfile

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"unicode"
)

// A Reader reads lines as a text file of Python has them: a line feed, a
// carriage return or the two together end a line, and nothing else does. A
// byte order mark of UTF-8 at the beginning is no text.
type Reader struct {
	in           *bufio.Reader
	ends         string
	line         []byte
	begun, after bool // after a carriage return, with which a line feed belongs
	ended        bool // the last line had an end
}

// maxLine bounds a line: a long text as JSON, or a recording as numbers.
const maxLine = 1 << 28

// NewReader returns a Reader of r. It reads no further than a line's end, so
// that somebody who types is answered line by line.
func NewReader(r io.Reader) *Reader {
	return &Reader{in: bufio.NewReaderSize(r, 1<<16), ends: "\r\n"}
}

// Next returns the next line without its end, and io.EOF after the last one.
// The slice is only valid up to the next call.
func (r *Reader) Next() ([]byte, error) {
	if err := r.begin(); err != nil {
		return nil, err
	}
	r.line, r.ended = r.line[:0], false
	for {
		_, err := r.in.Peek(1)
		part, _ := r.in.Peek(r.in.Buffered()) // cannot fail
		if r.after && len(part) > 0 {
			r.after = false
			if part[0] == '\n' {
				r.in.Discard(1)
				continue
			}
		}
		end := bytes.IndexAny(part, r.ends)
		if end >= 0 {
			r.line = append(r.line, part[:end]...)
			r.after, r.ended = part[end] == '\r', true
			r.in.Discard(end + 1)
			return r.line, nil
		}
		r.line = append(r.line, part...)
		r.in.Discard(len(part))
		if len(r.line) > maxLine {
			return nil, fmt.Errorf("a line longer than %d MB", maxLine>>20)
		}
		if err == io.EOF && len(r.line) > 0 {
			return r.line, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// Ended tells whether the line that Next returned last had an end; the last line
// of a text may have none.
func (r *Reader) Ended() bool { return r.ended }

// The marks with which a text may begin.
const (
	markUTF8    = "\uFEFF"
	markUTF16LE = "\xff\xfe"
	markUTF16BE = "\xfe\xff"
)

// begin skips a byte order mark.
func (r *Reader) begin() error {
	if r.begun {
		return nil
	}
	r.begun = true
	head, _ := r.in.Peek(1) // Next meets an error again
	if len(head) == 0 || head[0] < markUTF8[0] {
		return nil
	}
	head, _ = r.in.Peek(len(markUTF8))
	rest, err := SkipMark(head)
	r.in.Discard(len(head) - len(rest))
	return err
}

// SkipMark returns a text without the byte order mark that it may begin with. A
// text of UTF-16 is an error.
func SkipMark(text []byte) ([]byte, error) {
	if bytes.HasPrefix(text, []byte(markUTF16LE)) || bytes.HasPrefix(text, []byte(markUTF16BE)) {
		return nil, errors.New("the text is in UTF-16, want UTF-8")
	}
	return bytes.TrimPrefix(text, []byte(markUTF8)), nil
}

// EachLine calls f with each line of r, as Reader has them; the slice is only
// valid during the call. An error of f comes back with the file's name and the
// line's number before it.
func EachLine(r io.Reader, name string, f func(line []byte) error) error {
	return each(NewReader(r), name, f)
}

// EachRecord is EachLine for formats in which a carriage return may be data, as
// TSV and BPE codes: it is part of a line's end before a line feed only.
func EachRecord(r io.Reader, name string, f func(line []byte) error) error {
	lines := NewReader(r)
	lines.ends = "\n"
	return each(lines, name, func(line []byte) error { return f(bytes.TrimSuffix(line, []byte("\r"))) })
}

func each(lines *Reader, name string, f func(line []byte) error) error {
	for number := 1; ; number++ {
		line, err := lines.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: cannot read: %w", name, err)
		}
		if err := f(line); err != nil {
			return fmt.Errorf("%s:%d: %w", name, number, err)
		}
	}
}

// IsSpace is Python's str.isspace, which knows four separators that
// unicode.IsSpace does not.
func IsSpace(r rune) bool { return unicode.IsSpace(r) || 0x1c <= r && r <= 0x1f }

// Trim is Python's str.strip.
func Trim(s string) string { return strings.TrimFunc(s, IsSpace) }

// Fields is Python's str.split.
func Fields(s string) []string { return strings.FieldsFunc(s, IsSpace) }

// Open opens a file and reads it with f; kind says in errors what it should be.
func Open(kind, path string, f func(r io.Reader, name string) error) error {
	file, err := os.Open(path)
	if err != nil {
		return openError(kind, path, err)
	}
	defer file.Close()
	if info, err := file.Stat(); err == nil && IsDevice(info) {
		return fmt.Errorf("%s: is a device, want a %s file or a pipe", path, kind)
	}
	return f(file, path)
}

func openError(kind, path string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: no such %s file", path, kind)
	}
	var e *fs.PathError
	if errors.As(err, &e) {
		err = e.Err
	}
	return fmt.Errorf("%s: cannot open %s file: %w", path, kind, err)
}
