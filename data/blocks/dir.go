package blocks

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/mega-go/mega/data"
	"github.com/mega-go/mega/data/indexed"
	"github.com/mega-go/mega/data/lines"
)

// Dir is a directory of texts in the reference's layout: dict.txt, SPLIT.bin and
// SPLIT.idx.
type Dir struct {
	Path       string
	Dictionary *data.Dictionary
}

// OpenDir reads the dictionary of a directory.
func OpenDir(path string) (*Dir, error) {
	if info, err := os.Stat(path); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("%s: no such directory; want one that holds dict.txt and SPLIT.idx", path)
	}
	d, err := data.LoadDictionary(filepath.Join(path, "dict.txt"))
	if err != nil {
		return nil, err
	}
	return &Dir{path, d}, nil
}

// Open opens a split (train, valid, test); combine appends SPLIT1, SPLIT2, … as
// far as they are there, which the reference does for the training split. Close
// the result when done.
func (d *Dir) Open(split string, combine bool) (*lines.Files, error) {
	prefix := filepath.Join(d.Path, split)
	if !indexed.Exists(prefix) {
		return nil, fmt.Errorf("%s: no split %q (%s.bin and .idx), %s", d.Path, split, split, d.known())
	}
	return lines.OpenSplit(prefix, combine)
}

// known names the splits that there are, for errors.
func (d *Dir) known() string {
	files, _ := filepath.Glob(filepath.Join(d.Path, "*.idx")) // the pattern is always valid
	if len(files) == 0 {
		return "nor any other"
	}
	for i, f := range files {
		files[i] = strings.TrimSuffix(filepath.Base(f), ".idx")
	}
	return "it has " + strings.Join(files, ", ")
}
