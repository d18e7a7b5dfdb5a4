package checkpoint

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/mega-go/mega"
	"github.com/mega-go/mega/format/safetensors"
	"github.com/mega-go/mega/format/torchfile"
	"github.com/mega-go/mega/nn"
)

// argsOf returns the arguments of a golden case with others in places.
func argsOf(t testing.TB, name string, other map[string]any) map[string]any {
	t.Helper()
	args, err := parseArgs(readTest(t, filepath.Join(goldenDir(name), ArgsFile)))
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(args, other)
	return args
}

// fairseqFile writes a checkpoint of arguments and weights.
func fairseqFile(t testing.TB, args map[string]any, weights *torchfile.Dict) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "m.pt")
	if err := torchfile.Save(path, dict("args", namespace(args), "model", weights)); err != nil {
		t.Fatal(err)
	}
	return path
}

// wantRefused opens a file that claims far more than it has, and bounds what
// that allocates in all.
func wantRefused(t *testing.T, path, want string) {
	t.Helper()
	const most = 256 << 20
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	wantError(t, path, want)
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > most {
		t.Errorf("%s: took %d MiB", path, used>>20)
	}
}

// TestHugeConfigurations opens files of a few bytes whose configuration is of a
// model of gigabytes: they are held against the weights before anything is made.
func TestHugeConfigurations(t *testing.T) {
	one := &torchfile.Dict{Ordered: true}
	one.Set("encoder.encoder.embed_tokens.embed.weight", torchfile.Of([]int{4, 2}, make([]float32, 8)))
	for want, other := range map[string]map[string]any{
		"missing: ":                                     {"encoder_embed_dim": 8192, "encoder_hidden_dim": 32768, "classifier_in_dim": 8192},
		"and 81915 more":                                {"encoder_layers": 4096},
		"encoder_layers is 1000000, want 1 to":          {"encoder_layers": 1000000},
		"encoder_embed_dim is 4294967296, want":         {"encoder_embed_dim": 1 << 32, "classifier_in_dim": 1 << 32},
		"max_positions is 1099511627776, want":          {"max_positions": 1 << 40},
		"encoder_layers is 1e+300, want a whole number": {"encoder_layers": 1e300},
	} {
		wantRefused(t, fairseqFile(t, argsOf(t, "lra_text", other), one), want)
	}
	model, err := json.Marshal(configIn(t, goldenDir("lra_text")))
	if err != nil {
		t.Fatal(err)
	}
	for want, values := range map[string][]string{
		"missing: ": {`"encoder_layers"`, "4000"},
		"the file's simple relative position bias is for": {`"chunk_size"`, "16000000"},
		"has shape": {`"encoder_embed_dim"`, "20000", `"classifier_in_dim"`, "20000"},
	} {
		text := string(model)
		for i := 0; i < len(values); i += 2 {
			text = replaceValue(t, text, values[i], values[i+1])
		}
		dir := t.TempDir()
		for name, content := range map[string][]byte{
			ConfigFile: fmt.Appendf(nil, `{"task":"classification","model":%s}`, text),
			ModelFile:  readTest(t, filepath.Join(goldenDir("lra_text"), ModelFile)),
		} {
			if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		wantRefused(t, dir, want)
	}
}

func configIn(t *testing.T, path string) any {
	t.Helper()
	m, err := openTest(t, path).model()
	if err != nil {
		t.Fatal(err)
	}
	return m.config
}

// replaceValue gives the key of a flat JSON object another value.
func replaceValue(t *testing.T, text, key, value string) string {
	t.Helper()
	before, after, ok := strings.Cut(text, key+":")
	end := strings.IndexAny(after, ",}")
	if !ok || end < 0 {
		t.Fatalf("no %s in %s", key, text)
	}
	return before + key + ":" + value + after[end:]
}

// TestSharedStorageIsNoModel makes a model of gigabytes of one storage that all
// its tensors share.
func TestSharedStorageIsNoModel(t *testing.T) {
	const layers, dim = 300, 128
	whole := torchfile.Of([]int{512 * dim}, make([]float32, 512*dim))
	weights := &torchfile.Dict{Ordered: true}
	m := map[string]any{"encoder_layers": layers, "encoder_embed_dim": dim, "classifier_in_dim": dim}
	c, err := classifierConfig(argsOf(t, "lra_text", m), openTest(t, goldenDir("lra_text")).Weights)
	if err != nil {
		t.Fatal(err)
	}
	shapes := nn.NewShapes()
	if _, err := mega.NewClassifierOf(shapes, c); err != nil {
		t.Fatal(err)
	}
	for _, q := range shapes.All() {
		weights.Set(q.Name, whole.Cut(0, q.Shape()))
	}
	path := fairseqFile(t, argsOf(t, "lra_text", m), weights)
	if info, err := os.Stat(path); err != nil || info.Size() > 4<<20 {
		t.Fatalf("the file has %d bytes, %v", info.Size(), err)
	}
	wantRefused(t, path, "they are shared far too often")
}

// TestForeignFiles names what is no checkpoint.
func TestForeignFiles(t *testing.T) {
	empty := &torchfile.Dict{}
	save := func(value any) string {
		path := filepath.Join(t.TempDir(), "m.pt")
		if err := torchfile.Save(path, value); err != nil {
			t.Fatal(err)
		}
		return path
	}
	tensors := filepath.Join(t.TempDir(), "x.safetensors")
	if err := safetensors.Write(tensors, []safetensors.Tensor{safetensors.Of("x", nil, []float32{1})}, nil); err != nil {
		t.Fatal(err)
	}
	image := torchfile.Of([]int{1}, []float32{1})
	for _, c := range []struct{ path, want string }{
		{t.TempDir(), "is no checkpoint: it has neither config.json nor args.json"},
		{writeTest(t, "x.pt", nil), "the file is empty"},
		{writeTest(t, "x.pt", []byte("<!DOCTYPE html><html>")), "a web page"},
		{writeTest(t, "x.png", []byte("\x89PNG\r\n\x1a\n0000000000")), "not a file of torch.save"},
		{tensors, "holds tensors without the configuration of their model"},
		{save(&torchfile.List{}), "want a fairseq checkpoint"},
		{save(empty), "has no model, want a fairseq checkpoint"},
		{save(dict("model", empty, "args", nil)), "has neither args nor cfg"},
		{save(dict("args", namespace(map[string]any{}))), "has no model"},
		{save(dict("args", namespace(map[string]any{}), "model", empty)), `task is "", want lra-text`},
		{save(dict("args", namespace(map[string]any{"task": "masked_lm"}), "model", empty)), `task is "masked_lm"`},
		{save(dict("args", namespace(map[string]any{"task": "lra-text"}), "model", empty)), "the arguments name no arch"},
		{save(dict("args", namespace(map[string]any{"task": "lra-text", "arch": "luna"}), "model", empty)), "arch: "},
		{save(dict("args", namespace(map[string]any{}), "model", dict("w", "x"))), `model: "w" is str, want a tensor`},
		{save(dict("w", image)), "holds weights without their configuration"},
		{save(dict("model", dict("patch_embed.pemb.proj.weight", image))), "patch_embed.pemb.proj.weight has shape [1], want 4 dimensions"},
		{save(dict("patch_embed.pemb.proj.weight", image, "args", 1)), `model: "args" is int, want a tensor`},
	} {
		wantRefused(t, c.path, c.want)
	}
}
