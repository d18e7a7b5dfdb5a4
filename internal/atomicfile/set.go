package atomicfile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// WriteSet writes the entries of a directory that belong together, as the splits
// and dictionaries of a data set do: write makes them in the temporary directory
// that it is given, by Create or WriteSet, and then all of them change at once.
// names are the entries that a set may have; those of an older set are replaced or,
// where the new one lacks them, removed. Without overwrite an older set is an
// error. Other entries of dir stay.
//
// A kill leaves the old set or the new one. Where dir holds other entries too, or
// the system cannot swap directories, a kill at the moment of the change may
// leave either of them incomplete, but never parts of both.
func WriteSet(dir string, names []string, overwrite bool, write func(temp string) error) error {
	target, err := makeParent(dir)
	if err != nil {
		return fmt.Errorf("%s: cannot write: %w", dir, cause(err))
	}
	had, others, err := parts(target, names)
	if err != nil {
		return err
	}
	if len(had) > 0 && !overwrite {
		return fmt.Errorf("%s is there already: choose another directory, or give overwrite to replace it", filepath.Join(dir, had[0]))
	}
	temp, release, err := createSet(target, len(others) > 0)
	if err != nil {
		return fmt.Errorf("%s: cannot write: %w", dir, cause(err))
	}
	defer release()
	err = write(temp)
	if err == nil {
		err = errors.Join(SyncDir(temp), publish(temp, target, names))
	}
	if err != nil {
		return &moved{err, temp, dir}
	}
	return SyncDir(filepath.Dir(target))
}

// makeParent returns where dir is or will be and makes what it lies in.
func makeParent(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o777); err != nil {
		return "", err
	}
	return follow(dir)
}

// parts returns the entries of dir, which need not exist, that are among names,
// and the others.
func parts(dir string, names []string) (had, others []string, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, nil, err
	}
	for _, e := range entries {
		switch {
		case slices.Contains(names, e.Name()):
			had = append(had, e.Name())
		case !IsTemporary(e.Name()):
			others = append(others, e.Name())
		}
	}
	return had, others, nil
}

// createSet makes the temporary directory of a set: beside dir if the two can
// change places, else in it.
func createSet(dir string, shared bool) (temp string, release func(), err error) {
	info, err := os.Stat(dir)
	if err != nil {
		return createDir(dir)
	}
	if !shared && sameDevice(dir, filepath.Dir(dir)) {
		if temp, release, err = createDir(dir); err == nil {
			return temp, release, os.Chmod(temp, info.Mode().Perm())
		}
	}
	return createDir(filepath.Join(dir, filepath.Base(dir)))
}

// publish puts the set that temp holds into dir.
func publish(temp, dir string, names []string) error {
	if _, err := os.Lstat(dir); err != nil {
		return rename(temp, dir)
	}
	if filepath.Dir(temp) == filepath.Dir(dir) && exchange(temp, dir) == nil {
		return nil
	}
	return moveInto(temp, dir, names)
}

// moveInto takes the old set out of dir and then moves the new one in, so that at
// no time there are parts of both. It undoes what it did if it fails.
func moveInto(temp, dir string, names []string) (err error) {
	old := filepath.Join(temp, prefix(dir)+"old")
	if err := os.Mkdir(old, 0o777); err != nil {
		return err
	}
	var done [][2]string
	defer func() {
		for _, d := range slices.Backward(done) {
			if err != nil {
				err = errors.Join(err, os.Rename(d[1], d[0]))
			}
		}
	}()
	for _, way := range [][2]string{{dir, old}, {temp, dir}} {
		for _, name := range names {
			from, to := filepath.Join(way[0], name), filepath.Join(way[1], name)
			if _, err := os.Lstat(from); err != nil {
				continue
			}
			if err := rename(from, to); err != nil {
				return err
			}
			done = append(done, [2]string{from, to})
		}
		if err := SyncDir(dir); err != nil {
			return err
		}
	}
	return nil
}

// A moved error names the directory that was asked for where its text has the
// temporary one.
type moved struct {
	error
	temp, dir string
}

func (e *moved) Error() string { return strings.ReplaceAll(e.error.Error(), e.temp, e.dir) }

func (e *moved) Unwrap() error { return e.error }
