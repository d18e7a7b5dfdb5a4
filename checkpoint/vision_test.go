package checkpoint

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mega-go/mega"
	"github.com/mega-go/mega/format/torchfile"
)

// visionState returns the state_dict of the golden model, names under a prefix.
func visionState(t *testing.T, prefix string) *torchfile.Dict {
	state := &torchfile.Dict{Ordered: true}
	m, err := openTest(t, goldenDir("imagenet")).Vision()
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range m.Params().All() {
		state.Set(prefix+q.Name, torchfile.Of(q.Shape(), q.Value().Data()))
	}
	return state
}

// TestDeiTCheckpoints opens what mega-image's training writes: the configuration
// comes from the weights and the arguments, and a .pth through the native form and
// back has the same arguments.
func TestDeiTCheckpoints(t *testing.T) {
	deit := namespace(map[string]any{
		"model": "mega_tiny_patch16_224", "input_size": int64(32), "nb_classes": int64(12), "drop": 0.1, "drop_path": 0.3, "seed": int64(42),
	})
	dir := t.TempDir()
	path, native, back := filepath.Join(dir, "a.pth"), filepath.Join(dir, "b"), filepath.Join(dir, "c.pth")
	root := dict("model", visionState(t, "module."), "args", deit, "optimizer", dict("state", dict()), "epoch", 7)
	if err := torchfile.Save(path, root); err != nil {
		t.Fatal(err)
	}
	want := mega.VisionConfig{
		Arch: "mega_tiny_patch16_224", Seed: 42, ImgSize: 32, PatchSize: 8, PatchImpl: mega.PatchConv, NumClasses: 12,
		Depth: 2, EmbedDim: 24, HiddenDim: 40, FFNHiddenDim: 36, ZDim: 16, NDim: 16, NormType: "layernorm", DropRate: 0.1, DropPathRate: 0.3,
	}
	saveTest(t, path, native, SaveOptions{})
	saveTest(t, native, back, SaveOptions{})
	for _, p := range []string{path, native, back} {
		m, err := openTest(t, p).Vision()
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, m.Config()); d != "" {
			t.Errorf("%s: %s", p, d)
		}
		if d := cmp.Diff(numbersIn(t, goldenDir("imagenet")), numbersIn(t, p)); d != "" {
			t.Errorf("%s: other weights", p)
		}
		if args := openTest(t, p).Args; args["drop_path"] != 0.3 || args["input_size"] != int64(32) {
			t.Errorf("%s: arguments %v", p, args)
		}
	}
	whole, alone := filepath.Join(dir, "d.pth"), filepath.Join(dir, "e.pth")
	saveTest(t, path, whole, SaveOptions{})
	saveTest(t, path, alone, SaveOptions{ModelOnly: true})
	for p, keys := range map[string][]string{whole: {"model", "args", "optimizer", "epoch"}, alone: {"model", "args", "epoch"}} {
		if got := keysOf(openTest(t, p).root); !slices.Equal(got, keys) {
			t.Errorf("%s holds %q, want %q", p, got, keys)
		}
	}
}

// TestBareVision opens a state_dict alone, whatever the shape of its patches' weight
// and the type of its norms.
func TestBareVision(t *testing.T) {
	for _, c := range []mega.VisionConfig{
		{PatchImpl: mega.PatchLinear, NormType: "batchnorm"}, {PatchImpl: mega.PatchConv, NormType: "scalenorm", NoPosEmb: true},
		{PatchImpl: mega.PatchConv, NormType: "rmsnorm"},
	} {
		c.Seed, c.ImgSize, c.PatchSize, c.NumClasses, c.Depth, c.EmbedDim, c.HiddenDim, c.ZDim, c.NDim = 1, 15, 5, 3, 3, 6, 7, 4, 2
		m, err := mega.NewVision(c)
		if err != nil {
			t.Fatal(err)
		}
		state := &torchfile.Dict{}
		for _, q := range m.Params().All() {
			state.Set(q.Name, torchfile.Of(q.Shape(), q.Value().Data()))
		}
		for _, b := range m.Params().Buffers() {
			state.Set(b.Name, torchfile.Of(b.Shape(), b.Data()))
		}
		for _, n := range m.Params().Counters() {
			state.Set(n.Name, torchfile.Of(nil, []int64{n.Value}))
		}
		path := filepath.Join(t.TempDir(), "x.pth")
		if err := torchfile.Save(path, state); err != nil {
			t.Fatal(err)
		}
		got, err := openTest(t, path).Vision()
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(c, got.Config()); d != "" {
			t.Error(d)
		}
	}
}

// TestModelEMAOfDeiT: model_ema of a .pth is what UseModelEMA takes, and a file
// without it says so.
func TestModelEMAOfDeiT(t *testing.T) {
	averages := visionState(t, "module.")
	head, _ := averages.Get("module.head.bias")
	bias := slices.Repeat([]float32{0.25}, head.(*torchfile.Tensor).Shape[0])
	averages.Set("module.head.bias", torchfile.Of(head.(*torchfile.Tensor).Shape, bias))
	path := filepath.Join(t.TempDir(), "a.pth")
	if err := torchfile.Save(path, dict("model", visionState(t, ""), "model_ema", averages)); err != nil {
		t.Fatal(err)
	}
	c := openTest(t, path)
	if err := c.UseModelEMA(); err != nil {
		t.Fatal(err)
	}
	m, err := c.Vision()
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range m.Params().All() {
		if q.Name == "head.bias" && !slices.Equal(q.Value().Data(), bias) {
			t.Errorf("%s is %v, want the average", q.Name, q.Value().Data())
		}
	}
	for _, none := range []any{dict("model", visionState(t, "")), dict("model", visionState(t, ""), "model_ema", nil)} {
		if err := torchfile.Save(path, none); err != nil {
			t.Fatal(err)
		}
		if err := openTest(t, path).UseModelEMA(); err == nil || !strings.Contains(err.Error(), "no averages") {
			t.Errorf("error %v", err)
		}
	}
	for _, wrong := range []any{"x", dict("head.bias", 3)} {
		if err := torchfile.Save(path, dict("model", visionState(t, ""), "model_ema", wrong)); err != nil {
			t.Fatal(err)
		}
		if err := openTest(t, path).UseModelEMA(); err == nil || !strings.Contains(err.Error(), "model_ema: ") {
			t.Errorf("error %v", err)
		}
	}
}
