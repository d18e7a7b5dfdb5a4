// Package atomicfile writes files that are whole or absent: to a temporary
// file beside the target, synced, then renamed.
package atomicfile

import (
	"bufio"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// File is a file being written. It is buffered. End with Commit or Abort.
type File struct {
	*bufio.Writer
	file *os.File
	path string
}

// Create starts to write path; nothing is there before Commit.
func Create(path string) (*File, error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return nil, fmt.Errorf("%s: cannot create: %w", path, cause(err))
	}
	return &File{Writer: bufio.NewWriterSize(f, 1<<18), file: f, path: path}, nil
}

// Commit flushes, syncs and renames into place. On an error the target is as
// it was before.
func (f *File) Commit() error {
	err := f.Flush()
	if err == nil {
		err = f.file.Chmod(0o644)
	}
	if err == nil {
		err = f.file.Sync()
	}
	if closing := f.file.Close(); err == nil {
		err = closing
	}
	if err == nil {
		err = os.Rename(f.file.Name(), f.path)
	}
	if err != nil {
		os.Remove(f.file.Name())
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

// cause drops the temporary file's name from an error: the target's is given.
func cause(err error) error {
	if e, ok := err.(*fs.PathError); ok {
		return e.Err
	}
	if e, ok := err.(*os.LinkError); ok {
		return e.Err
	}
	return err
}
