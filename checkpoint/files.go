package checkpoint

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/mega-go/mega/format/filemap"
)

// files is where the files of a checkpoint lie together: a directory, or a
// folder of an archive.
type files interface {
	// open opens a file; fs.ErrNotExist if there is none of that name.
	open(name string) (*filemap.File, error)
	// path names a file for errors.
	path(name string) string
}

// dirFiles are the files of a directory.
type dirFiles string

func (d dirFiles) open(name string) (*filemap.File, error) { return filemap.Open(d.path(name)) }

func (d dirFiles) path(name string) string { return filepath.Join(string(d), name) }

// maxTextFile bounds configurations, which are read whole.
const maxTextFile = 16 << 20

// readText reads a small file.
func readText(from files, name string) ([]byte, error) {
	f, err := from.open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if f.Size() > maxTextFile {
		return nil, fmt.Errorf("%s: %d bytes, want at most %d of a configuration", from.path(name), f.Size(), maxTextFile)
	}
	var text []byte
	err = f.View(0, f.Size(), func(b []byte) error {
		text = append([]byte{}, b...)
		return nil
	})
	return text, err
}

// openFirst opens the first file there is of names, and says which.
func openFirst(from files, names ...string) (*filemap.File, string, error) {
	for _, name := range names {
		f, err := from.open(name)
		if !errors.Is(err, fs.ErrNotExist) {
			return f, name, err
		}
	}
	return nil, "", fmt.Errorf("%s has no %s", from.path(""), names[0])
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
