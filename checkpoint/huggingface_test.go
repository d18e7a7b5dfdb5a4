package checkpoint

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mega-go/mega"
	"github.com/mega-go/mega/format/dtype"
	"github.com/mega-go/mega/format/safetensors"
	"github.com/mega-go/mega/format/torchfile"
	"github.com/mega-go/mega/nn"
)

// hfDirectory writes a model for Hugging Face, and takes out what mega adds to
// the configuration: what is left is what transformers would have written.
func hfDirectory(t *testing.T, task string, config any, p *nn.Params, change func(map[string]any)) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "hf")
	c := &Checkpoint{Task: task, Weights: openTest(t, goldenDir("lra_text")).Weights}
	if _, err := c.save(dir, model{config: config, params: p}, SaveOptions{Format: FormatHuggingFace, AcceptRMSNorm: true}); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, ConfigFile)
	var h map[string]any
	if err := json.Unmarshal(readTest(t, path), &h); err != nil {
		t.Fatal(err)
	}
	delete(h, "mega_config")
	change(h)
	text, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// hfClassifierDir is a MegaForSequenceClassification in chunks.
func hfClassifierDir(t *testing.T, norm string, change func(map[string]any)) (string, *mega.Classifier) {
	t.Helper()
	config, err := classifiers.config(openTest(t, goldenDir("lra_text")))
	if err != nil {
		t.Fatal(err)
	}
	config.SenRepType, config.ClassifierActivationFn, config.ClassifierOutDim = "cls", "tanh", config.EncoderEmbedDim
	config.NormType, config.Seed = norm, 5
	m, err := mega.NewClassifier(config)
	if err != nil {
		t.Fatal(err)
	}
	return hfDirectory(t, Classification, config, m.Params(), change), m
}

func unchanged(map[string]any) {}

func checkNumbers(t *testing.T, path string, want *nn.Params) {
	t.Helper()
	got := numbersIn(t, path)
	for _, q := range want.All() {
		if !slices.Equal(got[q.Name], q.Value().Data()) {
			t.Errorf("%s: other numbers in %s", path, q.Name)
		}
	}
}

