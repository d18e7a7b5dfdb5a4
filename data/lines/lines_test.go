package lines

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mega-go/mega/data/indexed"
)

func write(t *testing.T, prefix string, rows ...[]int32) {
	t.Helper()
	w, err := indexed.Create(prefix, indexed.Uint16)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		if err := w.Add(row); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

func all(t *testing.T, l Lines) [][]int32 {
	t.Helper()
	var rows [][]int32
	for i := range l.Len() {
		row := make([]int32, l.Size(i))
		if err := l.Read(row, i, 0); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, row)
	}
	return rows
}

func equal(a, b [][]int32) bool {
	return slices.EqualFunc(a, b, func(a, b []int32) bool { return slices.Equal(a, b) })
}

func TestOpenSplit(t *testing.T) {
	prefix := filepath.Join(t.TempDir(), "train")
	first, second := [][]int32{{4, 5, 2}, {2}}, [][]int32{{6, 2}}
	write(t, prefix, first...)
	write(t, prefix+"1", second...)
	write(t, prefix+"3", second...) // beyond a gap: not part of it
	for _, c := range []struct {
		combine bool
		want    [][]int32
	}{{false, first}, {true, append(slices.Clone(first), second...)}} {
		f, err := OpenSplit(nil, prefix, c.combine)
		if err != nil {
			t.Fatal(err)
		}
		if got := all(t, f); !equal(got, c.want) {
			t.Errorf("combine %v: %v, want %v", c.combine, got, c.want)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestRepeatedFile(t *testing.T) {
	prefix := filepath.Join(t.TempDir(), "train")
	write(t, prefix, []int32{4, 2}, []int32{5, 2})
	f, err := Open(nil, prefix, prefix)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := all(t, f), [][]int32{{4, 2}, {5, 2}, {4, 2}, {5, 2}}; !equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if name := f.Name(3); !strings.HasSuffix(name, "train.bin: line 2") {
		t.Errorf("line 3 is called %q", name)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}

func TestReadInside(t *testing.T) {
	prefix := filepath.Join(t.TempDir(), "a")
	write(t, prefix, []int32{4, 5, 6, 7, 2})
	f, err := Open(nil, prefix)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, l := range []Lines{f, Memory{{4, 5, 6, 7, 2}}} {
		got := make([]int32, 2)
		if err := l.Read(got, 0, 2); err != nil || !slices.Equal(got, []int32{6, 7}) {
			t.Errorf("%T: %v, %v", l, got, err)
		}
	}
}

func TestMissingFile(t *testing.T) {
	prefix := filepath.Join(t.TempDir(), "a")
	write(t, prefix, []int32{2})
	if _, err := Open(nil, prefix, prefix+"x"); err == nil || !strings.Contains(err.Error(), "ax.idx: no such file") {
		t.Errorf("error %v", err)
	}
}

func TestCheckTokens(t *testing.T) {
	m := Memory{{4, 5}, {4, 9}}
	if err := CheckTokens(m, 0, m[0], 6); err != nil {
		t.Error(err)
	}
	err := CheckTokens(m, 1, m[1], 6)
	if err == nil || !strings.HasPrefix(err.Error(), "line 2: token 9 is beyond the dictionary of 6") {
		t.Errorf("error %v", err)
	}
}

// TestRaw: where there are no token files, raw text of that name is read.
func TestRaw(t *testing.T) {
	prefix := filepath.Join(t.TempDir(), "train")
	write := func(suffix, text string) {
		if err := os.WriteFile(prefix+suffix, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	encode := func(dst []int32, line string) []int32 { return append(dst, int32(len(line)), 2) }
	write("", "a b\r\n\nc")
	write("1", "dd\n")
	f, err := OpenSplit(encode, prefix, true)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var got [][]int32
	for i := range f.Len() {
		ids := make([]int32, f.Size(i))
		if err := f.Read(ids, i, 0); err != nil {
			t.Fatal(err)
		}
		got = append(got, ids)
	}
	if want := [][]int32{{3, 2}, {0, 2}, {1, 2}, {2, 2}}; !slices.EqualFunc(got, want, slices.Equal) {
		t.Errorf("%v, want %v", got, want)
	}
	if name := f.Name(3); name != prefix+"1: line 1" {
		t.Errorf("line 3 is %s", name)
	}
	for text, want := range map[string]string{"a\n\xff\n": "train:2: not UTF-8", "": "train: the file is empty"} {
		write("", text)
		if _, err := Open(encode, prefix); err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%q: error %v, want %s", text, err, want)
		}
	}
}
