package atomicfile

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// entries lists a directory, failing on temporaries.
func entries(t *testing.T, dir string) []string {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range list {
		if IsTemporary(e.Name()) {
			t.Errorf("%s is left over", e.Name())
		}
		names = append(names, e.Name())
	}
	return names
}

func writeNew(path, text string) error {
	return WriteNew(path, func(w io.Writer) error {
		_, err := io.WriteString(w, text)
		return err
	})
}

func TestWriteNewReplacesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := writeNew(path, "first"); err != nil {
		t.Fatal(err)
	}
	if err := writeNew(path, "second"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("got %v", err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "first" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestWriteDir(t *testing.T) {
	root := t.TempDir()
	path := filepath.Join(root, "d")
	write := func(dir string) error {
		if !IsTemporary(filepath.Base(dir)) {
			t.Errorf("%s is not recognised as temporary", dir)
		}
		return writeNew(filepath.Join(dir, "f"), "content")
	}
	if err := WriteDir(path+string(filepath.Separator), write); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(path, "f")); err != nil || string(got) != "content" {
		t.Errorf("got %q, %v", got, err)
	}
	if err := WriteDir(path, write); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a second WriteDir gives %v", err)
	}
	if names := entries(t, root); len(names) != 1 {
		t.Errorf("directory holds %v", names)
	}
}

func TestWriteDirFails(t *testing.T) {
	root := t.TempDir()
	broken := errors.New("broken")
	err := WriteDir(filepath.Join(root, "d"), func(dir string) error {
		return errors.Join(writeNew(filepath.Join(dir, "f"), ""), broken)
	})
	if !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if names := entries(t, root); len(names) != 0 {
		t.Errorf("directory holds %v", names)
	}
}

func TestSymlinkReplaces(t *testing.T) {
	root := t.TempDir()
	path := filepath.Join(root, "link")
	for _, target := range []string{"a", "b"} {
		if err := Symlink(target, path); err != nil {
			t.Fatal(err)
		}
		if got, err := os.Readlink(path); err != nil || got != target {
			t.Errorf("link to %q, %v, want %q", got, err, target)
		}
	}
	if err := os.Mkdir(filepath.Join(root, "dir"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := Symlink("a", filepath.Join(root, "dir")); err == nil {
		t.Error("a directory was replaced by a link")
	}
	if names := entries(t, root); len(names) != 2 {
		t.Errorf("directory holds %v", names)
	}
}
