package torchfile

import (
	"encoding/json"
	"errors"
	"math"
	"math/big"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mega-go/mega/format/dtype"
	"github.com/mega-go/mega/format/filemap"
	"github.com/mega-go/mega/format/safetensors"
)

func openTest(t *testing.T, name string) *File {
	t.Helper()
	f, err := Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// cases pairs the checkpoints with the golden files of the same weights.
var cases = []struct {
	file, golden string
	dtype        dtype.DType // of weights that are floating-point
}{
	{"lm_enwik8_checkpoint_last.pt", "lm_enwik8", dtype.F32},
	{"lra_text_legacy.pt", "lra_text", dtype.F32},
	{"lra_text_fp16.pt", "lra_text", dtype.F16},
	{"speech_commands.pt", "speech_commands", dtype.F32},
}

// TestWeightsAreTheReferences compares every weight bit for bit.
func TestWeightsAreTheReferences(t *testing.T) {
	for _, c := range cases {
		want, err := safetensors.Open(filepath.Join("../../testdata/golden", c.golden, "model.safetensors"))
		if err != nil {
			t.Fatal(err)
		}
		defer want.Close()
		got, err := NewStateDict(get(openTest(t, c.file).Root(), "model"))
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Names()) != len(want.Names()) {
			t.Errorf("%s: %d tensors, want %d", c.file, len(got.Names()), len(want.Names()))
		}
		for _, name := range got.Names() {
			checkTensor(t, got, want, name, c.dtype)
		}
	}
}

func checkTensor(t *testing.T, got *StateDict, want *safetensors.Reader, name string, d dtype.DType) {
	t.Helper()
	info, ok := want.Info(name)
	shape, _ := got.Shape(name)
	if !ok || !slices.Equal(shape, info.Shape) {
		t.Fatalf("%s: shape %v, want %v", name, shape, info.Shape)
	}
	if info.DType == dtype.I64 {
		a, err1 := got.Int64Scalar(name)
		b, err2 := want.Int64Scalar(name)
		if err1 != nil || err2 != nil || a != b {
			t.Errorf("%s: %d, want %d, %v %v", name, a, b, err1, err2)
		}
		return
	}
	a, b := make([]float32, info.Elements()), make([]float32, info.Elements())
	if err := errors.Join(got.Float32Into(name, a), want.Float32Into(name, b)); err != nil {
		t.Fatal(err)
	}
	narrow, err := dtype.FromFloat32s(d, b)
	if err != nil {
		t.Fatal(err)
	}
	tensor, _ := got.Tensor(name)
	if data, err := tensor.Bytes(); err != nil || string(data) != string(narrow) || tensor.DType() != d {
		t.Errorf("%s: other numbers, %v", name, err)
	}
	if d == dtype.F32 && !slices.EqualFunc(a, b, func(x, y float32) bool { return math.Float32bits(x) == math.Float32bits(y) }) {
		t.Errorf("%s: other float32 numbers", name)
	}
}

// TestArgumentsAreTheReferences compares the namespaces with their JSON form.
func TestArgumentsAreTheReferences(t *testing.T) {
	for _, c := range cases {
		data, err := os.ReadFile(filepath.Join("../../testdata/golden", c.golden, "args.json"))
		if err != nil {
			t.Fatal(err)
		}
		var want any
		if err := json.Unmarshal(data, &want); err != nil {
			t.Fatal(err)
		}
		ns, ok := get(openTest(t, c.file).Root(), "args").(*Namespace)
		if !ok {
			t.Fatalf("%s: args is no namespace", c.file)
		}
		again, err := json.Marshal(Plain(ns))
		if err != nil {
			t.Fatal(err)
		}
		var got any
		if err := json.Unmarshal(again, &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s:\n%s", c.file, diff)
		}
	}
}

// TestTrainingState reads what a resumed run needs.
func TestTrainingState(t *testing.T) {
	root := openTest(t, "lm_enwik8_checkpoint_last.pt").Root()
	if n := get(root, "last_optimizer_state", "state", 46, "step"); n != int64(120) {
		t.Errorf("step is %v", n)
	}
	want := `{"epoch":1,"iterations_in_epoch":120,"shuffle":true,"version":2}`
	if got, err := json.Marshal(Plain(get(root, "extra_state", "train_iterator"))); err != nil || string(got) != want {
		t.Errorf("train_iterator is %s, %v, want %s", got, err, want)
	}
	meters, ok := get(root, "extra_state", "metrics", "default").(*List)
	if !ok || len(meters.Items) != 11 || meters.Items[0].(Tuple)[2] != "AverageMeter" {
		t.Errorf("metrics are %v", meters)
	}
}

