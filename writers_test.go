package mega_test

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// writers are the files that write others without internal/atomicfile, and why a
// file that is not whole does no harm there.
var writers = map[string]string{
	"train/rundir.go":               "logs grow line by line",
	"train/store.go":                "checkpoints that atomicfile has written change their names",
	"internal/tfevents/tfevents.go": "logs grow line by line",
	"data/audio/convert.go":         "samples go into the temporary directory of a set",
	"checkpoint/archive.go":         "a temporary file",
	"internal/textfile/files.go":    "a temporary file",
	"bench/scaling.go":              "a setting of the system",
}

// TestWritersAreKnown: what writes files does it by internal/atomicfile, so that
// none is half-written and no device or pipe is replaced.
func TestWritersAreKnown(t *testing.T) {
	writes := regexp.MustCompile(`\bos\.(Create|CreateTemp|WriteFile|OpenFile|Rename|Truncate)\(`)
	found := map[string]string{}
	err := filepath.WalkDir(".", func(path string, e fs.DirEntry, err error) error {
		if path = filepath.ToSlash(path); path == "internal/atomicfile" || path == "docs" || path == "shared" || strings.HasPrefix(e.Name(), "_") {
			return fs.SkipDir
		}
		if err != nil || e.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		if writes.Match(text) {
			found[path] = writers[path]
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := slices.Sorted(maps.Keys(writers)); !slices.Equal(slices.Sorted(maps.Keys(found)), want) {
		t.Errorf("files are written by %v, want it by internal/atomicfile or in %v", slices.Sorted(maps.Keys(found)), want)
	}
}
