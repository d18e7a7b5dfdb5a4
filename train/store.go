package train

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mega-go/mega/checkpoint"
	"github.com/mega-go/mega/format/filemap"
	"github.com/mega-go/mega/internal/atomicfile"
	"github.com/mega-go/mega/internal/config"
)

// A store is a run's directory of checkpoints. Each is saved once, under
// update_N, and known by names: symbolic links, or small files where there are
// none. checkpoint_last is switched first, in one step, and its state says what
// the other names should be: whatever moment a kill comes at, it names a whole
// checkpoint, and publish repairs the rest. What has no name is deleted.
type store struct{ dir string }

// last returns the directory of the last checkpoint, "" if there is none: what
// checkpoint_last stands for or, where a copy of the run has lost its links or
// brought a newer checkpoint than its link knows, the newest. In a copy that
// followed links, checkpoint_last is a directory itself.
func (s store) last() (string, error) {
	newest, err := checkpoint.Newest(s.dir)
	if err != nil {
		return "", err
	}
	if saved := checkpoint.ReadName(s.path(lastName)); saved != "" {
		if checkpoint.SavedUpdates(newest) > checkpoint.SavedUpdates(saved) {
			return newest, nil
		}
		return saved, nil
	}
	if _, err := os.Stat(filepath.Join(s.path(lastName), checkpoint.StateFile)); err == nil {
		return lastName, nil
	}
	if newest != "" {
		return newest, nil
	}
	others, err := filepath.Glob(filepath.Join(s.dir, namePrefix+"*"))
	if err == nil && len(others) > 0 {
		err = fmt.Errorf("%s has %s but no %s to go on from: restore it, or choose another directory", s.dir, filepath.Base(others[0]), lastName)
	}
	return "", err
}

// adopt moves checkpoints that lie under names themselves, in a copy that
// followed links, to where they were saved, as far as the copy does not have them
// there too.
func (s store) adopt() error {
	copies, err := filepath.Glob(filepath.Join(s.dir, namePrefix+"*", checkpoint.StateFile))
	for _, path := range copies {
		dir := filepath.Dir(path)
		if info, e := os.Lstat(dir); e != nil || !info.IsDir() {
			continue // a link
		}
		err = errors.Join(err, s.adoptCopy(dir))
	}
	return err
}

func (s store) adoptCopy(dir string) error {
	text, err := filemap.Read(filepath.Join(dir, checkpoint.StateFile), config.MaxFile)
	if err != nil {
		return err
	}
	state, err := parseState(text)
	if err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	// Each checkpoint was the last when it was saved.
	home := s.path(cmp.Or(state.Names.directory(lastName), fmt.Sprintf("%s%d", checkpoint.SavedPrefix, state.Updates)))
	if _, err := os.Lstat(home); errors.Is(err, fs.ErrNotExist) {
		return os.Rename(dir, home)
	}
	for _, name := range []string{checkpoint.ConfigFile, checkpoint.ModelFile, checkpoint.OptimizerFile, checkpoint.StateFile, checkpoint.ModelEMAFile} {
		a, errA := os.Stat(filepath.Join(dir, name))
		b, errB := os.Stat(filepath.Join(home, name))
		if name == checkpoint.ModelEMAFile && errA != nil && errB != nil {
			continue // none was kept
		}
		if errA != nil || errB != nil || a.Size() != b.Size() {
			return fmt.Errorf("%s is no whole copy of %s (%s differs): remove one of them", dir, home, name)
		}
	}
	return os.RemoveAll(dir)
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
		name := fmt.Sprintf("%s%d", checkpoint.SavedPrefix, updates)
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

// publish makes the names in the store what n says, in its order, and deletes
// what is no longer named.
func (s store) publish(n names) error {
	for _, saved := range n {
		if err := checkpoint.WriteName(s.path(saved.Name), saved.Dir); err != nil {
			return err
		}
	}
	// Nothing may be gone from the disk before the names on it have changed.
	if err := atomicfile.SyncDir(s.dir); err != nil {
		return err
	}
	return s.clean(n)
}

// clean deletes names that n no longer has, then temporaries and checkpoints
// without a name. Links under other names, which a user has made, keep their
// checkpoints.
func (s store) clean(n names) error {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	named := make(map[string]bool)
	var errs []error
	for _, e := range entries {
		name := e.Name()
		saved := checkpoint.ReadName(s.path(name))
		if strings.HasPrefix(name, namePrefix) && strings.HasPrefix(saved, checkpoint.SavedPrefix) && n.directory(name) == "" {
			errs = append(errs, os.Remove(s.path(name)))
			continue
		}
		named[saved] = true
	}
	for _, e := range entries {
		unnamed := e.IsDir() && strings.HasPrefix(e.Name(), checkpoint.SavedPrefix) && !named[e.Name()]
		if unnamed || atomicfile.IsTemporary(e.Name()) {
			errs = append(errs, os.RemoveAll(s.path(e.Name())))
		}
	}
	return errors.Join(errs...)
}
