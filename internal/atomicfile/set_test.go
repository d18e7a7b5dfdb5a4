package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// setNames are the entries of the sets of these tests.
var setNames = []string{"a", "b", "d"}

// written writes a set whose files say of which it is.
func written(set string) func(dir string) error {
	return func(dir string) error {
		return errors.Join(
			WriteFile(filepath.Join(dir, "a"), []byte(set)),
			WriteFile(filepath.Join(dir, "b"), []byte(set)),
			os.Mkdir(filepath.Join(dir, "d"), 0o777),
			WriteFile(filepath.Join(dir, "d", "c"), []byte(set)))
	}
}

// tree lists the files of a directory with what they hold.
func tree(t *testing.T, dir string) string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		all = append(all, filepath.ToSlash(name)+"="+string(text))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(all, " ")
}

func TestWriteSet(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "parent", "set")
	want := func(what, want string) {
		t.Helper()
		if got := tree(t, filepath.Dir(filepath.Dir(dir))); got != want {
			t.Errorf("%s leaves %s, want %s", what, got, want)
		}
	}
	if err := WriteSet(dir, setNames, false, written("1")); err != nil {
		t.Fatal(err)
	}
	want("the first", "parent/set/a=1 parent/set/b=1 parent/set/d/c=1")
	for _, others := range []string{"", " parent/set/other=1"} {
		if others != "" {
			if err := os.WriteFile(filepath.Join(dir, "other"), []byte("1"), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		err := WriteSet(dir, setNames, false, written("2"))
		if err == nil || !strings.Contains(err.Error(), filepath.Join(dir, "a")+" is there already") {
			t.Errorf("another set unasked: %v", err)
		}
		want("another set unasked", "parent/set/a=1 parent/set/b=1 parent/set/d/c=1"+others)
		wrong := errors.New("wrong")
		err = WriteSet(dir, setNames, true, func(temp string) error {
			return errors.Join(written("2")(temp), fmt.Errorf("%s/x: %w", temp, wrong))
		})
		if !errors.Is(err, wrong) || err.Error() != dir+"/x: wrong" {
			t.Errorf("a set that fails: %v", err)
		}
		want("a set that fails", "parent/set/a=1 parent/set/b=1 parent/set/d/c=1"+others)
		err = WriteSet(dir, setNames, true, func(temp string) error { return WriteFile(filepath.Join(temp, "b"), []byte("3")) })
		if err != nil {
			t.Error(err)
		}
		want("a set with less", "parent/set/b=3"+others)
		if err := WriteSet(dir, setNames, true, written("1")); err != nil {
			t.Error(err)
		}
		want("a set with more", "parent/set/a=1 parent/set/b=1 parent/set/d/c=1"+others)
	}
}

// A move that fails half-way is undone.
func TestMoveIntoIsUndone(t *testing.T) {
	root := t.TempDir()
	dir, temp := filepath.Join(root, "set"), filepath.Join(root, "temp")
	err := errors.Join(os.Mkdir(dir, 0o777), os.Mkdir(temp, 0o777), written("1")(dir), written("2")(temp))
	if err != nil {
		t.Fatal(err)
	}
	defer func(f func(string, string)) { Observe = f }(Observe)
	Observe = func(step, path string) {
		if path == filepath.Join(dir, "d") { // the last
			os.RemoveAll(filepath.Join(temp, "d"))
		}
	}
	if err := moveInto(temp, dir, setNames); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if got := tree(t, dir); got != "a=1 b=1 d/c=1" {
		t.Errorf("left %s", got)
	}
}

// TestKillLeavesAWholeSet kills a process that replaces a set over and over:
// whenever it dies, the set is the old one or the new one.
func TestKillLeavesAWholeSet(t *testing.T) {
	if dir := os.Getenv("ATOMICFILE_TEST_SET"); dir != "" {
		for i := 0; ; i = (i + 1) % 10 {
			if err := WriteSet(dir, setNames, true, written(fmt.Sprint(i))); err != nil {
				t.Fatal(err)
			}
		}
	}
	root := t.TempDir()
	if exchange(root, root) != nil && !strings.Contains(fmt.Sprint(exchange(root, root)), "invalid") {
		t.Skip("this system cannot swap directories")
	}
	dir := filepath.Join(root, "set")
	if err := WriteSet(dir, setNames, true, written("0")); err != nil {
		t.Fatal(err)
	}
	for i := range 8 {
		victim := exec.Command(os.Args[0], "-test.run=^TestKillLeavesAWholeSet$")
		victim.Env = append(os.Environ(), "ATOMICFILE_TEST_SET="+dir)
		if err := victim.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(30+7*i) * time.Millisecond)
		victim.Process.Kill()
		victim.Wait()
		got := tree(t, dir)
		if digit := got[2:3]; got != strings.ReplaceAll("a=N b=N d/c=N", "N", digit) {
			t.Fatalf("after a kill the set holds %s", got)
		}
	}
	age(t, root)
	if err := WriteSet(dir, setNames, true, written("0")); err != nil {
		t.Fatal(err)
	}
	if got := names(t, root); len(got) != 1 {
		t.Errorf("left are %q", got)
	}
}
