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

// WriteDir makes the directory path out of the files that write puts into the
// temporary directory it is given, beside path, by WriteNew. The directory appears whole or, if anything fails, not at all. path
// must not exist. A kill may leave the temporary directory, whose name matches
// [IsTemporary].
func WriteDir(path string, write func(dir string) error) error {
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("writing %s: %w", path, fs.ErrExist)
	}
	temp := temporary(path)
	if err := os.Mkdir(temp, 0o777); err != nil {
		return err
	}
	err := write(temp)
	if err == nil {
		err = errors.Join(syncDir(temp), os.Rename(temp, path))
	}
	if err == nil {
		return syncDir(filepath.Dir(path))
	}
	return errors.Join(err, os.RemoveAll(temp))
}

// WriteNew writes a file that does not exist and syncs it: for use in WriteDir,
// where nothing need be replaced.
func WriteNew(path string, write func(io.Writer) error) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	buf := bufio.NewWriterSize(file, bufferSize)
	if err = write(buf); err == nil {
		err = buf.Flush()
	}
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

// Symlink makes path a symbolic link to target, replacing a link or file there
// in one step. SyncDir makes it last.
func Symlink(target, path string) error {
	temp := temporary(path)
	if err := os.Symlink(target, temp); err != nil {
		return err
	}
	if err := os.Rename(temp, path); err != nil {
		return errors.Join(err, os.Remove(temp))
	}
	return nil
}

// SyncDir makes what was created, renamed and removed in dir last, where the
// system can.
func SyncDir(dir string) error { return syncDir(dir) }

// IsTemporary reports whether name is what this package calls something not
// yet whole.
func IsTemporary(name string) bool {
	ok, _ := filepath.Match(".*.tmp-????????", name)
	return ok
}

func temporary(path string) string {
	return filepath.Join(filepath.Dir(path), fmt.Sprintf("%s%08x", prefix(path), rand.Uint32()))
}
