package train

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// relativeTo returns the directory that the paths of a task's data are relative
// to, "" if none is.
func (d Description) relativeTo() (string, error) {
	if !slices.ContainsFunc(d.Paths, func(path string) bool { return !filepath.IsAbs(path) }) {
		return "", nil
	}
	return os.Getwd()
}

// content returns a fingerprint of each file of a task's data, by its path
// within the data. It tells the same data under another path from other data.
// Files of directories count if their names begin with dict or with the name of
// a split that is trained or validated on; of a directory that has none, such as
// one of recordings, the names and sizes of all files are taken together.
func content(d Description) (map[string]string, error) {
	out := make(map[string]string)
	for i, path := range d.Paths {
		prefix := ""
		if len(d.Paths) > 1 {
			prefix = fmt.Sprintf("%d:", i+1)
		}
		if info, err := os.Stat(path); err == nil && !info.IsDir() && !info.Mode().IsRegular() {
			out[prefix+aPipe] = "unknown" // what comes can be read only once
			continue
		}
		path, err := filepath.EvalSymlinks(path)
		if err != nil {
			return nil, fmt.Errorf("data: %w", err)
		}
		if err := addContent(out, prefix, path, append(strings.Split(strings.Join(d.Splits, ","), ","), "dict")); err != nil {
			return nil, fmt.Errorf("data: %w", err)
		}
	}
	return out, nil
}

func addContent(out map[string]string, prefix, root string, names []string) error {
	before, all := len(out), sha256.New()
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		hidden := path != root && strings.HasPrefix(e.Name(), ".")
		switch {
		case err != nil:
			return err
		case e.IsDir() && hidden:
			return fs.SkipDir
		case e.IsDir() || hidden:
			return nil
		}
		info, err := os.Stat(path)
		if err != nil || !info.Mode().IsRegular() {
			return nil // a broken link or a pipe: the reader that needs it reports it
		}
		rel := strings.TrimPrefix(filepath.ToSlash(strings.TrimPrefix(path, root)), "/")
		fmt.Fprintf(all, "%s %d\n", rel, info.Size())
		if path != root && !slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(e.Name(), n) }) {
			return nil
		}
		out[prefix+rel], err = fingerprint(path, info.Size())
		return err
	})
	if err == nil && len(out) == before {
		out[prefix+"all files"] = fmt.Sprintf("%x", all.Sum(nil)[:8])
	}
	return err
}

// fingerprint hashes a file: of a large one its size and parts that are spread
// over it, since a run begins every time with this.
func fingerprint(path string, size int64) (string, error) {
	const parts, part = 256, 1 << 16
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	fmt.Fprintf(h, "%d\n", size)
	if size <= parts*part {
		_, err = io.Copy(h, f)
	}
	for i := int64(0); err == nil && i < parts && size > parts*part; i++ {
		_, err = io.Copy(h, io.NewSectionReader(f, i*(size-part)/(parts-1), part))
	}
	return fmt.Sprintf("%x", h.Sum(nil)[:8]), err
}

// pathKeys are the keys of configurations that say where data lies.
var pathKeys = []string{"data.data", "data.text", "data.dict", "data.valid_file", "data.test_file", "data.labels"}

// aPipe stands for what was or is read from a pipe.
const aPipe = "a pipe"

// sameContent lists how the data of a run differs from what it was, nil if it is
// the same wherever it lies now. What came or comes from a pipe cannot be compared.
func sameContent(was, now map[string]string) []string {
	was, now = maps.Clone(was), maps.Clone(now)
	for _, name := range append(slices.Collect(maps.Keys(was)), slices.Collect(maps.Keys(now))...) {
		prefix, piped := strings.CutSuffix(name, aPipe)
		beside := func(name, _ string) bool { return strings.HasPrefix(name, prefix) }
		if piped {
			maps.DeleteFunc(was, beside)
			maps.DeleteFunc(now, beside)
		}
	}
	var differences []string
	for name, hash := range was {
		if now[name] != hash {
			differences = append(differences, fmt.Sprintf("%s of the data is not what it was", cmp.Or(name, "the file")))
		}
	}
	for name := range now {
		if was[name] == "" {
			differences = append(differences, fmt.Sprintf("%s of the data was not there", cmp.Or(name, "the file")))
		}
	}
	slices.Sort(differences)
	return differences
}
