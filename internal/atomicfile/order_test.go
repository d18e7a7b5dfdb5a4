//go:build unix

package atomicfile

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
)

// steps returns what f does that makes files last, below dir; temporaries are T.
func steps(t *testing.T, dir string, f func() error) []string {
	t.Helper()
	was := Observe
	defer func() { Observe = was }()
	var all []string
	Observe = func(step, path string) {
		name, err := filepath.Rel(dir, path)
		if err != nil {
			t.Error(err)
		}
		all = append(all, step+" "+regexp.MustCompile(`\.[^/]*\.tmp-[^/]*`).ReplaceAllString(name, "T"))
	}
	if err := f(); err != nil {
		t.Fatal(err)
	}
	return all
}

// What is renamed is on the disk before, and the rename after.
func TestOrder(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	nothing := func(io.Writer) error { return nil }
	set := func(temp string) error { return WriteFile(filepath.Join(temp, "x"), nil) }
	for _, c := range []struct {
		name string
		f    func() error
		want []string
	}{
		{"Write", func() error { return WriteFile(at("a"), nil) }, []string{"sync T", "rename a", "sync ."}},
		{"WriteNew", func() error { return WriteNew(at("b"), nothing) }, []string{"sync b"}},
		{"WriteDir", func() error {
			return WriteDir(at("d"), func(temp string) error { return WriteNew(filepath.Join(temp, "x"), nothing) })
		}, []string{"sync T/x", "sync T", "rename d", "sync ."}},
		{"Symlink", func() error { return Symlink("a", at("l")) }, []string{"rename l"}},
		{"WriteSet", func() error { return WriteSet(at("s"), []string{"x"}, false, set) },
			[]string{"sync T/T", "rename T/x", "sync T", "sync T", "rename s", "sync ."}},
		{"WriteSet again", func() error { return WriteSet(at("s"), []string{"x"}, true, set) },
			[]string{"sync T/T", "rename T/x", "sync T", "sync T", "rename s", "sync ."}},
		{"WriteSet beside others", func() error {
			return errors.Join(os.WriteFile(at("s/other"), nil, 0o666), WriteSet(at("s"), []string{"x"}, true, set))
		}, []string{"sync s/T/T", "rename s/T/x", "sync s/T", "sync s/T", "rename s/T/T/x", "sync s", "rename s/x", "sync s", "sync ."}},
	} {
		got := steps(t, dir, c.f)
		if c.name == "WriteSet again" && !slices.Equal(got, c.want) && exchange(at("none"), at("none")) != nil {
			continue // a system without exchange
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s does %q, want %q", c.name, got, c.want)
		}
	}
}

// Sync syncs: of a closed file it fails.
func TestSyncFails(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "a"))
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	if err := Sync(f); !errors.Is(err, os.ErrClosed) {
		t.Errorf("got %v", err)
	}
}
