package checkpoint

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/mega-go/mega/internal/atomicfile"
)

// TestNames: names are links or, where there are none, files.
func TestNames(t *testing.T) {
	defer func() { symlink = atomicfile.Symlink }()
	path := filepath.Join(t.TempDir(), LastName)
	for _, dir := range []string{"update_1", "update_2.2"} {
		symlink = func(string, string) error { return errors.New("operation not permitted") }
		for _, dir := range []string{dir, dir + "0"} {
			if err := WriteName(path, dir); err != nil || ReadName(path) != dir {
				t.Errorf("a file: %q, %v, want %s", ReadName(path), err, dir)
			}
		}
		symlink = atomicfile.Symlink
		if err := WriteName(path, dir); err != nil || ReadName(path) != dir {
			t.Errorf("a link: %q, %v, want %s", ReadName(path), err, dir)
		}
		if target, err := os.Readlink(path); target != dir {
			t.Errorf("no link: %v", err)
		}
	}
	os.Remove(path)
	if err := os.WriteFile(path, []byte("update_3\r\n"), 0o666); err != nil || ReadName(path) != "update_3" {
		t.Errorf("a line: %q, %v", ReadName(path), err)
	}
	for _, text := range []string{"", "update_", "../update_1", "update_1/x"} {
		os.Remove(path)
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		if got := ReadName(path); got != "" {
			t.Errorf("%q is taken for the name of %q", text, got)
		}
	}
}

func TestNewest(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"update_9", "update_10", "update_10.2", "update_10.10", "update_x", "mine"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := Newest(dir); got != "update_10.10" || err != nil {
		t.Errorf("newest is %q, %v", got, err)
	}
	if got, err := Newest(filepath.Join(dir, "absent")); got != "" || err != nil {
		t.Errorf("newest of nothing is %q, %v", got, err)
	}
}

// TestLinksLeadWhereTheyLead: a link to a model elsewhere is not one to a model of
// the same name beside the link.
func TestLinksLeadWhereTheyLead(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"here/model", "there/model"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	link := filepath.Join(dir, "here", "best")
	if err := os.Symlink(filepath.Join("..", "there", "model"), link); err != nil {
		t.Skip(err)
	}
	if got := runCheckpoint(link); got != link {
		t.Errorf("%s, want the link itself", got)
	}
}
