package safetensors

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mega-go/mega/format/dtype"
	"pgregory.net/rapid"
)

// file builds a file of a header's text and n bytes of data.
func file(header string, n int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), make([]byte, n)...)
}

// one is a header's entry for a tensor.
func one(name, dtype, shape, offsets string) string {
	return fmt.Sprintf(`%q:{"dtype":%q,"shape":%s,"data_offsets":%s}`, name, dtype, shape, offsets)
}

func encode(t interface{ Fatal(...any) }, tensors []Tensor, metadata map[string]string) []byte {
	var buf bytes.Buffer
	if err := Encode(&buf, tensors, metadata); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// TestOpensWhatTheReferenceWrote reads files of the official library.
func TestOpensWhatTheReferenceWrote(t *testing.T) {
	paths, err := filepath.Glob("../../testdata/golden/*/*.safetensors")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	for _, path := range paths {
		r, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		total := 0
		for _, name := range r.Names() {
			raw, err := r.Raw(name)
			if err != nil {
				t.Fatal(err)
			}
			total += len(raw)
		}
		if len(r.Names()) == 0 || int64(total) != r.file.Size()-r.data {
			t.Errorf("%s: %d tensors of %d bytes in all", path, len(r.Names()), total)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestConversions(t *testing.T) {
	half, err := dtype.FromFloat32s(dtype.F16, []float32{1, -2.5, 0})
	if err != nil {
		t.Fatal(err)
	}
	data := encode(t, []Tensor{
		Of("f32", []int{2, 2}, []float32{1, 2, 3, 4}),
		Of("f64", []int{1}, []float64{0.5}),
		{Name: "f16", DType: dtype.F16, Shape: []int{3}, Data: half},
		Of("i64", nil, []int64{-7}),
		Of("bool", []int{2}, []bool{true, false}),
		Of("empty", []int{0, 5}, []int32{}),
	}, map[string]string{"format": "pt"})
	r, err := Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for name, want := range map[string][]float32{"f32": {1, 2, 3, 4}, "f64": {0.5}, "f16": {1, -2.5, 0}} {
		if got, err := r.Float32(name); err != nil || !slices.Equal(got, want) {
			t.Errorf("Float32(%s) = %v, %v, want %v", name, got, err, want)
		}
	}
	for name, want := range map[string][]int64{"i64": {-7}, "bool": {1, 0}, "empty": {}} {
		if got, err := r.Int64(name); err != nil || !slices.Equal(got, want) {
			t.Errorf("Int64(%s) = %v, %v, want %v", name, got, err, want)
		}
	}
	if v, err := r.Int64Scalar("i64"); v != -7 || err != nil {
		t.Errorf("Int64Scalar = %v, %v", v, err)
	}
	if diff := cmp.Diff(map[string]string{"format": "pt"}, r.Metadata()); diff != "" {
		t.Error(diff)
	}
	if info, ok := r.Info("f64"); !ok || info.Start%8 != 0 || (int(r.data)+int(info.Start))%8 != 0 {
		t.Errorf("f64 lies at %+v of %d", info, r.data)
	}
}

func TestConversionErrorsNameFileAndTensor(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.safetensors")
	tensors := []Tensor{Of("w", []int{2}, []float32{1, 2}), Of("n", []int{2}, []int64{1, 2})}
	if err := Write(path, tensors, nil); err != nil {
		t.Fatal(err)
	}
	r, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	_, absent := r.Raw("x")
	_, floats := r.Float32("n")
	_, ints := r.Int64("w")
	_, scalar := r.Int64Scalar("n")
	for _, c := range []struct {
		err  error
		want string
	}{
		{absent, `no tensor "x"`},
		{floats, `tensor "n": elements are I64, want F32, F16, BF16 or F64`},
		{ints, `tensor "w": elements are F32, want an integer type or BOOL`},
		{scalar, `tensor "n": shape [2] is 2 elements, want 1`},
		{r.Float32Into("w", make([]float32, 3)), `tensor "w": shape [2] is 2 elements, want 3`},
	} {
		if c.err == nil || c.err.Error() != path+": "+c.want {
			t.Errorf("error %v, want %s", c.err, c.want)
		}
	}
}

func TestFloat32IntoDoesNotAllocate(t *testing.T) {
	dst := make([]float32, 1000)
	r, err := Parse(encode(t, []Tensor{Of("w", []int{10, 100}, dst)}, nil))
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() {
		if err := r.Float32Into("w", dst); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestRoundTrip writes and reads random sets of tensors.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOfNDistinct(rapid.String().Filter(func(s string) bool { return s != metadataKey }), 0, 6, rapid.ID).Draw(t, "names")
		var tensors []Tensor
		for _, name := range names {
			d := dtype.DType(rapid.IntRange(int(dtype.Bool), int(dtype.F64)).Draw(t, "dtype"))
			shape := rapid.SliceOfN(rapid.IntRange(0, 4), 0, 4).Draw(t, "shape")
			n := d.Size()
			for _, s := range shape {
				n *= s
			}
			tensors = append(tensors, Tensor{Name: name, DType: d, Shape: shape, Data: rapid.SliceOfN(rapid.Byte(), n, n).Draw(t, "data")})
		}
		metadata := rapid.MapOfN(rapid.String(), rapid.String(), 0, 3).Draw(t, "metadata")
		r, err := Parse(encode(t, tensors, metadata))
		if err != nil {
			t.Fatal(err)
		}
		if !cmp.Equal(r.Metadata(), metadata) || len(r.Names()) != len(tensors) {
			t.Fatalf("metadata %v, names %q", r.Metadata(), r.Names())
		}
		for _, want := range tensors {
			info, ok := r.Info(want.Name)
			raw, err := r.Raw(want.Name)
			if !ok || err != nil || info.DType != want.DType || !slices.Equal(info.Shape, want.Shape) || !bytes.Equal(raw, want.Data) {
				t.Fatalf("%q: %+v %v %v, want %+v", want.Name, info, raw, err, want)
			}
		}
	})
}

func TestHeaderIsTheFormats(t *testing.T) {
	got := encode(t, []Tensor{Of("<b>", []int{1}, []uint8{7}), Of("a", nil, []int64{1})}, map[string]string{"k": "v"})
	header := `{"__metadata__":{"k":"v"},"a":{"dtype":"I64","shape":[],"data_offsets":[0,8]},"<b>":{"dtype":"U8","shape":[1],"data_offsets":[8,9]}}`
	header += strings.Repeat(" ", (8-len(header)%8)%8)
	want := append(file(header, 0), 1, 0, 0, 0, 0, 0, 0, 0, 7)
	if !bytes.Equal(got, want) {
		t.Errorf("wrote\n%q, want\n%q", got, want)
	}
	if got, want := encode(t, nil, nil), file("{}      ", 0); !bytes.Equal(got, want) {
		t.Errorf("an empty file is %q, want %q", got, want)
	}
}

// TestFill writes tensors that share memory, and stops at the first that cannot be had.
func TestFill(t *testing.T) {
	memory := make([]float32, 2)
	tensors := []Tensor{Of("a", []int{2}, memory), Of("b", []int{1}, memory[:1]), Of("c", []int{2}, memory)}
	filled := 0
	for i := range tensors {
		tensors[i].Fill = func() error {
			filled++
			memory[0], memory[1] = float32(10*i), float32(10*i+1)
			return nil
		}
	}
	want := encode(t, []Tensor{Of("a", []int{2}, []float32{0, 1}), Of("b", []int{1}, []float32{10}), Of("c", []int{2}, []float32{20, 21})}, nil)
	if got := encode(t, tensors, nil); !bytes.Equal(got, want) || filled != 3 {
		t.Errorf("%d tensors were filled, and the file is %q, want %q", filled, got, want)
	}
	gone := errors.New("gone")
	tensors[1].Fill = func() error { return gone }
	if err := Encode(io.Discard, tensors, nil); !errors.Is(err, gone) || filled != 4 {
		t.Errorf("%v after %d tensors, want %v after one more", err, filled, gone)
	}
}

func TestWriteRefuses(t *testing.T) {
	f := []float32{1}
	for _, c := range []struct {
		tensors []Tensor
		want    string
	}{
		{[]Tensor{Of("a", nil, f), Of("a", nil, f)}, `tensor "a": the name comes twice`},
		{[]Tensor{Of(metadataKey, nil, f)}, "keeps this name"},
		{[]Tensor{Of("\xff", nil, f)}, "not UTF-8"},
		{[]Tensor{Of("a", []int{2}, f)}, "hold 4 bytes, want 8 for F32 of shape [2]"},
		{[]Tensor{Of("a", []int{-1}, f)}, "negative dimension"},
		{[]Tensor{{Name: "a"}}, "no dtype"},
	} {
		path := filepath.Join(t.TempDir(), "m")
		if err := Write(path, c.tensors, nil); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %s", err, c.want)
		}
		if _, err := os.Stat(path); err == nil {
			t.Error("a refused file was written")
		}
	}
	if err := Encode(&bytes.Buffer{}, nil, map[string]string{"a": "\xff"}); err == nil {
		t.Error("metadata that is not UTF-8 was written")
	}
}

func TestRefusesBrokenFiles(t *testing.T) {
	a := one("a", "F32", "[2]", "[0,8]")
	for _, c := range []struct {
		name, header string
		data         int
		want         string
	}{
		{"not an object", `[]`, 0, "begins with \"[\", want '{'"},
		{"empty header", ``, 0, "begins with"},
		{"space first", ` {}`, 0, "begins with"},
		{"not UTF-8", "{\"\xff\":1}", 0, "not UTF-8"},
		{"not JSON", `{a}`, 0, "invalid character"},
		{"unfinished", `{` + a, 8, "EOF"},
		{"two objects", `{} {}`, 0, "nothing but spaces"},
		{"padding", "{}\n", 0, "nothing but spaces"},
		{"duplicate name", `{` + a + `,` + a + `}`, 8, `the name "a" comes twice`},
		{"duplicate by escape", `{` + a + `,` + strings.Replace(a, `"a"`, `"\u0061"`, 1) + `}`, 8, "comes twice"},
		{"duplicate field", `{"a":{"dtype":"U8","dtype":"F32","shape":[],"data_offsets":[0,4]}}`, 4, "comes twice"},
		{"duplicate metadata", `{"__metadata__":{"x":"1","x":"2"}}`, 0, "comes twice"},
		{"metadata number", `{"__metadata__":{"x":1}}`, 0, "want a string"},
		{"metadata null", `{"__metadata__":null}`, 0, `want "{"`},
		{"missing field", `{"a":{"dtype":"F32","shape":[]}}`, 4, "a field is missing"},
		{"unknown field", `{"a":{"dtype":"F32","shape":[],"x":1}}`, 4, `unknown field "x"`},
		{"tensor is an array", `{"a":[]}`, 0, `want "{"`},
		{"dimensions", `{` + one("a", "U8", "["+strings.Repeat("1,", 64)+"1]", "[0,1]") + `}`, 1, `tensor "a": more than 64 numbers in a list`},
		{"three offsets", `{` + one("a", "U8", "[1]", "[0,1,1]") + `}`, 1, "more than 2 numbers in a list"},
		{"many notes", `{"__metadata__":{` + numbered(maxMetadata+1, `"%d":""`) + `}}`, 0, "more than 65536 names"},
		{"many tensors", `{` + numbered(maxTensors+1, one("%d", "U8", "[0]", "[0,0]")) + `}`, 0, "more than 131072 names"},
		{"dtype", `{` + one("a", "F4", "[2]", "[0,8]") + `}`, 8, `tensor "a": unknown dtype "F4"`},
		{"dtype number", `{"a":{"dtype":1}}`, 0, "want a string"},
		{"one offset", `{` + one("a", "U8", "[1]", "[0]") + `}`, 1, "have 1 numbers, want 2"},
		{"negative", `{` + one("a", "U8", "[-1]", "[0,1]") + `}`, 1, "not a whole number"},
		{"fraction", `{` + one("a", "U8", "[1.0]", "[0,1]") + `}`, 1, "not a whole number"},
		{"exponent", `{` + one("a", "U8", "[1e0]", "[0,1]") + `}`, 1, "not a whole number"},
		{"string for number", `{` + one("a", "U8", `["1"]`, "[0,1]") + `}`, 1, "not a whole number"},
		{"beyond 64 bits", `{` + one("a", "U8", "[18446744073709551616]", "[0,1]") + `}`, 1, "not a whole number"},
		{"nested", `{` + one("a", "U8", strings.Repeat("[", 100000), "[0,1]") + `}`, 1, "not a whole number"},
		{"overflow", `{` + one("a", "F32", "[4294967296,4294967296]", "[0,0]") + `}`, 0, "more elements than can be addressed"},
		{"overflow by size", `{` + one("a", "F64", "[2305843009213693952]", "[0,0]") + `}`, 0, "more elements"},
		{"terabytes", `{` + one("a", "F32", "[1099511627776]", "[0,4398046511104]") + `}`, 4, "end after the file's 4 bytes"},
		{"reversed", `{` + one("a", "F32", "[2]", "[8,0]") + `}`, 8, "end before they begin"},
		{"range against shape", `{` + one("a", "F32", "[3]", "[0,8]") + `}`, 8, "hold 8 bytes, want 12 for F32 of shape [3]"},
		{"hole first", `{` + one("a", "F32", "[2]", "[4,12]") + `}`, 12, "leave a hole: want a begin of 0"},
		{"hole", `{` + a + `,` + one("b", "U8", "[1]", "[9,10]") + `}`, 10, `tensor "b": data_offsets [9, 10] leave a hole`},
		{"overlap", `{` + a + `,` + one("b", "U8", "[2]", "[7,9]") + `}`, 9, "overlap the tensor before"},
		{"same range", `{` + a + `,` + one("b", "F32", "[2]", "[0,8]") + `}`, 8, "overlap"},
		{"data missing", `{` + a + `}`, 7, "is it truncated?"},
		{"data left", `{` + a + `}`, 9, "holds 9 bytes of data, want 8"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Parse(file(c.header, c.data))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %s", err, c.want)
			}
			if err != nil && len(err.Error()) > 400 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
		})
	}
}

