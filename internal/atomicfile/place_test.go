//go:build unix

package atomicfile

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// shape says what there is at every name in a directory.
func shape(t *testing.T, dir string) string {
	t.Helper()
	var all []string
	for _, name := range names(t, dir) {
		info, err := os.Lstat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, name+" "+info.Mode().Type().String())
	}
	return strings.Join(all, ", ")
}

func TestWriteThroughLinks(t *testing.T) {
	dir := t.TempDir()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.MkdirAll(filepath.Join(dir, "deep", "er"), 0o777))
	must(os.Symlink(filepath.Join("deep", "er"), filepath.Join(dir, "short")))
	must(os.WriteFile(filepath.Join(dir, "file"), []byte("old"), 0o600))
	for link, target := range map[string]string{
		"link":       "file",
		"chain":      "link",
		"new":        "missing",
		"deep/er/up": "../made", // deep/made, though it is called by short/up
	} {
		must(os.Symlink(target, filepath.Join(dir, link)))
	}
	was := shape(t, dir)
	for link, target := range map[string]string{"link": "file", "chain": "file", "new": "missing", "short/up": "deep/made"} {
		must(WriteFile(filepath.Join(dir, link), []byte(link)))
		if got, err := os.ReadFile(filepath.Join(dir, target)); err != nil || string(got) != link {
			t.Errorf("%s wrote %q to %s: %v", link, got, target, err)
		}
	}
	if got := strings.Replace(shape(t, dir), ", missing ----------", "", 1); got != was {
		t.Errorf("the directory holds %s, want %s", got, was)
	}
	if info, err := os.Stat(filepath.Join(dir, "file")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file that a link leads to has mode %v: %v", info.Mode(), err)
	}
	for name, want := range map[string]bool{"file": true, "link": true, "chain": true, "deep": true, "new": true, "missing": true, "none": false} {
		if got := Replaces(filepath.Join(dir, name)); got != want {
			t.Errorf("Replaces(%s) is %v", name, got)
		}
	}
	must(ReplaceFile(filepath.Join(dir, "link"), nil))
	if info, err := os.Lstat(filepath.Join(dir, "link")); err != nil || info.Mode()&^0o666 != 0 {
		t.Errorf("a link that is itself to be replaced became %v: %v", info.Mode(), err)
	}
	must(os.Symlink("loop", filepath.Join(dir, "loop")))
	if err := WriteFile(filepath.Join(dir, "loop"), nil); err == nil || !strings.Contains(err.Error(), "loop: cannot create: too many levels") {
		t.Errorf("a loop gives %v", err)
	}
}

func TestWritePipe(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Skip(err)
	}
	got := make(chan string)
	go func() {
		b, err := os.ReadFile(path)
		got <- fmt.Sprint(string(b), err)
	}()
	if err := WriteFile(path, []byte("text")); err != nil {
		t.Fatal(err)
	}
	if s := <-got; s != "text<nil>" || shape(t, dir) != "pipe p---------" {
		t.Errorf("the pipe gave %q, the directory holds %s", s, shape(t, dir))
	}
}

func TestWriteDevice(t *testing.T) {
	// By links: a device that a fault replaces is only a link then.
	dir := t.TempDir()
	for device, want := range map[string]error{os.DevNull: nil, "/dev/full": syscall.ENOSPC} {
		if _, err := os.Stat(device); err != nil {
			t.Log(err)
			continue
		}
		link := filepath.Join(dir, filepath.Base(device))
		if Replaces(device) {
			t.Errorf("%s would be replaced", device)
		}
		if err := os.Symlink(device, link); err != nil {
			t.Fatal(err)
		}
		if err := WriteFile(link, []byte("text")); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", device, err, want)
		}
		if info, err := os.Stat(link); err != nil || info.Mode()&os.ModeDevice == 0 {
			t.Errorf("%s is no device any more: %v", device, err)
		}
	}
}

// A descriptor is written where it stands, whatever is behind it.
func TestWriteDescriptor(t *testing.T) {
	dir := t.TempDir()
	f, err := os.Create(filepath.Join(dir, "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := os.Stat(fmt.Sprintf("/dev/fd/%d", f.Fd())); err != nil {
		t.Skip(err)
	}
	link := filepath.Join(dir, "stdout") // as /dev/stdout is one
	if err := os.Symlink(fmt.Sprintf("/dev/fd/%d", f.Fd()), link); err != nil {
		t.Fatal(err)
	}
	io.WriteString(f, "before ")
	for _, path := range []string{link, fmt.Sprintf("/dev/fd/%d", f.Fd())} {
		if err := WriteFile(path, []byte("text ")); err != nil {
			t.Fatal(err)
		}
	}
	io.WriteString(f, "after")
	if got, err := os.ReadFile(f.Name()); string(got) != "before text text after" {
		t.Errorf("the file holds %q: %v", got, err)
	}
	if err := WriteFile("/dev/fd/987654", nil); err == nil {
		t.Error("wrote to a descriptor that is not open")
	}
}

// A temporary file is deleted once nobody writes it, not before.
func TestSweep(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	live, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{".a.tmp-00000000", ".b.tmp-00000000"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Join(dir, ".a.tmp-00000001", "full"), 0o777); err != nil {
		t.Fatal(err)
	}
	sweep(path)
	if n := len(names(t, dir)); n != 4 {
		t.Errorf("of four young ones there are %d", n)
	}
	age(t, dir)
	sweep(path)
	if got := strings.Join(names(t, dir), " "); got != filepath.Base(live.file.Name())+" .b.tmp-00000000" && got != ".b.tmp-00000000 "+filepath.Base(live.file.Name()) {
		t.Errorf("left are %s", got)
	}
	if err := live.Commit(); err != nil {
		t.Error(err)
	}
}
