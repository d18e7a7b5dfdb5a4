package images

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/mega-go/mega/internal/textfile"
)

// A Set is pictures in files with their classes.
type Set struct {
	Classes []string
	paths   []string
	labels  []int32

	mu      sync.Mutex
	skipped map[string]error // by path
	news    []error          // those of skipped that NewlySkipped has not returned
}

// The directories that hold a split each.
const trainDir = "train"

var validDirs = []string{"val", "valid", "validation", "test"}

// OpenSplits returns the pictures to train on and those held out, of
// DIR/train/CLASS and DIR/val/CLASS, or, where DIR has no such two, of DIR/CLASS:
// of every class the share heldOut, drawn by seed, but not its last picture.
func OpenSplits(dir string, heldOut float64, seed uint64) (train, valid *Set, err error) {
	names, err := directories(dir)
	if err != nil {
		return nil, nil, err
	}
	isSplit := func(name string) bool { return name == trainDir || slices.Contains(validDirs, name) }
	split := slices.Contains(names, trainDir) && !slices.ContainsFunc(names, func(name string) bool { return !isSplit(name) })
	if split {
		dir = filepath.Join(dir, trainDir)
	}
	if train, err = Open(dir, nil); err != nil {
		return nil, nil, err
	}
	for _, name := range validDirs {
		if split && slices.Contains(names, name) {
			valid, err = Open(filepath.Join(filepath.Dir(dir), name), train.Classes)
			return train, valid, err
		}
	}
	valid, err = train.holdOut(heldOut, seed)
	return train, valid, err
}

// Open returns the pictures of DIR/CLASS, of all classes in the order of their
// names or of the classes given. Hidden files are passed over; others that are no
// pictures by name are skipped.
func Open(dir string, classes []string) (*Set, error) {
	names, err := directories(dir)
	if err != nil {
		return nil, err
	}
	if classes == nil {
		classes = names
	}
	s := &Set{Classes: classes, skipped: map[string]error{}}
	for _, name := range names {
		label := slices.Index(classes, name)
		if label < 0 {
			return nil, fmt.Errorf("%s: there is no class %q to train on", dir, name)
		}
		had := len(s.paths)
		if err := s.add(filepath.Join(dir, name), int32(label), nil); err != nil {
			return nil, err
		}
		if len(s.paths) == had {
			return nil, fmt.Errorf("%s: no pictures, want files named .jpg, .jpeg, .png, .webp or .gif", filepath.Join(dir, name))
		}
	}
	return s, nil
}

// directories returns the names of the directories in dir, at least one.
func directories(dir string) ([]string, error) {
	entries, err := textfile.ReadDir(dir)
	var names []string
	for _, e := range entries {
		if info, err := os.Stat(filepath.Join(dir, e.Name())); err == nil && info.IsDir() {
			names = append(names, e.Name())
		}
	}
	if err == nil && names == nil {
		err = fmt.Errorf("%s: no directories of classes: want DIR/train/CLASS/*.jpg and DIR/val/CLASS/*.jpg, or DIR/CLASS/*.jpg", dir)
	}
	return names, err
}

// add adds the pictures below a directory: its own, then those of the
// directories in it, without going round links for ever.
func (s *Set) add(dir string, label int32, above []fs.FileInfo) error {
	here, err := os.Stat(dir)
	if err != nil || slices.ContainsFunc(above, func(a fs.FileInfo) bool { return os.SameFile(a, here) }) {
		return err
	}
	entries, err := textfile.ReadDir(dir)
	if err != nil {
		return err
	}
	var inner []string
	for _, e := range entries {
		path, mode := filepath.Join(dir, e.Name()), e.Type()
		if mode&fs.ModeSymlink != 0 {
			info, err := os.Stat(path)
			if err != nil {
				s.skip(path, err)
				continue
			}
			mode = info.Mode()
		}
		switch {
		case mode.IsDir():
			inner = append(inner, path)
		case !mode.IsRegular():
			s.skip(path, textfile.Regular(path))
		case !isPicture(path):
			s.skip(path, fmt.Errorf("%s: not named as a JPEG, PNG, WebP or GIF picture", path))
		default:
			s.paths, s.labels = append(s.paths, path), append(s.labels, label)
		}
	}
	for _, path := range inner {
		if err := s.add(path, label, append(above[:len(above):len(above)], here)); err != nil {
			return err
		}
	}
	return nil
}