func TestHuggingFaceClassifier(t *testing.T) {
	dir, m := hfClassifierDir(t, "scalenorm", unchanged)
	checkNumbers(t, dir, m.Params())
	config, err := classifiers.config(openTest(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	want := m.Config()
	if config.ChunkSize != want.ChunkSize || config.TruncationLength != want.TruncationLength || config.SentenceClassNum != want.SentenceClassNum ||
		config.NormType != want.NormType || config.ZDim != want.ZDim || config.RelPosBias != want.RelPosBias {
		t.Errorf("read %+v, want %+v", config, want)
	}
	checkNames(t, filepath.Join(dir, ModelFile), "mega.layers.0.mega_layer.ema_gate.damping_factor", "mega.layers.1.mega_layer.qk_weight",
		"mega.embedding_layer.word_embeddings.weight", "classifier.dense.weight", "classifier.out_proj.bias")
}

func checkNames(t *testing.T, path string, names ...string) {
	t.Helper()
	r, err := safetensors.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for _, name := range names {
		if _, ok := r.Info(name); !ok {
			t.Errorf("%s has no %s; it has %q", path, name, r.Names())
		}
	}
}

// TestHuggingFaceKeepsItsHead writes a classifier with transformers' head and
// opens it again, with what mega adds to the configuration.
func TestHuggingFaceKeepsItsHead(t *testing.T) {
	from, m := hfClassifierDir(t, "layernorm", unchanged)
	for range 2 {
		to := filepath.Join(t.TempDir(), "hf")
		saveTest(t, from, to, SaveOptions{Format: FormatHuggingFace})
		checkNumbers(t, to, m.Params())
		from = to
	}
}

// TestHuggingFaceWritesTorchFile writes the weights as older directories have
// them: the same tensors as in model.safetensors, which is not there.
func TestHuggingFaceWritesTorchFile(t *testing.T) {
	from, m := hfClassifierDir(t, "layernorm", unchanged)
	to := filepath.Join(t.TempDir(), "hf")
	saveTest(t, from, to, SaveOptions{Format: FormatHuggingFace, TorchWeights: true, DType: dtype.BF16})
	if exists(filepath.Join(to, ModelFile)) {
		t.Errorf("%s was written", ModelFile)
	}
	f, err := torchfile.Open(filepath.Join(to, torchModelFile))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got, err := torchfile.NewStateDict(f.Root())
	if err != nil {
		t.Fatal(err)
	}
	want, err := safetensors.Open(filepath.Join(from, ModelFile))
	if err != nil {
		t.Fatal(err)
	}
	defer want.Close()
	for _, name := range want.Names() {
		shape, _ := want.Shape(name)
		if s, ok := got.Shape(name); !ok || !slices.Equal(s, shape) {
			t.Errorf("%s has shape %v, want %v", name, s, shape)
		}
	}
	if n := len(got.Names()); n != len(want.Names()) {
		t.Errorf("%d tensors, want %d", n, len(want.Names()))
	}
	if d, _ := got.DType("mega.embedding_layer.word_embeddings.weight"); d != dtype.BF16 {
		t.Errorf("embeddings are %v, want BF16", d)
	}
	again := filepath.Join(t.TempDir(), "again")
	saveTest(t, from, again, SaveOptions{Format: FormatHuggingFace, TorchWeights: true})
	checkNumbers(t, again, m.Params())
}

// TestHuggingFaceTorchFile reads the weights from pytorch_model.bin, with the
// bias that transformers' head has and the reference's does not.
func TestHuggingFaceTorchFile(t *testing.T) {
	dir, m := hfClassifierDir(t, "layernorm", unchanged)
	r, err := safetensors.Open(filepath.Join(dir, ModelFile))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	d := &torchfile.Dict{Ordered: true}
	for _, name := range r.Names() {
		x, err := r.Float32(name)
		if err != nil {
			t.Fatal(err)
		}
		if name == "classifier.out_proj.bias" {
			x[0] = 0.5
		}
		shape, _ := r.Shape(name)
		d.Set(name, torchfile.Of(shape, x))
	}
	if err := torchfile.Save(filepath.Join(dir, torchModelFile), d); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, ModelFile)); err != nil {
		t.Fatal(err)
	}
	biased, err := openTest(t, dir).Classifier()
	if err != nil {
		t.Fatal(err)
	}
	in := mega.Input{Rows: 1, Length: 20, Tokens: make([]int32, 20)}
	for i := range in.Tokens {
		in.Tokens[i] = int32(4 + i%7)
	}
	got, err := biased.Logits(in)
	if err != nil {
		t.Fatal(err)
	}
	want, err := m.Logits(in)
	if err != nil {
		t.Fatal(err)
	}
	if d := got[0][0] - want[0][0]; d < 0.4999 || d > 0.5001 || got[0][1] != want[0][1] {
		t.Errorf("logits %v, want %v and a bias of 0.5 on the first", got, want)
	}
	again := filepath.Join(t.TempDir(), "again")
	saveTest(t, dir, again, SaveOptions{Format: FormatHuggingFace})
	checkNames(t, filepath.Join(again, ModelFile), "classifier.out_proj.bias")
	checkNumbers(t, again, biased.Params())
}

func TestHuggingFaceLanguageModel(t *testing.T) {
	config, err := mega.LanguageModelArch("mega_lm")
	if err != nil {
		t.Fatal(err)
	}
	config.DecoderLayers, config.DecoderEmbedDim, config.DecoderInputDim, config.DecoderHiddenDim = 2, 16, 16, 24
	config.DecoderFFNEmbedDim, config.DecoderZDim, config.DecoderNDim, config.DecoderChunkSize = 20, 8, 4, 8
	config.VocabSize, config.MaxTargetPositions, config.NoScaleEmbedding, config.ShareDecoderInputOutputEmbed = 30, 64, true, true
	m, err := mega.NewLanguageModel(config)
	if err != nil {
		t.Fatal(err)
	}
	dir := hfDirectory(t, LanguageModelling, config, m.Params(), unchanged)
	checkNumbers(t, dir, m.Params())
	checkNames(t, filepath.Join(dir, ModelFile), "mega.layers.0.mega_layer.ema_gate.decay_factor", "lm_head.bias")
}

