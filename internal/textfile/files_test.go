package textfile

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReadDir(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"._1.txt", ".DS_Store", "Thumbs.db", "desktop.ini", "__MACOSX", "1.txt~", "1.txt", "_2.txt"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	entries, err := ReadDir(dir)
	if err != nil || len(entries) != 2 || entries[0].Name() != "1.txt" || entries[1].Name() != "_2.txt" {
		t.Errorf("%v, %v; want 1.txt and _2.txt", entries, err)
	}
}

func TestOpenSeekable(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		io.WriteString(w, "abc")
		w.Close()
	}()
	f, remove, err := seekable(r)
	if err != nil {
		t.Fatal(err)
	}
	defer remove()
	var b [2]byte
	if _, err := f.ReadAt(b[:], 1); err != nil || string(b[:]) != "bc" {
		t.Errorf("%q, %v", b, err)
	}
	for path, want := range map[string]string{".": "is a directory", os.DevNull: "is a device"} {
		if _, _, err := OpenSeekable(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want one with %q", path, err, want)
		}
	}
}
