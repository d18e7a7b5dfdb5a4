package bytetext

import (
	"archive/zip"
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/mega-go/mega/data"
	"github.com/mega-go/mega/data/blocks"
)

func write(t *testing.T, name string, text []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, text, 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

func codec(t *testing.T, d *data.Dictionary) *Codec {
	t.Helper()
	c, err := NewCodec(d)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestDictionary(t *testing.T) {
	d := Dictionary()
	if d.Len() != 260 || d.Index("0") != 4 || d.Index("255") != 259 {
		t.Errorf("%d ids, 0 is %d, 255 is %d", d.Len(), d.Index("0"), d.Index("255"))
	}
}

func TestCodecAllBytes(t *testing.T) {
	c := codec(t, Dictionary())
	text := make([]byte, 256)
	for i := range text {
		text[i] = byte(i)
	}
	ids, err := c.Append(nil, text)
	if err != nil {
		t.Fatal(err)
	}
	if ids[0] != 4 || ids[255] != 259 || c.Newline() != 14 || c.Vocabulary() != 260 {
		t.Errorf("ids %v", ids)
	}
	ids = append([]int32{data.BOS, data.EOS, data.Pad}, ids...)
	if got := c.AppendText(nil, ids); !bytes.Equal(got, text) {
		t.Errorf("%q", got)
	}
}

func TestCodecOfEnwik8(t *testing.T) {
	d := data.NewDictionary()
	for _, word := range []string{"32", "101", "madeupword0000"} {
		d.Add(word, 1)
	}
	c := codec(t, d)
	ids, err := c.Append(nil, []byte("e e\n"))
	if err != nil || !slices.Equal(ids, []int32{5, 4, 5, data.EOS}) {
		t.Errorf("%v, %v", ids, err)
	}
	if got := c.AppendText(nil, append(ids, data.Unknown)); string(got) != "e e\n\uFFFD" {
		t.Errorf("%q", got)
	}
	if _, err := c.Append(nil, []byte("ee!")); err == nil || !strings.Contains(err.Error(), `byte 33 ('!') at position 2`) {
		t.Errorf("error %v", err)
	}
	if _, err := NewCodec(data.NewDictionary()); err == nil {
		t.Error("no error for a dictionary without bytes")
	}
}

func TestFile(t *testing.T) {
	text := bytes.Repeat([]byte("0123456789\n"), 10000)
	f, err := Open(write(t, "text", text), codec(t, Dictionary()))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := blocks.Cut(f, blocks.Options{Vocabulary: 260, Size: 50000}, 1)
	if err != nil {
		t.Fatal(err)
	}
	if b.Len() != 3 || b.Size(2) != 10000 {
		t.Fatalf("%d blocks, the last of %d", b.Len(), b.Size(2))
	}
	batch, err := b.Collate([]int{1})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 50000 {
		if got, want := batch.Tokens[i], int32(text[50000+i-1])+4; got != want {
			t.Fatalf("input %d is %d, want %d", i, got, want)
		}
		if got, want := batch.Targets[i], int32(text[50000+i])+4; got != want {
			t.Fatalf("target %d is %d, want %d", i, got, want)
		}
	}
	if batch, err = b.Collate([]int{0}); err != nil || batch.Tokens[0] != data.EOS {
		t.Errorf("the text begins after %d, want </s>; %v", batch.Tokens[0], err)
	}
}

func TestSlice(t *testing.T) {
	c := codec(t, Dictionary())
	f, err := Open(write(t, "text", []byte("abcdefgh")), c)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	part, err := f.Slice(2, 7)
	if err != nil {
		t.Fatal(err)
	}
	if part, err = part.Slice(1, 4); err != nil {
		t.Fatal(err)
	}
	ids := make([]int32, part.Size(0))
	if err := part.Read(ids, 0, 0); err != nil {
		t.Fatal(err)
	}
	if got := c.AppendText(nil, ids); string(got) != "def" {
		t.Errorf("%q, want def", got)
	}
	for _, r := range [][2]int{{-1, 2}, {0, 9}, {3, 3}} {
		if _, err := f.Slice(r[0], r[1]); err == nil {
			t.Errorf("no error for %v", r)
		}
	}
}

func TestFileUnknown(t *testing.T) {
	d := data.NewDictionary()
	d.Add("97", 1)
	f, err := Open(write(t, "text", []byte("abca\n")), codec(t, d))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if n, err := f.Unknown(); n != 2 || err != nil {
		t.Errorf("%d unknown bytes, want 2; %v", n, err)
	}
}

func TestFileErrors(t *testing.T) {
	c := codec(t, Dictionary())
	empty := write(t, "empty", nil)
	for path, want := range map[string]string{
		empty:               "the text is empty",
		filepath.Dir(empty): "is a directory",
		empty + "x":         "no such file",
	} {
		if _, err := Open(path, c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one about %q", err, want)
		}
	}
	path := write(t, "text", []byte("abcdef"))
	f, err := Open(path, c)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := os.Truncate(path, 3); err != nil {
		t.Fatal(err)
	}
	if err := f.Read(make([]int32, 6), 0, 0); err == nil || !strings.Contains(err.Error(), "ends before byte 6") {
		t.Errorf("error %v", err)
	}
}

func TestSplitFiles(t *testing.T) {
	text := []byte("ab\n\n\xffcd\ne\nfg")
	dir := t.TempDir()
	var last int64
	parts, err := Split(write(t, "text", text), dir, 3, func(done, total int64) {
		if done < last || total != int64(len(text)) {
			t.Errorf("progress %d of %d after %d", done, total, last)
		}
		last = done
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(parts) != 3 || parts[0].Bytes != 6 || last != int64(len(text)) {
		t.Errorf("parts %v, progress up to %d", parts, last)
	}
	for name, want := range map[string]string{
		"train.txt": "97 98 \n \n 255 99", "train.txt.raw": "ab\n\n\xffc",
		"valid.txt": "100 \n 101", "valid.txt.raw": "d\ne",
		"test.txt": "\n 102 103", "test.txt.raw": "\nfg",
	} {
		if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(got) != want {
			t.Errorf("%s: %q, want %q; %v", name, got, want, err)
		}
	}
}

func TestSplitZip(t *testing.T) {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.Create("enwik8")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("abcdefgh")); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	path, dir := write(t, "enwik8.zip", b.Bytes()), t.TempDir()
	if _, err := Split(path, dir, 2, nil); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(dir, "test.txt.raw")); string(got) != "gh" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	half := write(t, "half.zip", b.Bytes()[:b.Len()/2])
	if _, err := Split(half, dir, 2, nil); err == nil || !strings.Contains(err.Error(), "is the download finished?") {
		t.Errorf("error %v", err)
	}
}

func TestSplitErrors(t *testing.T) {
	path := write(t, "enwik8", []byte("abcdef"))
	dir := t.TempDir()
	if _, err := Enwik8(path, dir, nil); err == nil || !strings.Contains(err.Error(), "6 of 100000000 bytes; the download is not finished") {
		t.Errorf("error %v", err)
	}
	for _, n := range []int64{0, -1, 3} {
		if _, err := Split(path, dir, n, nil); err == nil || !strings.Contains(err.Error(), "cannot hold out") {
			t.Errorf("error %v", err)
		}
	}
	if _, err := Split(path+"x", dir, 1, nil); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("error %v", err)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestIsDictionary: numbers that are words are no bytes.
func TestIsDictionary(t *testing.T) {
	span := func(from, to int) (words []string) {
		for b := from; b < to; b++ {
			words = append(words, strconv.Itoa(b))
		}
		return words
	}
	text := append([]string{"101", "32", "9", "195", "169"}, span(97, 123)...)
	for _, c := range []struct {
		name  string
		words []string
		bytes bool
	}{
		{"all bytes in order", span(0, 256), true},
		{"all bytes, filled up", append(span(0, 256), "madeupword0000", data.CLS), true},
		{"a text", text, true},
		{"a text with lines", append(slices.Clone(text), "10", "13"), true},
		{"pixels by frequency", append([]string{"255"}, span(0, 255)...), false},
		{"100 units of speech", span(0, 100), false},
		{"500 units of speech", span(0, 500), false},
		{"units 10 to 59", span(10, 60), false},
		{"units 32 to 131", span(32, 132), false},
		{"notes 36 to 96", span(36, 97), false},
		{"digits", span(0, 10), false},
		{"a text and a word", append(slices.Clone(text), "the"), false},
		{"a text and 007", append(slices.Clone(text), "007"), false},
		{"nothing", nil, false},
	} {
		d := data.NewDictionary()
		for _, w := range c.words {
			d.Add(w, 1)
		}
		if got := IsDictionary(d); got != c.bytes {
			t.Errorf("%s: %v, want %v", c.name, got, c.bytes)
		}
	}
}
