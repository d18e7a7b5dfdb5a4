// Package atomicfile replaces files so that a crash, a full disk or a kill at
// any moment leaves either the old content whole or the new one, never a part.
//
// It knows nothing of what the files hold.
package atomicfile

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// bufferSize is large enough that the cost of a system call vanishes beside
// that of its data.
const bufferSize = 1 << 18

// A File is a file being written, buffered. End with Commit or Abort.
type File struct {
	*bufio.Writer
	file *os.File
	path string
}

// Create starts to write path: a temporary file in the same directory, which
// Commit puts in its place. Nothing is at path before, or what was there.
func Create(path string) (*File, error) {
	file, err := create(path)
	if err != nil {
		return nil, fmt.Errorf("%s: cannot create: %w", path, cause(err))
	}
	return &File{bufio.NewWriterSize(file, bufferSize), file, path}, nil
}

// Commit syncs the file to disk and renames it to its path, and syncs that too.
// If anything fails the temporary file is removed and the path is as it was. A
// replaced file keeps its permissions; a symbolic link is itself replaced.
func (f *File) Commit() error {
	err := f.finish()
	if err != nil {
		f.file.Close()
		os.Remove(f.file.Name())
	} else {
		err = syncDir(filepath.Dir(f.path))
	}
	if err != nil {
		return fmt.Errorf("%s: cannot write: %w", f.path, cause(err))
	}
	return nil
}

// Abort removes what was written. After Commit it does nothing.
func (f *File) Abort() {
	if f.file.Close() == nil {
		os.Remove(f.file.Name())
	}
}

// cause drops the temporary file's name from an error: the path's is given.
func cause(err error) error {
	switch e := err.(type) {
	case *fs.PathError:
		return e.Err
	case *os.LinkError:
		return e.Err
	}
	return err
}

// Write puts what write produces at path, whole or not at all, as Create and
// Commit do. An error of write leaves path as it was.
func Write(path string, write func(io.Writer) error) error {
	f, err := Create(path)
	if err != nil {
		return err
	}
	defer f.Abort()
	if err := write(f); err != nil {
		return fmt.Errorf("%s: cannot write: %w", path, cause(err))
	}
	return f.Commit()
}

// WriteFile is Write for content that is in memory.
func WriteFile(path string, data []byte) error {
	return Write(path, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// prefix starts the names of path's temporary files; being hidden, no pattern
// for checkpoints matches them.
func prefix(path string) string { return "." + filepath.Base(path) + ".tmp-" }

// create makes a new temporary file beside path. It is not os.CreateTemp's, as
// a new checkpoint should get the permissions that the umask gives any file.
func create(path string) (*os.File, error) {
	const attempts = 100
	for i := 0; ; i++ {
		name := filepath.Join(filepath.Dir(path), fmt.Sprintf("%s%08x", prefix(path), rand.Uint32()))
		file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
		if err == nil || !errors.Is(err, fs.ErrExist) || i == attempts {
			return file, err
		}
	}
}

// finish writes the temporary file out and renames it.
func (f *File) finish() error {
	if err := f.Flush(); err != nil {
		return err
	}
	if old, err := os.Stat(f.path); err == nil && old.Mode().IsRegular() {
		if err := f.file.Chmod(old.Mode().Perm()); err != nil {
			return err
		}
	}
	if err := f.file.Sync(); err != nil {
		return err
	}
	if err := f.file.Close(); err != nil {
		return err
	}
	return os.Rename(f.file.Name(), f.path)
}
