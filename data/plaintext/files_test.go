package plaintext

import (
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mega-go/mega/data"
	"github.com/mega-go/mega/data/bytetext"
	"github.com/mega-go/mega/data/pieces"
)

// texts writes a.txt, b.txt.gz and c:d.txt and returns their directory.
func texts(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"a.txt": "one", "c:d.txt": "three\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	f, err := os.Create(filepath.Join(dir, "b.txt.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z := gzip.NewWriter(f)
	io.WriteString(z, "two\r\nlines")
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestFiles(t *testing.T) {
	dir := texts(t)
	t.Chdir(dir)
	for list, want := range map[string]string{
		"a.txt":          "a.txt",
		"c:d.txt":        "c:d.txt",
		"a.txt:b.txt.gz": "a.txt b.txt.gz",
		"*.txt:none":     "a.txt c:d.txt none",
	} {
		got, err := Files(list)
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("%s: %q, %v, want %s", list, got, err, want)
		}
	}
	for list, want := range map[string]string{"*.md": "*.md: no file has such a name", "[": "[: is no pattern of names"} {
		if _, err := Files(list); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one with %q", list, err, want)
		}
	}
}

// TestOpenFiles: several files are one text, by bytes and by pieces.
func TestOpenFiles(t *testing.T) {
	t.Chdir(texts(t))
	files, err := Files("*")
	if err != nil {
		t.Fatal(err)
	}
	bytes, err := New(bytetext.Dictionary(), true)
	if err != nil {
		t.Fatal(err)
	}
	set, err := pieces.Parse([]byte(`{"decoder":{"type":"ByteLevel"},"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false},
		"model":{"type":"BPE","merges":["e e"],"vocab":{"e":0,"o":1,"n":2,"t":3,"w":4,"\u010d":5,"l":6,"i":7,"s":8,"h":9,"r":10,"ee":11}}}`), "pieces")
	if err != nil {
		t.Fatal(err)
	}
	const want = "one\ntwo\r\nlines\nthree\n"
	for name, c := range map[string]*Codec{"bytes": bytes, "pieces": OfPieces(set)} {
		f, err := c.Open("*", files)
		if err != nil {
			t.Fatal(err)
		}
		ids := make([]int32, f.Size(0))
		if err := f.Read(ids, 0, 0); err != nil {
			t.Fatal(err)
		}
		direct, unknown, err := c.Encode(want)
		if !slices.Equal(ids, direct) || unknown != nil || err != nil {
			t.Errorf("%s: %v, want %v (%q, %v)", name, ids, direct, unknown, err)
		}
		if got := c.Decode(data.EOS, ids); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := bytes.Open("none", []string{"a.txt", "none"}); err == nil || err.Error() != "none: no such file" {
		t.Errorf("error %v", err)
	}
}
