package plaintext

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/mega-go/mega/data/bytetext"
	"github.com/mega-go/mega/data/table"
)

// Files returns the files that a list names: paths and patterns (*.txt) with
// colons between, those of a pattern by name. A path that is there may hold
// colons and stars itself.
func Files(list string) ([]string, error) {
	if _, err := os.Stat(list); err == nil {
		return []string{list}, nil
	}
	var files []string
	for name := range strings.SplitSeq(list, ":") {
		_, err := os.Stat(name)
		if err == nil || !strings.ContainsAny(name, "*?[") {
			files = append(files, name) // whoever opens it says that it is not there
			continue
		}
		found, err := filepath.Glob(name)
		switch {
		case err != nil:
			return nil, fmt.Errorf("%s: is no pattern of names: %w", name, err)
		case len(found) == 0:
			return nil, fmt.Errorf("%s: no file has such a name", name)
		}
		files = append(files, found...)
	}
	return files, nil
}

// Compressed tells whether a file is compressed, by its name.
func Compressed(path string) bool { return table.Name(path) != path }

// Read calls f with the texts of files, one after another, decompressed, each
// with a line's end at its end. The names are for errors.
func Read(files []string, f func(r io.Reader, name string) error) error {
	for _, name := range files {
		in, err := table.OpenBytes(name)
		if errors.Is(err, os.ErrNotExist) {
			err = fmt.Errorf("%s: no such file", name)
		}
		if err != nil {
			return err
		}
		if err = f(&ended{Reader: in}, name); err != nil {
			err = fmt.Errorf("%s: %w", name, err)
		}
		if err := errors.Join(err, in.Close()); err != nil {
			return err
		}
	}
	return nil
}

// ended adds a line's end to a text that has none at its end.
type ended struct {
	io.Reader
	last byte
}

func (e *ended) Read(p []byte) (int, error) {
	n, err := e.Reader.Read(p)
	if n > 0 {
		e.last = p[n-1]
	}
	if n == 0 && err == io.EOF && e.last != 0 && e.last != '\n' && len(p) > 0 {
		p[0], e.last = '\n', '\n'
		return 1, nil
	}
	if n > 0 && err == io.EOF {
		err = nil // comes again
	}
	return n, err
}

// Open opens files of text as one, whose tokens are read as they are asked for. A
// single file of bytes is read where it lies; of others there is a temporary copy,
// of pieces one of their ids. The name is for errors.
func (c *Codec) Open(name string, files []string) (*bytetext.File, error) {
	if c.bytes != nil && len(files) == 1 && !Compressed(files[0]) {
		return bytetext.Open(files[0], c.bytes)
	}
	return bytetext.OpenCopy(name, c.bytes, func(w io.Writer) error {
		if c.bytes == nil {
			return c.writePieces(w, files)
		}
		return Read(files, func(r io.Reader, _ string) error {
			_, err := io.Copy(w, r)
			return err
		})
	})
}

// groupSize is about how many bytes of lines one core cuts into pieces at a time.
const groupSize = 1 << 18

// writePieces writes the ids of texts' pieces, which all cores find.
func (c *Codec) writePieces(w io.Writer, files []string) error {
	groups := make(chan chan []int32, runtime.GOMAXPROCS(0))
	var failed error
	go func() {
		defer close(groups)
		failed = Read(files, func(r io.Reader, _ string) error {
			for next := c.parts(r); ; {
				parts, err := gather(next)
				done := make(chan []int32, 1)
				groups <- done
				go func() { done <- c.encodeParts(parts) }()
				if err == io.EOF {
					return nil
				}
				if err != nil {
					return err
				}
			}
		})
	}()
	var unwritten error
	for done := range groups {
		if ids := <-done; unwritten == nil {
			unwritten = binary.Write(w, binary.LittleEndian, ids)
		}
	}
	return errors.Join(failed, unwritten)
}

// gather returns the next parts of a text, and why there are no more.
func gather(next func() (string, error)) (parts []string, err error) {
	for size := 0; size < groupSize && err == nil; {
		var part string
		part, err = next()
		parts, size = append(parts, part), size+len(part)
	}
	return parts, err
}

func (c *Codec) encodeParts(parts []string) (ids []int32) {
	for _, part := range parts {
		if part == "" { // after the last line
			continue
		}
		more, _ := c.encodePieces(part)
		ids = append(ids, more...)
	}
	return ids
}
