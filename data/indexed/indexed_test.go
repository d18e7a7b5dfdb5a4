package indexed

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mega-go/mega/format/filemap"
)

// fixtures were written by fairseq-preprocess: byte sequences and their labels.
var fixtures = []string{"src-bin", "src1-bin", "label-bin"}

func fixture(name string) string {
	return filepath.Join("..", "testdata", "text", name, "valid")
}

func open(t *testing.T, prefix string) *Dataset {
	t.Helper()
	d, err := Open(prefix)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// read returns every sequence.
func read(t *testing.T, d *Dataset) [][]int32 {
	t.Helper()
	var all [][]int32
	for i := range d.Len() {
		ids := make([]int32, d.Size(i))
		if err := d.Read(ids, i); err != nil {
			t.Fatal(err)
		}
		all = append(all, ids)
	}
	return all
}

func write(t *testing.T, dtype DType, sequences [][]int32) string {
	t.Helper()
	prefix := filepath.Join(t.TempDir(), "out")
	w, err := Create(prefix, dtype)
	if err != nil {
		t.Fatal(err)
	}
	for _, ids := range sequences {
		if err := w.Add(ids); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return prefix
}

// TestRewrite: files of fairseq, read and written again, are the same bytes.
func TestRewrite(t *testing.T) {
	for _, name := range fixtures {
		d := open(t, fixture(name))
		if d.Len() != 50 || d.DType() != Uint16 {
			t.Fatalf("%s: %d sequences of type %d, want 50 of type 8", name, d.Len(), d.DType())
		}
		out := write(t, BestDType(100), read(t, d))
		for _, suffix := range []string{".idx", ".bin"} {
			want, _ := os.ReadFile(fixture(name) + suffix)
			got, _ := os.ReadFile(out + suffix)
			if !bytes.Equal(got, want) {
				t.Errorf("%s%s: %d bytes differ from fairseq's %d", name, suffix, len(got), len(want))
			}
		}
	}
}

func TestReadPrefix(t *testing.T) {
	d := open(t, fixture("src-bin"))
	whole := read(t, d)[3]
	head := make([]int32, 5)
	if err := d.Read(head, 3); err != nil || !slices.Equal(head, whole[:5]) {
		t.Errorf("%v, %v; want %v", head, err, whole[:5])
	}
}

func TestEveryType(t *testing.T) {
	limits := map[DType][2]int32{
		Uint8: {0, 255}, Int8: {-128, 127}, Int16: {-32768, 32767}, Uint16: {0, 65535},
		Int32: {math.MinInt32, math.MaxInt32}, Int64: {math.MinInt32, math.MaxInt32},
		OldFloat64: {-math.MaxInt32, math.MaxInt32}, Float64: {-math.MaxInt32, math.MaxInt32},
	}
	for dtype, limit := range limits {
		want := [][]int32{{limit[0], 1, limit[1]}, {}, {7}}
		got := read(t, open(t, write(t, dtype, want)))
		if !slices.EqualFunc(got, want, slices.Equal) {
			t.Errorf("type %d: %v, want %v", dtype, got, want)
		}
	}
	for dtype, id := range map[DType]int32{Uint8: 256, Int8: -129, Int16: 32768, Uint16: -1} {
		w, err := Create(filepath.Join(t.TempDir(), "x"), dtype)
		if err != nil {
			t.Fatal(err)
		}
		defer w.Abort()
		if err := w.Add([]int32{1, id}); err == nil || !strings.Contains(err.Error(), "sequence 0: token 1 is") {
			t.Errorf("type %d: adding %d: %v", dtype, id, err)
		}
	}
	if BestDType(65499) != Uint16 || BestDType(65500) != Int32 {
		t.Error("the type changes at another vocabulary than 65500")
	}
}

func TestAbort(t *testing.T) {
	dir := t.TempDir()
	w, err := Create(filepath.Join(dir, "x"), Int32)
	if err != nil {
		t.Fatal(err)
	}
	w.Add([]int32{1})
	w.Abort()
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

// index returns the bytes of an .idx with one entry.
func index(dtype byte, n uint64, length int32, start int64) []byte {
	b := binary.LittleEndian.AppendUint64([]byte(magic), version)
	b = binary.LittleEndian.AppendUint64(append(b, dtype), n)
	b = binary.LittleEndian.AppendUint32(b, uint32(length))
	return binary.LittleEndian.AppendUint64(b, uint64(start))
}

func TestOpenErrors(t *testing.T) {
	good := index(8, 1, 2, 0)
	for _, c := range []struct {
		name, idx, bin, want string
	}{
		{"empty", "", "", "x.idx: the file is empty"},
		{"foreign", "TNTIDX\x00\x00 and more", "", "x.idx: not an index of fairseq's mmap format"},
		{"cut header", string(good[:20]), "abcd", "x.idx: 20 bytes, cut off inside the header of 26"},
		{"version", strings.Replace(string(good), "\x00\x01", "\x00\x02", 1), "abcd", "x.idx: version 2, want 1"},
		{"type", string(index(9, 1, 2, 0)), "abcd", "x.idx: unknown number type 9"},
		{"cut entries", string(good[:len(good)-1]), "abcd", "x.idx: claims 1 sequences, but 11 bytes of index hold 0"},
		{"too many", string(index(8, 1<<60, 2, 0)), "abcd", "x.idx: claims 1152921504606846976 sequences"},
		{"longer", string(good) + "\x00", "abcd", "x.idx: claims 1 sequences, but 13 bytes"},
		{"short data", string(good), "abc", "sequence 0 (2 tokens at byte 0) lies outside the 3 bytes of"},
		{"no data", string(good), "", "lies outside the 0 bytes of"},
		{"negative length", string(index(8, 1, -1, 0)), "abcd", "x.idx: sequence 0 has -1 tokens"},
		{"negative start", string(index(8, 1, 1, -2)), "abcd", "lies outside"},
		{"far start", string(index(8, 1, 1, math.MaxInt64)), "abcd", "lies outside"},
	} {
		prefix := filepath.Join(t.TempDir(), "x")
		os.WriteFile(prefix+".idx", []byte(c.idx), 0o644)
		os.WriteFile(prefix+".bin", []byte(c.bin), 0o644)
		if _, err := Open(prefix); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", c.name, err, c.want)
		}
	}
	if _, err := Open("absent"); err == nil || err.Error() != "absent.idx: no such file" {
		t.Errorf("missing file: %v", err)
	}
}

func TestReadErrors(t *testing.T) {
	for want, raw := range map[string]uint64{
		"beyond 32 bits": 1 << 40,
		"not a token id": math.Float64bits(0.5),
	} {
		dtype := Int64
		if want == "not a token id" {
			dtype = Float64
		}
		d := &Dataset{prefix: "x", data: filemap.FromBytes("x.bin", binary.LittleEndian.AppendUint64(nil, raw))}
		if err := d.parse(index(byte(dtype), 1, 1, 0)); err != nil {
			t.Fatal(err)
		}
		if err := d.Read(make([]int32, 1), 0); err == nil || !strings.Contains(err.Error(), "x.bin: sequence 0: token 0 is") || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

// TestReadOfFileThatShrank: a mapped file that others cut short is an error, not
// the end of the process.
func TestReadOfFileThatShrank(t *testing.T) {
	prefix := write(t, Int32, [][]int32{make([]int32, 1<<16), {7}})
	d := open(t, prefix)
	if err := os.Truncate(prefix+".bin", 16); err != nil {
		t.Fatal(err)
	}
	if err := d.Read(make([]int32, 1), 1); err == nil || !strings.Contains(err.Error(), "out.bin: sequence 1: ") {
		t.Errorf("got %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(index(8, 1, 2, 0), []byte("abcd"))
	f.Add(index(4, 1, 1, 4), make([]byte, 8))
	f.Add(index(7, 1, 1, 0), make([]byte, 8))
	f.Fuzz(func(t *testing.T, idx, bin []byte) {
		d := &Dataset{prefix: "x", data: filemap.FromBytes("x.bin", bin)}
		if d.parse(idx) != nil {
			return
		}
		ids := make([]int32, len(bin))
		for i := range d.Len() {
			d.Read(ids[:d.Size(i)], i)
		}
	})
}
