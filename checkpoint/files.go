package checkpoint

import (
	"os"
	"path/filepath"

	"github.com/mega-go/mega/format/filemap"
	"github.com/mega-go/mega/internal/config"
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

// readText reads a small file.
func readText(from files, name string) ([]byte, error) {
	f, err := from.open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.ReadAll(config.MaxFile)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
