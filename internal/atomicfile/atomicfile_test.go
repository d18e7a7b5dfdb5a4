package atomicfile

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

func check(t *testing.T, path, want string) {
	t.Helper()
	if got, err := os.ReadFile(path); err != nil || string(got) != want {
		t.Errorf("%s holds %q, %v, want %q", path, got, err, want)
	}
	if got := names(t, filepath.Dir(path)); len(got) != 1 {
		t.Errorf("the directory holds %q", got)
	}
}

func TestWriteCreatesAndReplaces(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.pt")
	for _, content := range []string{"first", "", "third and longer"} {
		if err := WriteFile(path, []byte(content)); err != nil {
			t.Fatal(err)
		}
		check(t, path, content)
	}
}

func TestPermissions(t *testing.T) {
	dir := t.TempDir()
	path, plain := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	if err := errors.Join(WriteFile(path, nil), os.WriteFile(plain, nil, 0o666)); err != nil {
		t.Fatal(err)
	}
	mode := func(path string) os.FileMode {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info.Mode()
	}
	if mode(path) != mode(plain) {
		t.Errorf("a new file has mode %v, want %v", mode(path), mode(plain))
	}
	if err := errors.Join(os.Chmod(path, 0o600), WriteFile(path, nil)); err != nil || mode(path) != 0o600 {
		t.Errorf("a replaced file has mode %v, %v, want 0600", mode(path), err)
	}
}

func TestFailureLeavesTheOldFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.pt")
	if err := WriteFile(path, []byte("old")); err != nil {
		t.Fatal(err)
	}
	wrong := errors.New("wrong")
	err := Write(path, func(w io.Writer) error {
		_, err := w.Write(make([]byte, 3*bufferSize))
		return errors.Join(err, wrong)
	})
	if !errors.Is(err, wrong) {
		t.Errorf("error is %v", err)
	}
	check(t, path, "old")
	if err := WriteFile(filepath.Join(path, "b"), nil); err == nil {
		t.Error("wrote into a file as if it were a directory")
	}
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "d", "full"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(filepath.Join(dir, "d"), []byte("x")); err == nil {
		t.Error("replaced a directory")
	}
	if got := names(t, dir); len(got) != 1 {
		t.Errorf("a failed rename left %q", got)
	}
}

// TestKillLeavesAWholeFile kills a process that replaces a file over and over:
// whenever it dies, the file is whole, and the next writer takes the rest away.
func TestKillLeavesAWholeFile(t *testing.T) {
	if path := os.Getenv("ATOMICFILE_TEST_VICTIM"); path != "" {
		for i := byte('a'); ; i = 'a' + (i-'a'+1)%26 {
			if err := WriteFile(path, bytes.Repeat([]byte{i}, 1<<20)); err != nil {
				t.Fatal(err)
			}
		}
	}
	path := filepath.Join(t.TempDir(), "a.pt")
	if err := WriteFile(path, make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	for i := range 8 {
		victim := exec.Command(os.Args[0], "-test.run=^TestKillLeavesAWholeFile$")
		victim.Env = append(os.Environ(), "ATOMICFILE_TEST_VICTIM="+path)
		if err := victim.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(30+7*i) * time.Millisecond)
		victim.Process.Kill()
		victim.Wait()
		data, err := os.ReadFile(path)
		if err != nil || len(data) != 1<<20 || !bytes.Equal(data, bytes.Repeat(data[:1], len(data))) {
			t.Fatalf("after a kill the file is not whole: %d bytes, %v", len(data), err)
		}
	}
	age(t, filepath.Dir(path))
	if err := WriteFile(path, nil); err != nil {
		t.Fatal(err)
	}
	check(t, path, "")
}

// age makes the temporary files of a directory older than any writer is young.
func age(t *testing.T, dir string) {
	t.Helper()
	old := time.Now().Add(-2 * untouched)
	for _, name := range names(t, dir) {
		if err := os.Chtimes(filepath.Join(dir, name), old, old); IsTemporary(name) && err != nil {
			t.Fatal(err)
		}
	}
}
