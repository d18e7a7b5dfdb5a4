package textfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
)

// Clutter tells whether a file or directory of that name is what systems and
// editors leave behind and no data: hidden files, which Python's glob does not
// see either (AppleDouble's ._x among them), and backups.
func Clutter(name string) bool {
	switch strings.ToLower(name) {
	case "thumbs.db", "desktop.ini", "__macosx":
		return true
	}
	return strings.HasPrefix(name, ".") || strings.HasSuffix(name, "~")
}

// ReadDir lists a directory by name, without clutter.
func ReadDir(dir string) ([]fs.DirEntry, error) {
	entries, err := os.ReadDir(dir)
	return slices.DeleteFunc(entries, func(e fs.DirEntry) bool { return Clutter(e.Name()) }), err
}

// OpenSeekable opens a file to be read at any place and more than once.
// What a pipe brings is copied to a temporary file first, which close removes.
func OpenSeekable(path string) (f *os.File, close func() error, err error) {
	if f, err = os.Open(path); err != nil {
		return nil, nil, err
	}
	return seekable(f)
}

func seekable(f *os.File) (*os.File, func() error, error) {
	path := f.Name()
	info, err := f.Stat()
	switch {
	case err != nil:
	case info.IsDir():
		err = fmt.Errorf("%s: is a directory, want a file", path)
	case info.Mode().IsRegular():
		return f, f.Close, nil
	case IsDevice(info):
		err = fmt.Errorf("%s: is a device, want a file or a pipe", path)
	}
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	defer f.Close()
	return spool(f)
}

// Regular reports what is no regular file: a directory, a device, which may have no
// end, or a pipe, which may never be written to.
func Regular(path string) error {
	info, err := os.Stat(path)
	what := "pipe"
	switch {
	case err != nil || info.Mode().IsRegular():
		return err
	case info.IsDir():
		what = "directory"
	case IsDevice(info):
		what = "device"
	}
	return &fs.PathError{Op: "open", Path: path, Err: fmt.Errorf("it is a %s, want a file", what)}
}

// ReadFile is os.ReadFile for regular files alone.
func ReadFile(path string) ([]byte, error) {
	if err := Regular(path); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
}

// IsDevice tells whether a file is a device, which may have no end.
func IsDevice(info fs.FileInfo) bool { return info.Mode()&fs.ModeDevice != 0 }

// spool copies a pipe to a temporary file.
func spool(pipe *os.File) (*os.File, func() error, error) {
	f, close, err := Spool(func(w io.Writer) error { _, err := io.Copy(w, pipe); return err })
	if err != nil {
		err = fmt.Errorf("%s: is a pipe, and cannot be copied: %w", pipe.Name(), err)
	}
	return f, close, err
}

// Spool fills a temporary file, which close removes.
func Spool(fill func(w io.Writer) error) (f *os.File, close func() error, err error) {
	temp, err := os.CreateTemp("", "mega-text-*")
	if err != nil {
		return nil, nil, err
	}
	remove := func() error { return errors.Join(temp.Close(), os.Remove(temp.Name())) }
	if err := fill(temp); err != nil {
		return nil, nil, errors.Join(err, remove())
	}
	if os.Remove(temp.Name()) == nil { // an open file outlives its name
		remove = temp.Close
	}
	return temp, remove, nil
}
