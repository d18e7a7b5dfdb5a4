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
		Uint32: {0, math.MaxInt32}, Uint64: {0, math.MaxInt32},
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
	for dtype, id := range map[DType]int32{Uint8: 256, Int8: -129, Int16: 32768, Uint16: -1, Uint32: -1, Uint64: -1} {
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

// oldFiles returns the two files that fairseq's IndexedDatasetBuilder writes of
// the sequences 4 5 2 and 7 2.
func oldFiles() (idx []byte, bin string) {
	idx = []byte("TNTIDX\x00\x00")
	for _, v := range []uint64{1, 4, 4, 2, 2, 0, 1, 2, 0, 3, 5, 3, 2} {
		idx = binary.LittleEndian.AppendUint64(idx, v)
	}
	return idx, "\x05\x00\x00\x00\x06\x00\x00\x00\x03\x00\x00\x00\x08\x00\x00\x00\x03\x00\x00\x00"
}

// TestCached: the older format is read and written, in fairseq's bytes.
func TestCached(t *testing.T) {
	want := [][]int32{{4, 5, 2}, {7, 2}}
	prefix := filepath.Join(t.TempDir(), "x")
	w, err := CreateCached(prefix)
	if err != nil {
		t.Fatal(err)
	}
	for _, ids := range want {
		if err := w.Add(ids); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	idx, bin := oldFiles()
	gotIdx, _ := os.ReadFile(prefix + ".idx")
	gotBin, _ := os.ReadFile(prefix + ".bin")
	if !bytes.Equal(gotIdx, idx) || string(gotBin) != bin {
		t.Errorf("wrote %x and %x, want %x and %x", gotIdx, gotBin, idx, bin)
	}
	if got := read(t, open(t, prefix)); !slices.EqualFunc(got, want, slices.Equal) {
		t.Errorf("read %v, want %v", got, want)
	}
}

func TestOpenErrors(t *testing.T) {
	good := index(8, 1, 2, 0)
	old, oldData := oldFiles()
	patched := func(b []byte, at int, v uint64) string {
		b = bytes.Clone(b)
		binary.LittleEndian.PutUint64(b[at:], v)
		return string(b)
	}
	for _, c := range []struct {
		name, idx, bin, want string
	}{
		{"empty", "", "", "x.idx: the file is empty"},
		{"foreign", "NOTANINDEX", "", "x.idx: not an index of fairseq's mmap, cached or lazy format"},
		{"cut header", string(good[:20]), "abcd", "x.idx: 20 bytes, cut off inside the header of 26"},
		{"version", strings.Replace(string(good), "\x00\x01", "\x00\x02", 1), "abcd", "x.idx: version 2, want 1"},
		{"type", string(index(11, 1, 2, 0)), "abcd", "x.idx: unknown number type 11, want 1 to 10"},
		{"cut entries", string(good[:len(good)-1]), "abcd", "x.idx: claims 1 sequences, but 11 bytes of index hold 0"},
		{"too many", string(index(8, 1<<60, 2, 0)), "abcd", "x.idx: claims 1152921504606846976 sequences"},
		{"longer", string(good) + "\x00", "abcd", "x.idx: claims 1 sequences, but 13 bytes"},
		{"short data", string(good), "abc", "sequence 0 (2 tokens at byte 0) lies outside the 3 bytes of"},
		{"no data", string(good), "", "lies outside the 0 bytes of"},
		{"negative length", string(index(8, 1, -1, 0)), "abcd", "x.idx: sequence 0 has -1 tokens"},
		{"negative start", string(index(8, 1, 1, -2)), "abcd", "sequence 0 begins at byte -2, want 0"},
		{"far start", string(index(8, 1, 1, math.MaxInt64)), "abcd", "sequence 0 begins at byte 9223372036854775807"},
		{"longer data", string(good), "abcde", "x.bin has 5 bytes, but "},
		{"old, cut header", string(old[:47]), "", "x.idx: 47 bytes, cut off inside the header of 48"},
		{"old, cut", string(old[:len(old)-1]), oldData, "x.idx: claims 2 sequences of 2 sizes"},
		{"old, too many", patched(old, 32, 1<<61), oldData, "x.idx: claims 2305843009213693952 sequences"},
		{"old, type", patched(old, 16, 4+1<<32), oldData, "x.idx: number type 4294967300 of 4 bytes"},
		{"old, size of numbers", patched(old, 24, 8), oldData, "x.idx: number type 4 of 8 bytes"},
		{"old, two dimensions", patched(old, 56, 2), oldData, "the sizes of sequence 1 begin at 2"},
		{"old, overlap", patched(old, 80, 1), oldData, "sequence 1 begins at byte 4, want 12"},
		{"old, far start", patched(old, 80, 1<<62), oldData, "sequence 1 begins at byte 0, want 12"},
		{"old, far size", patched(old, 96, 1<<62), oldData, "lies outside the 20 bytes"},
		{"old, negative size", patched(old, 96, 1<<63), oldData, "sequence 0 has -9223372036854775808 tokens"},
		{"old, longer data", string(old), oldData + "more", "x.bin has 24 bytes, but "},
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
	old, oldData := oldFiles()
	f.Add(old, []byte(oldData))
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
