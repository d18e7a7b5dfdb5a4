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
	"strings"
)

// bufferSize is large enough that the cost of a system call vanishes beside
// that of its data.
const bufferSize = 1 << 18

// Write puts what write produces at path, creating the file or replacing the
// one there: it goes to a temporary file in the same directory, which is synced
// to disk and renamed, and the rename is synced too. If anything fails, write's
// own error included, the temporary file is removed and path is as it was. A
// replaced file keeps its permissions; a symbolic link is itself replaced.
func Write(path string, write func(io.Writer) error) error {
	file, err := create(path)
	if err != nil {
		return err
	}
	if err := fill(file, path, write); err != nil {
		file.Close()
		os.Remove(file.Name())
		return fmt.Errorf("writing %s: %w", path, err)
	}
	if err := syncDir(filepath.Dir(path)); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}

// WriteFile is Write for content that is in memory.
func WriteFile(path string, data []byte) error {
	return Write(path, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// RemoveStale deletes the temporary files that writers of path left when they
// were killed. No other process may be writing path.
func RemoveStale(path string) error {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), prefix(path)) && e.Type().IsRegular() {
			errs = append(errs, os.Remove(filepath.Join(filepath.Dir(path), e.Name())))
		}
	}
	return errors.Join(errs...)
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

// fill writes the temporary file and renames it to path.
func fill(file *os.File, path string, write func(io.Writer) error) error {
	buf := bufio.NewWriterSize(file, bufferSize)
	if err := write(buf); err != nil {
		return err
	}
	if err := buf.Flush(); err != nil {
		return err
	}
	if old, err := os.Stat(path); err == nil && old.Mode().IsRegular() {
		if err := file.Chmod(old.Mode().Perm()); err != nil {
			return err
		}
	}
	if err := file.Sync(); err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}
