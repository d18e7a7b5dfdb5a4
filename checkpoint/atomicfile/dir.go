package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// WriteDir makes the directory path out of the files that write puts into the
// temporary directory it is given, beside path; it should sync them, as Write
// does. The directory appears whole or, if anything fails, not at all. path
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

// Symlink makes path a symbolic link to target, replacing a link or file there
// in one step.
func Symlink(target, path string) error {
	temp := temporary(path)
	if err := os.Symlink(target, temp); err != nil {
		return err
	}
	if err := os.Rename(temp, path); err != nil {
		return errors.Join(err, os.Remove(temp))
	}
	return syncDir(filepath.Dir(path))
}

// IsTemporary reports whether name is what this package calls something not
// yet whole.
func IsTemporary(name string) bool {
	ok, _ := filepath.Match(".*.tmp-????????", name)
	return ok
}

func temporary(path string) string {
	return filepath.Join(filepath.Dir(path), fmt.Sprintf("%s%08x", prefix(path), rand.Uint32()))
}
