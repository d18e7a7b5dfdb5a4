package train

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mega-go/mega/checkpoint"
	"github.com/mega-go/mega/internal/atomicfile"
)

// savedPrefix begins the names of directories that hold checkpoints.
const savedPrefix = "update_"

// A store is a run's directory of checkpoints. Each is saved once, under
// update_N, and known by symbolic links. checkpoint_last is switched first, in
// one step, and its state says what the other links should be: whatever moment
// a kill comes at, it names a whole checkpoint, and publish repairs the rest.
// What no link points to is deleted.
type store struct{ dir string }

// last returns the directory that checkpoint_last names, "" if there is none.
func (s store) last() (string, error) {
	target, err := os.Readlink(filepath.Join(s.dir, lastName))
	if !errors.Is(err, fs.ErrNotExist) {
		return target, err
	}
	others, err := filepath.Glob(filepath.Join(s.dir, namePrefix+"*"))
	if err == nil && len(others) > 0 {
		err = fmt.Errorf("%s has %s but no %s to go on from: restore it, or choose another directory", s.dir, filepath.Base(others[0]), lastName)
	}
	return "", err
}

// load fills n from the last checkpoint and returns its state, nil if there is
// none.
func (s store) load(n *checkpoint.Native) (*State, error) {
	last, err := s.last()
	if err != nil || last == "" {
		return nil, err
	}
	path := s.path(last)
	if err := n.Resume(path); err != nil {
		return nil, fmt.Errorf("resuming: %w", err)
	}
	state, err := parseState(n.State)
	if err != nil {
		return nil, fmt.Errorf("resuming: %s: %w", path, err)
	}
	if want := stamp(&state); n.Stamp != want {
		return nil, fmt.Errorf("resuming: %s: weights of %q with the state of %q: the files do not belong together", path, n.Stamp, want)
	}
	return &state, nil
}

// stamp marks the files of one checkpoint.
func stamp(s *State) string { return fmt.Sprintf("update %d", s.Updates) }

// path returns where a saved directory lies.
func (s store) path(dir string) string { return filepath.Join(s.dir, dir) }

// unused returns a name for the directory of a checkpoint to be saved.
func (s store) unused(updates int) (string, error) {
	for again := 1; ; again++ {
		name := fmt.Sprintf("%s%d", savedPrefix, updates)
		if again > 1 {
			name = fmt.Sprintf("%s.%d", name, again)
		}
		_, err := os.Lstat(s.path(name))
		if errors.Is(err, fs.ErrNotExist) {
			return name, nil
		}
		if err != nil {
			return "", err
		}
	}
}

// present returns the names in n whose directories a user has not deleted.
func (s store) present(n names) names {
	return slices.DeleteFunc(slices.Clone(n), func(saved savedName) bool {
		_, err := os.Stat(s.path(saved.Dir))
		return errors.Is(err, fs.ErrNotExist)
	})
}

// publish makes the links what n says, in its order, and deletes what is no
// longer named.
func (s store) publish(n names) error {
	for _, saved := range n {
		if err := s.link(saved.Name, saved.Dir); err != nil {
			return err
		}
	}
	// Nothing may be gone from the disk before the links on it have changed.
	if err := atomicfile.SyncDir(s.dir); err != nil {
		return err
	}
	return s.clean(n)
}

// link makes name a link to dir unless it is.
func (s store) link(name, dir string) error {
	path := s.path(name)
	if target, err := os.Readlink(path); err == nil && target == dir {
		return nil
	}
	return atomicfile.Symlink(dir, path)
}

// clean deletes links that n no longer has, then temporaries and checkpoints
// that no link points to. Links under other names, which a user has made, keep
// their checkpoints.
func (s store) clean(n names) error {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	linked := make(map[string]bool)
	var errs []error
	for _, e := range entries {
		name := e.Name()
		target, err := os.Readlink(s.path(name))
		switch {
		case err != nil:
		case strings.HasPrefix(name, namePrefix) && strings.HasPrefix(target, savedPrefix) && n.directory(name) == "":
			errs = append(errs, os.Remove(s.path(name)))
		default:
			linked[target] = true
		}
	}
	for _, e := range entries {
		saved := e.IsDir() && strings.HasPrefix(e.Name(), savedPrefix) && !linked[e.Name()]
		if saved || atomicfile.IsTemporary(e.Name()) {
			errs = append(errs, os.RemoveAll(s.path(e.Name())))
		}
	}
	return errors.Join(errs...)
}