func TestHuggingFaceErrors(t *testing.T) {
	for want, change := range map[string]func(map[string]any){
		"no final norm":          func(h map[string]any) { h["normalize_before_mega"] = true },
		"norm_affine is not set": func(h map[string]any) { h["norm_affine"] = false },
		"pad_token_id is 0":      func(h map[string]any) { h["pad_token_id"] = 0 },
		"is of a MegaForMaskedLM, of which no model can be made here": func(h map[string]any) { h["architectures"] = []string{"MegaForMaskedLM"} },
		`model_type "bert", want "mega"`:                              func(h map[string]any) { h["model_type"] = "bert" },
		"do not fit hidden_size = 32":                                 func(h map[string]any) { h["hidden_size"] = 32 },
		"missing: encoder.encoder.layers.2.":                          func(h map[string]any) { h["num_hidden_layers"] = 3 },
		"num_hidden_layers is a string, want a whole number":          func(h map[string]any) { h["num_hidden_layers"] = "two" },
	} {
		dir, _ := hfClassifierDir(t, "scalenorm", change)
		wantError(t, dir, want)
	}
	dir, m := hfClassifierDir(t, "rmsnorm", unchanged)
	wantError(t, dir, "the rmsnorm of Hugging Face leaves its input as it is")
	c := openTest(t, dir)
	c.AcceptRMSNorm = true
	if _, err := c.Classifier(); err != nil {
		t.Error(err)
	}
	own := &Checkpoint{Task: Classification, Weights: c.Weights}
	_, err := own.save(filepath.Join(t.TempDir(), "x"), model{config: m.Config(), params: m.Params()}, SaveOptions{Format: FormatHuggingFace})
	checkSays(t, err, "its rmsnorm leaves the input as it is")
	for name, want := range map[string]string{"lm_enwik8": "does not scale embeddings", "mt_wmt": "no encoder with a decoder", "lra_image": "it embeds tokens"} {
		_, err := openTest(t, goldenDir(name)).Save(filepath.Join(t.TempDir(), "x"), SaveOptions{Format: FormatHuggingFace})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %s", name, err, want)
		}
	}
}

// TestHuggingFaceShards reads weights that an index divides over two files, and
// refuses an index that says what is not so.
func TestHuggingFaceShards(t *testing.T) {
	dir, _ := hfClassifierDir(t, "layernorm", unchanged)
	want := numbersIn(t, dir)
	r, err := safetensors.Open(filepath.Join(dir, ModelFile))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	files := []string{"pytorch_model-00001-of-00002.bin", "pytorch_model-00002-of-00002.bin"}
	parts := []*torchfile.Dict{{}, {}}
	index := make(map[string]string)
	for i, name := range r.Names() {
		x, err := r.Float32(name)
		if err != nil {
			t.Fatal(err)
		}
		shape, _ := r.Shape(name)
		parts[i%2].Set("module."+name, torchfile.Of(shape, x))
		index["module."+name] = files[i%2]
	}
	for i, part := range parts {
		if err := torchfile.Save(filepath.Join(dir, files[i]), part); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(filepath.Join(dir, ModelFile)); err != nil {
		t.Fatal(err)
	}
	wantError(t, dir, "has none of model.safetensors, model.safetensors.index.json")
	writeIndex := func() {
		text, err := json.Marshal(map[string]any{"metadata": map[string]any{"total_size": 1 << 60}, "weight_map": index})
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, torchModelFile+indexSuffix), text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	writeIndex()
	if d := cmp.Diff(want, numbersIn(t, dir)); d != "" {
		t.Errorf("the weights differ: %s", d)
	}
	const first = "module.mega.embedding_layer.word_embeddings.weight"
	for file, want := range map[string]string{
		files[1]:           first + " is not in " + files[1],
		"../" + files[0]:   "is no file of weights beside it",
		"/dev/zero":        "is no file of weights beside it",
		"absent.bin":       "no such file",
		"model-1-of-2.txt": "is no file of weights beside it",
	} {
		index[first] = file
		writeIndex()
		wantError(t, dir, want)
		wantError(t, dir, torchModelFile+indexSuffix)
	}
}

// TestHuggingFaceOtherHeads opens the classes that no model here is, to look at.
func TestHuggingFaceOtherHeads(t *testing.T) {
	for _, class := range []string{"MegaForMaskedLM", "MegaForTokenClassification", "MegaForQuestionAnswering", "MegaForMultipleChoice"} {
		dir, _ := hfClassifierDir(t, "layernorm", func(h map[string]any) {
			h["architectures"], h["normalize_before_mega"] = []string{class}, true
		})
		c := openTest(t, dir)
		if c.Task != class || !slices.Contains(c.Weights.Names(), "encoder.encoder.layers.0.mega_layer.move.delta") {
			t.Errorf("%s: opened as %s with %v", class, c.Task, c.Weights.Names())
		}
		wantError(t, dir, "is of a "+class+", of which no model can be made here")
	}
}
