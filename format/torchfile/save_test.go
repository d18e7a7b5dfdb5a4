package torchfile

import (
	"archive/zip"
	"bytes"
	"errors"
	"math"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mega-go/mega/format/dtype"
	"pgregory.net/rapid"
)

func encode(t interface {
	Helper()
	Fatal(...any)
}, v any) []byte {
	t.Helper()
	var buf bytes.Buffer
	if err := Encode(&buf, v); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

var testFiles = []string{"values.pt", "values_protocol4.pt", "values_legacy.pt",
	"lm_enwik8_checkpoint_last.pt", "lra_text_fp16.pt", "lra_text_legacy.pt", "speech_commands.pt"}

// TestWrittenFilesReadTheSame saves what torch saved and opens it again.
func TestWrittenFilesReadTheSame(t *testing.T) {
	for _, name := range testFiles {
		root := openTest(t, name).Root()
		data := encode(t, root)
		again, err := Parse(data)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(describe(root), describe(again.Root())); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if !bytes.Equal(encode(t, again.Root()), data) {
			t.Errorf("%s: saved again, the bytes differ", name)
		}
	}
}

// TestTorchReadsWrittenFiles has PyTorch compare what it saved with what this
// package read and wrote. It needs Python, so it runs only where MEGA_TORCH
// names one with PyTorch 1.13.
func TestTorchReadsWrittenFiles(t *testing.T) {
	python := os.Getenv("MEGA_TORCH")
	if python == "" {
		t.Skip("MEGA_TORCH does not name a Python with PyTorch")
	}
	for _, name := range testFiles {
		path := filepath.Join(t.TempDir(), name)
		if err := Save(path, openTest(t, name).Root()); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(python, "testdata/compare.py", filepath.Join("testdata", name), path).CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

// TestArchiveIsTorchs checks the names, that entries are stored, aligned and
// checksummed, and that a shared storage is there once.
func TestArchiveIsTorchs(t *testing.T) {
	a := Of([]int{2, 2}, []float32{1, 2, 3, 4})
	row := &Tensor{Storage: a.Storage, Offset: 2, Shape: []int{2}, Stride: []int{1}}
	data := encode(t, dict("a", a, "row", row, "b", Of([]int{1}, []int64{5})))
	r, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range r.File {
		names = append(names, f.Name)
		off, err := f.DataOffset()
		if err != nil || off%alignment != 0 || f.Method != zip.Store || f.Flags&8 != 0 {
			t.Errorf("%s: at %d, method %d, flags %x, %v", f.Name, off, f.Method, f.Flags, err)
		}
		rc, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		var content bytes.Buffer
		if _, err := content.ReadFrom(rc); err != nil { // checks the CRC-32
			t.Errorf("%s: %v", f.Name, err)
		}
	}
	if want := []string{"archive/data.pkl", "archive/data/0", "archive/data/1", "archive/version"}; !slices.Equal(names, want) {
		t.Errorf("entries %q, want %q", names, want)
	}
	f, err := Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	x, y := get(f.Root(), "a").(*Tensor), get(f.Root(), "row").(*Tensor)
	if x.Storage != y.Storage {
		t.Error("the storage is no longer shared")
	}
	if got, err := y.Float32(); err != nil || !slices.Equal(got, []float32{3, 4}) {
		t.Errorf("row is %v, %v", got, err)
	}
}

// drawValue draws a random value of at most depth containers.
func drawValue(t *rapid.T, depth int) any {
	kinds := 14
	if depth == 0 {
		kinds = 9
	}
	items := func() []any {
		var out []any
		for range rapid.IntRange(0, 4).Draw(t, "items") {
			out = append(out, drawValue(t, depth-1))
		}
		return out
	}
	switch rapid.IntRange(0, kinds-1).Draw(t, "kind") {
	case 0:
		return nil
	case 1:
		return rapid.Bool().Draw(t, "bool")
	case 2:
		return rapid.Int64().Draw(t, "int")
	case 3:
		return rapid.Float64().Draw(t, "float")
	case 4:
		return rapid.String().Draw(t, "string")
	case 5:
		return rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")
	case 6:
		return Of([]int{2, 1}, []float32{rapid.Float32().Draw(t, "x"), 1})
	case 7:
		return Device("cpu")
	case 8:
		return new(big.Int).Lsh(big.NewInt(rapid.SampledFrom([]int64{-3, 1, 5}).Draw(t, "digit")), uint(rapid.IntRange(64, 2000).Draw(t, "bits")))
	case 9:
		return Tuple(items())
	case 10:
		return list(items()...)
	case 11:
		return &Set{Items: items(), Frozen: rapid.Bool().Draw(t, "frozen")}
	case 12:
		return &Namespace{drawDict(t, depth, rapid.String().AsAny())}
	}
	d := drawDict(t, depth, rapid.OneOf(rapid.String().AsAny(), rapid.Int64().AsAny()))
	if d.Ordered = rapid.Bool().Draw(t, "ordered"); d.Ordered && rapid.Bool().Draw(t, "with attributes") {
		d.Attributes = drawDict(t, depth, rapid.String().AsAny())
	}
	return d
}

func drawDict(t *rapid.T, depth int, keys *rapid.Generator[any]) *Dict {
	d := &Dict{}
	for range rapid.IntRange(0, 12).Draw(t, "entries") {
		d.Set(keys.Draw(t, "key"), drawValue(t, depth-1))
	}
	return d
}

func TestRoundTripOfRandomTrees(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := drawValue(t, 2)
		f, err := Parse(encode(t, v))
		if err != nil {
			t.Fatal(err)
		}
		if got, want := describe(f.Root()), describe(v); got != want {
			t.Fatalf("read\n%s, want\n%s", got, want)
		}
	})
}

func TestIntegersAroundTheirForms(t *testing.T) {
	var items []any
	for bits := range 64 {
		for _, d := range []int64{-1, 0, 1} {
			items = append(items, 1<<bits+d, -1<<bits+d)
		}
	}
	two := big.NewInt(2)
	for _, e := range []int64{64, 71, 72, 2000} {
		p := new(big.Int).Exp(two, big.NewInt(e), nil)
		items = append(items, p, new(big.Int).Neg(p), new(big.Int).Sub(p, two), new(big.Int).Sub(two, p))
	}
	f, err := Parse(encode(t, list(items...)))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := describe(f.Root()), describe(list(items...)); got != want {
		t.Errorf("read %s, want %s", got, want)
	}
}

func TestSharedPartsStayShared(t *testing.T) {
	inner := dict("x", 1)
	f, err := Parse(encode(t, list(inner, inner, Tuple{inner})))
	if err != nil {
		t.Fatal(err)
	}
	items := f.Root().(*List).Items
	if items[0] != items[1] || items[0] != items[2].(Tuple)[0] {
		t.Error("a dict that was shared is there more than once")
	}
}

func TestSaveRefuses(t *testing.T) {
	cycle := list()
	cycle.Items = []any{cycle}
	deep := any(nil)
	for range maxDepth + 1 {
		deep = list(deep)
	}
	for _, c := range []struct {
		name string
		v    any
		want string
	}{
		{"type", dict("a", uint8(1)), "uint8 is not a value"},
		{"cycle", cycle, "list contains itself"},
		{"depth", deep, "nested more than 64 deep"},
		{"string", "\xff", "not UTF-8"},
		{"in a dict", dict("a", dict("b", "\xff")), "a: b: the string"},
		{"class", &Object{Class: "os.system"}, "not on the list"},
		{"attribute", &Namespace{dict(1, nil)}, "an attribute called 1"},
		{"device", Device("\xff"), "not UTF-8"},
		{"dtype", dtype.U32, "torch has no type for U32"},
		{"storage", Of([]int{1}, []uint32{1}), "torch has no storage of U32"},
		{"integer", new(big.Int).Lsh(big.NewInt(1), 8*maxLong), "want at most 255"},
		{"tensor", &Tensor{Storage: bfloat16s, Shape: []int{3}, Stride: []int{1}}, "shape [3] is 3 elements, but the storage holds 2"},
	} {
		path := filepath.Join(t.TempDir(), "x.pt")
		if err := Save(path, c.v); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %s", c.name, err, c.want)
		}
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: a file was written", c.name)
		}
	}
}

func TestNewTensorPanicsOnMismatch(t *testing.T) {
	for name, f := range map[string]func(){
		"shape":   func() { Of([]int{3}, []float32{1, 2}) },
		"huge":    func() { Of([]int{math.MaxInt, math.MaxInt}, []float32{1, 2}) },
		"storage": func() { NewStorage(dtype.F32, make([]byte, 3)) },
		"key":     func() { (&Dict{}).Set(1.5, nil) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
}
