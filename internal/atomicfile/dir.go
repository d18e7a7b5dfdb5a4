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
	"time"
)

// WriteDir makes the directory path out of the files that write puts into the
// temporary directory it is given, beside path, by WriteNew. The directory appears
// whole or, if anything fails, not at all. path must not exist. A kill may leave
// the temporary directory, whose name matches [IsTemporary], until the next
// WriteDir of path.
func WriteDir(path string, write func(dir string) error) error {
	path = filepath.Clean(path) // "DIR/" has itself as its parent else
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("writing %s: %w", path, fs.ErrExist)
	}
	temp, release, err := createDir(path)
	if err != nil {
		return err
	}
	defer release()
	err = write(temp)
	if err == nil {
		err = errors.Join(SyncDir(temp), rename(temp, path))
	}
	if err != nil {
		return err
	}
	return SyncDir(filepath.Dir(path))
}

// createDir makes a temporary directory beside path, which release removes if it
// is still there.
func createDir(path string) (temp string, release func(), err error) {
	sweep(path)
	temp = temporary(path)
	if err := os.Mkdir(temp, 0o777); err != nil {
		return "", nil, err
	}
	dir, err := os.Open(temp)
	if err != nil {
		return "", nil, errors.Join(err, os.Remove(temp))
	}
	hold(dir)
	return temp, func() {
		dir.Close()
		os.RemoveAll(temp)
	}, nil
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
		err = Sync(file)
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
	if err := rename(temp, path); err != nil {
		return errors.Join(err, os.Remove(temp))
	}
	return nil
}

// IsTemporary reports whether name is what this package calls something not
// yet whole.
func IsTemporary(name string) bool {
	ok, _ := filepath.Match(".*.tmp-????????", name)
	return ok
}

// prefix starts the names of path's temporary files; being hidden, no pattern
// for checkpoints matches them.
func prefix(path string) string { return "." + filepath.Base(path) + ".tmp-" }

func temporary(path string) string {
	return filepath.Join(filepath.Dir(path), fmt.Sprintf("%s%08x", prefix(path), rand.Uint32()))
}

// untouched is how long a temporary file is left alone whatever its lock: a
// writer makes and closes it a moment before and after it holds the lock.
const untouched = time.Minute

// sweep deletes what killed writers of path have left beside it. What it cannot
// delete harms nobody.
func sweep(path string) {
	entries, _ := os.ReadDir(filepath.Dir(path))
	for _, e := range entries {
		if !IsTemporary(e.Name()) || !strings.HasPrefix(e.Name(), prefix(path)) {
			continue
		}
		info, err := e.Info()
		name := filepath.Join(filepath.Dir(path), e.Name())
		if err == nil && time.Since(info.ModTime()) > untouched && abandoned(name) {
			os.RemoveAll(name)
		}
	}
}
