package train

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// placed is a toy that says where its data lies.
type placed struct {
	*toy
	path string
}

func (p placed) Describe() Description {
	d := p.toy.Describe()
	d.Data, d.Paths, d.Splits = map[string]string{"data": p.path}, []string{p.path}, []string{"train", "valid"}
	return d
}

// TestSameDataAnywhere: a run goes on with its data under any path, and with no
// other.
func TestSameDataAnywhere(t *testing.T) {
	t.Chdir(t.TempDir())
	put := func(path, text string) {
		must(t, os.MkdirAll(filepath.Dir(path), 0o777))
		must(t, os.WriteFile(path, []byte(text), 0o666))
	}
	for _, dir := range []string{"data", "moved/here", "other"} {
		put(dir+"/dict.txt", "a 1\n")
		put(dir+"/src-bin/train.bin", "train")
		put(dir+"/src-bin/valid.bin", "valid")
	}
	put("moved/here/test.bin", "not trained on")
	put("moved/here/.train.swp", "hidden")
	put("other/src-bin/valid.bin", "VALID")
	put("other/src-bin/train1.bin", "more")
	must(t, os.Symlink("data", "link"))
	here, err := os.Getwd()
	must(t, err)
	c := toyConfig()
	for _, path := range []string{"data", "data/", "./data", "link", filepath.Join(here, "data"), "moved/here"} {
		m := placed{newToy(), path}
		if _, err := Run(context.Background(), m, c, Options{Dir: "run"}); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		c.MaxUpdate++
	}
	_, err = Run(context.Background(), placed{newToy(), "other"}, c, Options{Dir: "run"})
	want := "src-bin/train1.bin of the data was not there; src-bin/valid.bin of the data is not what it was"
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %q", err, want)
	}
}

// TestRecordingsByTheirNames: where no file is named after a split all count.
func TestRecordingsByTheirNames(t *testing.T) {
	dir := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(dir, "yes"), 0o777))
	d := Description{Paths: []string{dir}, Splits: []string{"train"}}
	seen := map[string]bool{}
	for _, name := range []string{"yes/1.wav", "yes/2.wav"} {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte("RIFF"), 0o666))
		got, err := content(d)
		if err != nil || len(got) != 1 || seen[got["all files"]] {
			t.Errorf("%v, %v", got, err)
		}
		seen[got["all files"]] = true
	}
}

// TestFingerprintOfLargeFile: parts from its beginning to its end count.
func TestFingerprintOfLargeFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "train.bin")
	const size = 17 << 20
	seen := map[string]bool{}
	for _, at := range []int64{-1, 0, size - 1} {
		must(t, os.WriteFile(path, make([]byte, size), 0o666))
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		must(t, err)
		if at >= 0 {
			_, err = f.WriteAt([]byte{1}, at)
		}
		must(t, err)
		must(t, f.Close())
		got, err := fingerprint(path, size)
		if err != nil || seen[got] {
			t.Errorf("a change at %d is not seen: %s, %v", at, got, err)
		}
		seen[got] = true
	}
}