// numbered repeats a text with a number in it.
func numbered(n int, format string) string {
	var out []string
	for i := range n {
		out = append(out, fmt.Sprintf(format, i))
	}
	return strings.Join(out, ",")
}

func TestRefusesLengths(t *testing.T) {
	for want, data := range map[string][]byte{
		"0 bytes are too few":                      {},
		"7 bytes are too few":                      make([]byte, 7),
		"more than the format's limit":             binary.LittleEndian.AppendUint64(nil, 1<<63),
		"claims 100000000 bytes, but 0 follow":     binary.LittleEndian.AppendUint64(nil, maxHeaderSize),
		"more than the format's limit of 10000000": binary.LittleEndian.AppendUint64(nil, maxHeaderSize+1),
	} {
		if _, err := Parse(data); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

func TestAcceptsOddButValidFiles(t *testing.T) {
	for name, data := range map[string][]byte{
		"nothing":            file("{}", 0),
		"padded":             file("{}      ", 0),
		"not in order":       file(`{`+one("b", "U8", "[1]", "[8,9]")+`,`+one("a", "F32", "[2]", "[0,8]")+`}`, 9),
		"empty in between":   file(`{`+one("b", "U8", "[1]", "[1,2]")+`,`+one("e", "F32", "[0]", "[1,1]")+`,`+one("a", "U8", "[]", "[0,1]")+`}`, 2),
		"spaces in the JSON": file(`{ "a" : { "shape" : [ ] , "data_offsets" : [ 0 , 2 ] , "dtype" : "BF16" } }`, 2),
	} {
		if _, err := Parse(data); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestDamagedFiles cuts a file at every byte and flips every bit of its header:
// a cut is always an error, and nothing panics.
func TestDamagedFiles(t *testing.T) {
	data := encode(t, []Tensor{Of("a", []int{2}, []float32{1, 2}), Of("b", []int{3}, []uint8{1, 2, 3})}, map[string]string{"k": "v"})
	for n := range data {
		if _, err := Parse(data[:n]); err == nil {
			t.Fatalf("cut to %d of %d bytes it opens", n, len(data))
		}
	}
	for i := range 8 * (len(data) - 11) {
		data[i/8] ^= 1 << (i % 8)
		if r, err := Parse(data); err == nil {
			readAll(r)
		}
		data[i/8] ^= 1 << (i % 8)
	}
}

func readAll(r *Reader) {
	for _, name := range r.Names() {
		r.Raw(name)
		r.Float32(name)
		r.Int64(name)
	}
}

// TestMemoryIsBoundedByTheFile opens the most expensive headers of a mebibyte.
func TestMemoryIsBoundedByTheFile(t *testing.T) {
	var entries []string
	for i := range 18000 {
		entries = append(entries, one(fmt.Sprint(i), "U8", "[0]", "[0,0]"))
	}
	for name, header := range map[string]string{
		"many tensors":    `{` + strings.Join(entries, ",") + `}`,
		"many dimensions": `{` + one("a", "U8", "["+strings.Repeat("1,", 500000)+"1]", "[0,1]") + `}`,
		"long name":       `{` + one(strings.Repeat("x", 1<<20), "U8", "[]", "[0,1]") + `}`,
		"metadata":        `{"__metadata__":{` + strings.Repeat(`"a":"",`, 150000) + `}}`,
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := Parse(file(header, 1))
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; used > 128<<20 {
			t.Errorf("%s: allocated %d MiB, %v", name, used>>20, err)
		}
	}
}

func FuzzHeader(f *testing.F) {
	f.Add([]byte(`{}`), 0)
	f.Add([]byte(`{"__metadata__":{"format":"pt"},`+one("a", "F32", "[2]", "[0,8]")+`}  `), 8)
	f.Add([]byte(`{`+one("b", "U8", "[1]", "[8,9]")+`,`+one("a", "I64", "[]", "[0,8]")+`}`), 9)
	f.Fuzz(func(t *testing.T, header []byte, n int) {
		if n < 0 || n > 1<<16 {
			return
		}
		r, err := Parse(file(string(header), n))
		if err != nil {
			return
		}
		readAll(r)
		var tensors []Tensor
		for _, name := range r.Names() {
			info, _ := r.Info(name)
			raw, err := r.Raw(name)
			if err != nil {
				t.Fatal(err)
			}
			tensors = append(tensors, Tensor{Name: name, DType: info.DType, Shape: info.Shape, Data: raw})
		}
		if _, err := Parse(encode(t, tensors, r.Metadata())); err != nil {
			t.Fatalf("what was read cannot be written and read again: %v", err)
		}
	})
}
