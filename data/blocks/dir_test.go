package blocks

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mega-go/mega/data/indexed"
)

func TestDir(t *testing.T) {
	path := t.TempDir()
	if _, err := OpenDir(path); err == nil || !strings.Contains(err.Error(), "dict.txt: no such dictionary file") {
		t.Errorf("error %v", err)
	}
	if err := os.WriteFile(filepath.Join(path, "dict.txt"), []byte("a 2\nb 1\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	d, err := OpenDir(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Open("train", true); err == nil || !strings.Contains(err.Error(), `no split "train" (train.bin and .idx), nor any other`) {
		t.Errorf("error %v", err)
	}
	for _, name := range []string{"valid", "train", "train1"} {
		w, err := indexed.Create(filepath.Join(path, name), indexed.Uint16)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Add([]int32{4, 5, 2}); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		split   string
		combine bool
		want    int
	}{{"train", true, 2}, {"train", false, 1}, {"valid", true, 1}} {
		f, err := d.Open(c.split, c.combine)
		if err != nil {
			t.Fatal(err)
		}
		if f.Len() != c.want || d.Dictionary.Len() != 6 {
			t.Errorf("%s: %d lines, want %d; %d ids", c.split, f.Len(), c.want, d.Dictionary.Len())
		}
		f.Close()
	}
	if _, err := d.Open("test", false); err == nil || !strings.Contains(err.Error(), "it has train, train1, valid") {
		t.Errorf("error %v", err)
	}
	if _, err := OpenDir(filepath.Join(path, "dict.txt")); err == nil || !strings.Contains(err.Error(), "no such directory") {
		t.Errorf("error %v", err)
	}
}
