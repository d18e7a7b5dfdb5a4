// Package textfile reads text line by line with errors that name file and line.
package textfile

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// EachLine calls f with each line of r, its end removed; the slice is only
// valid during the call. An error of f comes back with the file's name and the
// line's number before it.
func EachLine(r io.Reader, name string, f func(line []byte) error) error {
	in := bufio.NewReaderSize(r, 1<<16)
	var line []byte
	for number := 1; ; number++ {
		line = line[:0]
		var part []byte
		err := bufio.ErrBufferFull
		for err == bufio.ErrBufferFull {
			part, err = in.ReadSlice('\n')
			line = append(line, part...)
		}
		if err != nil && err != io.EOF {
			return fmt.Errorf("%s: cannot read: %w", name, err)
		}
		if err == io.EOF && len(line) == 0 {
			return nil
		}
		if err := f(bytes.TrimRight(line, "\r\n")); err != nil {
			return fmt.Errorf("%s:%d: %w", name, number, err)
		}
	}
}

// Open opens a file and reads it with f; kind says in errors what it should be.
func Open(kind, path string, f func(r io.Reader, name string) error) error {
	file, err := os.Open(path)
	if err != nil {
		return openError(kind, path, err)
	}
	defer file.Close()
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