// Holds tells whether a directory is of classes of pictures, by the first file below
// the directories in it.
func Holds(dir string) bool {
	holds := false
	// What cannot be read holds nothing.
	_ = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil || path == dir:
			return err
		case textfile.Clutter(e.Name()) && e.IsDir():
			return fs.SkipDir
		case textfile.Clutter(e.Name()) || e.IsDir() || filepath.Dir(path) == filepath.Clean(dir):
			return nil
		}
		holds = isPicture(path)
		return fs.SkipAll
	})
	return holds
}

func isPicture(path string) bool {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".jpg", ".jpeg", ".png", ".webp", ".gif":
		return true
	}
	return false
}

// holdOut takes a share of each class out of the set, and returns it.
func (s *Set) holdOut(share float64, seed uint64) (*Set, error) {
	if !(share > 0 && share < 1) {
		return nil, fmt.Errorf("a share of %v held out, want above 0 and below 1", share)
	}
	members := make([][]int, len(s.Classes))
	for i, label := range s.labels {
		members[label] = append(members[label], i)
	}
	var train, held []int
	for label, all := range members {
		rand.New(rand.NewPCG(seed, uint64(label))).Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		n := min(max(1, int(math.Round(share*float64(len(all))))), len(all)-1)
		held, train = append(held, all[:n]...), append(train, all[n:]...)
	}
	if len(held) == 0 {
		return nil, errors.New("no class has two pictures, one of which could be held out")
	}
	out := &Set{Classes: s.Classes, skipped: map[string]error{}}
	out.paths, out.labels = s.selected(held)
	s.paths, s.labels = s.selected(train)
	return out, nil
}

// selected returns the paths and labels of pictures in the order of the set.
func (s *Set) selected(indices []int) (paths []string, labels []int32) {
	slices.Sort(indices)
	for _, i := range indices {
		paths, labels = append(paths, s.paths[i]), append(labels, s.labels[i])
	}
	return paths, labels
}

// Len returns the number of pictures, broken ones among them.
func (s *Set) Len() int { return len(s.paths) }

// Path returns the file of picture i.
func (s *Set) Path(i int) string { return s.paths[i] }

// Labels returns every picture's class; it must not be modified.
func (s *Set) Labels() []int32 { return s.labels }

// Skipped returns an error for each file that is no picture or was found broken
// so far, in the order of their names. Each names its file.
func (s *Set) Skipped() []error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []error
	for _, err := range s.skipped {
		all = append(all, err)
	}
	slices.SortFunc(all, func(a, b error) int { return cmp.Compare(a.Error(), b.Error()) })
	return all
}

func (s *Set) skip(path string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.skipped[path] == nil {
		s.news = append(s.news, err)
	}
	s.skipped[path] = err
}

// NewlySkipped returns those of Skipped that it has not returned before.
func (s *Set) NewlySkipped() []error {
	s.mu.Lock()
	defer s.mu.Unlock()
	news := s.news
	s.news = nil
	return news
}

// read reads picture i and remembers if it is broken.
func (s *Set) read(i int) (*Picture, error) {
	p, err := ReadFile(s.paths[i])
	if err != nil {
		s.skip(s.paths[i], err)
	}
	return p, err
}

// Files returns the pictures below a directory and an error for each file that is
// none by its name.
func Files(dir string) (paths []string, skipped []error, err error) {
	s := &Set{skipped: map[string]error{}}
	err = s.add(dir, 0, nil)
	return s.paths, s.Skipped(), err
}
