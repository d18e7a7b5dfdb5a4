package checkpoint

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"

	"github.com/mega-go/mega/internal/atomicfile"
)

// The names of a run's checkpoints that commands know.
const (
	BestName = "checkpoint_best"
	LastName = "checkpoint_last"
)

// SavedPrefix begins the names of the directories that a run saves its
// checkpoints in; the number of updates follows.
const SavedPrefix = "update_"

var savedPattern = regexp.MustCompile(`^` + SavedPrefix + `(\d+)(?:\.(\d+))?$`)

// ReadName returns the saved directory, without its path, that the name of a
// checkpoint stands for: the target of a symbolic link, or the text of a small
// file, which takes the link's place where there are none. It is "" for anything
// else, such as a directory or nothing.
func ReadName(path string) string {
	if target, err := os.Readlink(path); err == nil {
		return filepath.Base(target)
	}
	const longest = 64
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() > longest {
		return ""
	}
	text, err := os.ReadFile(path)
	text = bytes.TrimSpace(text)
	if err != nil || !savedPattern.Match(text) {
		return ""
	}
	return string(text)
}

// symlink is replaced by tests, for file systems without links.
var symlink = atomicfile.Symlink

// WriteName lets the name of a checkpoint at path stand for a saved directory
// beside it, in one step: by a symbolic link or, where there are none, by a file.
func WriteName(path, dir string) error {
	if target, err := os.Readlink(path); err == nil && target == dir || err != nil && ReadName(path) == dir {
		return nil
	}
	// Some archivers make an empty directory of a link; others stay.
	if info, err := os.Lstat(path); err == nil && info.IsDir() {
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	err := symlink(dir, path)
	if err != nil && atomicfile.ReplaceFile(path, []byte(dir)) == nil {
		return nil
	}
	return err
}

// SavedUpdates returns the number of updates in the name of a directory that a run
// saved, -1 for other names.
func SavedUpdates(name string) int {
	match := savedPattern.FindStringSubmatch(name)
	if match == nil {
		return -1
	}
	updates, err := strconv.Atoi(match[1])
	if err != nil {
		return -1
	}
	return updates
}

// Newest returns the newest directory that a run saved in dir, "" if there is
// none: the last checkpoint where no name has come along to say so.
func Newest(dir string) (string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	newest, last, again := "", -1, -1
	for _, e := range entries {
		updates := SavedUpdates(e.Name())
		if updates < 0 || !e.IsDir() {
			continue
		}
		n, _ := strconv.Atoi(cmp.Or(savedPattern.FindStringSubmatch(e.Name())[2], "1"))
		if updates > last || updates == last && n > again {
			newest, last, again = e.Name(), updates, n
		}
	}
	return newest, err
}

// runCheckpoint returns the checkpoint that path stands for if it is the
// directory of a run, or the name of one of its checkpoints in a file; other
// paths it returns as they are.
func runCheckpoint(path string) string {
	name := ReadName(path)
	saved := filepath.Join(filepath.Dir(path), name)
	if _, err := os.Stat(path); name != "" && exists(saved) && (err != nil || sameFile(path, saved) || !isLink(path)) {
		return saved
	}
	dir := filepath.Join(path, "checkpoints")
	newest, err := Newest(dir)
	if err != nil {
		return path
	}
	for _, name := range []string{BestName, savedNames(filepath.Join(dir, newest))[BestName], LastName, newest} {
		if name == "" {
			continue
		}
		inner := filepath.Join(dir, cmp.Or(ReadName(filepath.Join(dir, name)), name))
		if exists(filepath.Join(inner, ConfigFile)) {
			return inner
		}
	}
	return path
}

// isLink reports whether path is a symbolic link, which may lead elsewhere.
func isLink(path string) bool {
	_, err := os.Readlink(path)
	return err == nil
}

func sameFile(a, b string) bool {
	x, err := os.Stat(a)
	y, missing := os.Stat(b)
	return err == nil && missing == nil && os.SameFile(x, y) && filepath.Base(b) != "."
}

// savedNames returns the saved directories that the names of checkpoints stood for
// when the one at path was saved, as far as its state says so.
func savedNames(path string) map[string]string {
	text, err := readText(dirFiles(path), StateFile)
	var state struct {
		Checkpoints []struct{ Name, Directory string }
	}
	if err != nil || json.Unmarshal(text, &state) != nil {
		return nil
	}
	names := map[string]string{}
	for _, c := range state.Checkpoints {
		if savedPattern.MatchString(c.Directory) {
			names[c.Name] = c.Directory
		}
	}
	return names
}
