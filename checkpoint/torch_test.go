package checkpoint

import (
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mega-go/mega/format/torchfile"
)

// rootOf returns the value in a file of torch.save.
func rootOf(t testing.TB, path string) *torchfile.Dict {
	t.Helper()
	f, err := torchfile.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f.Root().(*torchfile.Dict)
}

// stateOfGolden returns the weights of a golden case under other names.
func stateOfGolden(t testing.TB, name string, rename func(string) string) *torchfile.Dict {
	t.Helper()
	w := openTest(t, goldenDir(name)).Weights
	d := &torchfile.Dict{Ordered: true}
	for _, name := range w.Names() {
		shape, _ := w.Shape(name)
		if count, err := w.Int64Scalar(name); err == nil {
			d.Set(rename(name), torchfile.Of(shape, []int64{count}))
			continue
		}
		x, err := numbersOf(w, name)
		if err != nil {
			t.Fatal(err)
		}
		d.Set(rename(name), torchfile.Of(shape, x))
	}
	return d
}

// TestCheckpointsOfOtherVersions opens the same model as fairseq 0.9 to 0.12 and
// torch's wrappers write it.
func TestCheckpointsOfOtherVersions(t *testing.T) {
	const name = "lra_text"
	same := func(name string) string { return name }
	under := func(prefix string) func(string) string { return func(name string) string { return prefix + name } }
	args := argsOf(t, name, nil)
	namespace, plain := namespace(args), fromPlain(args)
	model := maps.Clone(args)
	delete(model, "arch")
	delete(model, "task")
	model["_name"], model["max_positions"] = args["arch"], "${task.max_positions}"
	cfg := dict("common", dict("seed", 7, "fp16", true), "task", dict("_name", args["task"], "data", "x", "max_positions", args["max_positions"]))
	cfg.Set("model", fromPlain(model))
	legacy := dict("common", dict("seed", 7), "task", dict("_name", args["task"]), "model", namespace)
	omega := func(file string) any {
		cfg, _ := rootOf(t, torchFile(file)).Get("cfg")
		return fromPlain(torchfile.Plain(cfg)) // objects are read, not written
	}
	for what, c := range map[string]struct {
		key    string
		value  any
		rename func(string) string
	}{
		"args":                     {"args", namespace, same},
		"args as a dict":           {"args", plain, same},
		"cfg":                      {"cfg", cfg, same},
		"cfg of a namespace":       {"cfg", legacy, same},
		"OmegaConf 2.0":            {"cfg", omega("omegaconf_2.0.pt"), same},
		"OmegaConf 2.3":            {"cfg", omega("omegaconf_2.3.pt"), same},
		"DataParallel":             {"args", namespace, under("module.")},
		"compiled":                 {"args", namespace, under("_orig_mod.")},
		"compiled in DataParallel": {"cfg", cfg, under("module.module._orig_mod.")},
	} {
		root := dict("args", nil, "model", stateOfGolden(t, name, c.rename))
		root.Set(c.key, c.value)
		path := writeTest(t, "m.pt", nil)
		if err := torchfile.Save(path, root); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if d := cmp.Diff(numbersIn(t, goldenDir(name)), numbersIn(t, path)); d != "" {
			t.Errorf("%s: the weights differ: %s", what, d)
		}
		got := openTest(t, path).Args
		for _, key := range []string{"arch", "task", "max_positions", "encoder_layers", "dropout", "lr"} {
			if d := cmp.Diff(args[key], got[key]); d != "" {
				t.Errorf("%s: %s: %s", what, key, d)
			}
		}
	}
}

// TestPartsOfModels opens single files of models in several.
func TestPartsOfModels(t *testing.T) {
	const part = "by its name it is one part of a model"
	weights := stateOfGolden(t, "lra_text", func(name string) string { return "flat_param_0." + name })
	for _, name := range []string{"checkpoint_last-shard0.pt", "checkpoint_best-rank-0-shard0.pt", "checkpoint_1_2-model_part-1.pt", "reshard-model_part-0.pt", "checkpoint_last_part0.pt"} {
		path := writeTest(t, name, nil)
		if err := torchfile.Save(path, dict("args", namespace(argsOf(t, "lra_text", nil)), "model", weights)); err != nil {
			t.Fatal(err)
		}
		wantError(t, path, part)
	}
	wantError(t, writeTest(t, "checkpoint_last-shard0.pt", []byte("x")), part)
	one := &torchfile.Dict{}
	one.Set("w", torchfile.Of([]int{1}, []float32{1}))
	path := writeTest(t, "pytorch_model-00001-of-00002.bin", nil)
	if err := torchfile.Save(path, one); err != nil {
		t.Fatal(err)
	}
	wantError(t, path, part)
}