func TestEveryKindOfValue(t *testing.T) {
	want := make(map[string]string)
	for key, value := range wantValues().All() {
		want[describe(key)] = describe(value)
	}
	for _, name := range []string{"values.pt", "values_protocol4.pt", "values_legacy.pt"} {
		got := make(map[string]string)
		for key, value := range openTest(t, name).Root().(*Dict).All() {
			got[describe(key)] = describe(value)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// wantValues is what testdata/values.py saves.
func wantValues() *Dict {
	power := func(n uint, sign int64) *big.Int { return new(big.Int).Lsh(big.NewInt(sign), n) }
	half := func(bits ...uint16) *Storage { return NewStorage(dtype.F16, dtype.Bytes(bits)) }
	base := Of([]int{3, 4}, []float32{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11})
	view := func(offset int, shape, stride []int) *Tensor {
		return &Tensor{Storage: base.Storage, Offset: offset, Shape: shape, Stride: stride}
	}
	o := ordered("b", int64(1), "a", int64(2))
	o.Attributes = dict("_metadata", ordered("", dict("version", int64(1))))
	parameter, frozen := Of([]int{2}, []float32{1, 2}), Of([]int{1}, []float32{3})
	parameter.Parameter, parameter.RequiresGrad, frozen.Parameter = true, true, true
	columns := Of([]int{6}, []int16{1, 4, 2, 5, 3, 6})
	columns.Shape, columns.Stride = []int{2, 3}, []int{1, 2}
	return dict(
		"none", nil,
		"bools", Tuple{true, false},
		"ints", list(int64(0), int64(255), int64(256), int64(65535), int64(65536), int64(-1), int64(math.MinInt32), int64(1<<31),
			int64(1<<62), int64(math.MinInt64), power(63, 1), power(70, -1)),
		"floats", list(1.5, math.Copysign(0, -1), 1e300, math.Inf(1)),
		"strings", list("", "text", "π ≈ 3", "text"),
		"bytes", list([]byte{}, []byte("ab\xff\x00"), []byte("cd")),
		"sets", list(&Set{Items: []any{int64(7)}}, &Set{Items: []any{"x"}, Frozen: true}),
		"tuples", Tuple{Tuple{}, Tuple{int64(1)}, Tuple{int64(1), int64(2)}, Tuple{int64(1), int64(2), int64(3)},
			Tuple{int64(1), int64(2), int64(3), int64(4)}},
		"nested", dict("list", list(list(int64(1)), dict(2, list(int64(3))))),
		3, "int key",
		"ordered", o,
		"namespace", &Namespace{dict("lr", list(0.1), "arch", "mega", "none", nil)},
		"empty_namespace", &Namespace{dict()},
		"meter", &Object{"fairseq.meters.AverageMeter", dict("val", 2.0, "avg", 1.5, "sum", 3.0, "count", int64(2))},
		"size", Tuple{int64(2), int64(3)},
		"devices", list(Device("cpu"), Device("cuda:1")),
		"dtypes", list(dtype.F16, dtype.I64, dtype.Bool),
		"scalars", list(0.1, 0.5, 0.25, int64(-3), int64(200), true),
		"arrays", dict(
			"rows", Of([]int{2, 3}, []float32{1, 2, 3, 4, 5, 6}),
			"columns", columns,
			"empty", Of([]int{0, 2}, []float64{}),
		),
		"tensors", dict(
			"float32", base,
			"transposed", view(0, []int{4, 3}, []int{1, 4}),
			"column", view(1, []int{3}, []int{4}),
			"steps", view(0, []int{2, 2}, []int{8, 3}),
			"scalar", Of(nil, []float32{4.5}),
			"empty", Of([]int{0, 3}, []float32{}),
			"parameter", parameter,
			"frozen", frozen,
			"float64", Of([]int{1}, []float64{0.1}),
			"float16", NewTensor(half(0x2e66, 0x7bff), []int{2}),
			"bfloat16", NewTensor(bfloat16s, []int{2}),
			"int64", Of([]int{1, 2}, []int64{math.MinInt64, math.MaxInt64}),
			"int32", Of([]int{1}, []int32{-5}),
			"int16", Of([]int{1}, []int16{-6}),
			"int8", Of([]int{1}, []int8{-7}),
			"uint8", Of([]int{1}, []uint8{200}),
			"bool", Of([]int{2}, []bool{true, false}),
		),
	)
}

func TestStridedTensors(t *testing.T) {
	tensors := get(openTest(t, "values.pt").Root(), "tensors")
	for name, want := range map[string][]float32{
		"transposed": {0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11},
		"column":     {1, 5, 9},
		"steps":      {0, 3, 8, 11},
		"scalar":     {4.5},
		"empty":      {},
		"float64":    {0.1},
	} {
		got, err := get(tensors, name).(*Tensor).Float32()
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, %v, want %v", name, got, err, want)
		}
	}
	if got, err := get(tensors, "int8").(*Tensor).Int64(); err != nil || !slices.Equal(got, []int64{-7}) {
		t.Errorf("int8: %v, %v", got, err)
	}
}

// TestRunsOfRandomStrides compares with the definition of a strided tensor.
func TestRunsOfRandomStrides(t *testing.T) {
	values := make([]int32, 3*4*5*2)
	for i := range values {
		values[i] = int32(i)
	}
	storage := Of([]int{len(values)}, values).Storage
	for _, c := range []Tensor{
		{Shape: []int{3, 4, 5}, Stride: []int{40, 10, 2}},
		{Shape: []int{5, 3, 4}, Stride: []int{2, 40, 10}, Offset: 1},
		{Shape: []int{3, 1, 5, 1}, Stride: []int{40, 7, 2, 9}},
		{Shape: []int{2, 3, 2}, Stride: []int{1, 2, 0}},
	} {
		c.Storage = storage
		if err := c.check(); err != nil {
			t.Fatal(err)
		}
		var want []int64
		for i := range c.Elements() {
			at, rest := c.Offset, i
			for axis := len(c.Shape) - 1; axis >= 0; axis-- {
				at += rest % c.Shape[axis] * c.Stride[axis]
				rest /= c.Shape[axis]
			}
			want = append(want, int64(at))
		}
		if got, err := c.Int64(); err != nil || !slices.Equal(got, want) {
			t.Errorf("shape %v strides %v: %v, %v, want %v", c.Shape, c.Stride, got, err, want)
		}
	}
}

func TestConversionErrors(t *testing.T) {
	s, err := NewStateDict(dict("f", Of([]int{2}, []float32{1, 2}), "i", Of([]int{1}, []int64{1})))
	if err != nil {
		t.Fatal(err)
	}
	_, absent := s.Int64Scalar("x")
	_, float := s.Int64Scalar("f")
	for want, err := range map[string]error{
		`no tensor "x"`: absent,
		`tensor "f": shape [2] is 2 elements, want 1`:                      float,
		`tensor "f": shape [2] is 2 elements, want 3`:                      s.Float32Into("f", make([]float32, 3)),
		`tensor "i": memory: elements are I64, want F32, F16, BF16 or F64`: s.Float32Into("i", make([]float32, 1)),
	} {
		if err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
	for want, v := range map[string]any{
		"list, want a dict of tensors":  list(),
		"3 is not the name of a tensor": dict(3, nil),
		`"a" is None, want a tensor`:    dict("a", nil),
	} {
		if _, err := NewStateDict(v); err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

func TestClosedFile(t *testing.T) {
	f := openTest(t, "speech_commands.pt")
	s, err := NewStateDict(get(f.Root(), "model"))
	if err != nil {
		t.Fatal(err)
	}
	tensor, _ := s.Tensor(s.Names()[0])
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := tensor.Float32(); !errors.Is(err, filemap.ErrClosed) {
		t.Errorf("reading after Close: %v", err)
	}
}

func TestFloat32IntoDoesNotAllocate(t *testing.T) {
	s, err := NewStateDict(get(openTest(t, "speech_commands.pt").Root(), "model"))
	if err != nil {
		t.Fatal(err)
	}
	name := s.Names()[0]
	tensor, _ := s.Tensor(name)
	dst := make([]float32, tensor.Elements())
	if n := testing.AllocsPerRun(100, func() { err = s.Float32Into(name, dst) }); n > 0 || err != nil {
		t.Errorf("%v allocations, %v", n, err)
	}
}

func TestOtherFilesAreNamed(t *testing.T) {
	for want, data := range map[string]string{
		"the file is empty":           "",
		"safetensors":                 "\x02\x00\x00\x00\x00\x00\x00\x00{}",
		"a web page":                  "<!DOCTYPE html>",
		"gzip":                        "\x1f\x8b\x08",
		"Git LFS":                     "version https://git-lfs.github.com/spec/v1",
		"tar archive":                 strings.Repeat("\x00", 257) + "ustar\x0000",
		"not a file of torch.save":    "hello",
		"does not begin with torch's": "\x80\x02K\x01.",
	} {
		if _, err := Parse([]byte(data)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
	path := filepath.Join(t.TempDir(), "absent.pt")
	if _, err := Open(path); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), path) {
		t.Errorf("an absent file: %v", err)
	}
}

func TestPlain(t *testing.T) {
	got := Plain(dict("a", Tuple{int64(1), list("x")}, 2, &Namespace{dict("n", nil)}, "s", &Set{Items: []any{true}}, "o", &Object{State: dict("v", 1.5)}))
	want := map[string]any{"a": []any{int64(1), []any{"x"}}, "2": map[string]any{"n": nil}, "s": []any{true}, "o": map[string]any{"v": 1.5}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%#v, want %#v", got, want)
	}
}

func TestDict(t *testing.T) {
	d := &Dict{}
	for i := range 100 {
		d.Set(i, i)
		d.Set(string(rune('a'+i%26)), i)
	}
	d.Set(7, "seven")
	if v, ok := d.Get(int64(7)); d.Len() != 126 || v != "seven" || !ok {
		t.Errorf("%d entries, 7 is %v", d.Len(), v)
	}
	if v, ok := d.Get("missing"); v != nil || ok {
		t.Errorf("a missing key is %v", v)
	}
	next := int64(0)
	for key := range d.All() {
		if i, ok := key.(int64); ok && i != next {
			t.Fatalf("key %d, want %d", i, next)
		} else if ok {
			next++
		}
	}
}
