package checkpoint

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"io/fs"
	"path/filepath"
	"testing"

	"github.com/mega-go/mega"
	"github.com/mega-go/mega/format/filemap"
	"github.com/mega-go/mega/nn"
	"github.com/mega-go/mega/tensor"
)

// memFiles are files in memory.
type memFiles map[string][]byte

func (m memFiles) open(name string) (*filemap.File, error) {
	content, ok := m[name]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return filemap.FromBytes(m.path(name), content), nil
}

func (m memFiles) path(name string) string { return name }

// tinyCheckpoint writes a native checkpoint of the smallest classifier, with
// Adam's moments, in a few kilobytes: a fuzzer is as fast as its inputs are
// short.
func tinyCheckpoint(f *testing.F) string {
	config, err := classifiers.config(openTest(f, goldenDir("lra_text")))
	if err != nil {
		f.Fatal(err)
	}
	config.EncoderLayers, config.EncoderEmbedDim, config.EncoderHiddenDim, config.EncoderFFNEmbedDim = 1, 2, 2, 2
	config.ZDim, config.NDim, config.VocabSize, config.MaxPositions, config.ChunkSize = 2, 1, 5, 4, 2
	config.ClassifierInDim, config.ClassifierOutDim = 2, 2
	config.SenRepType, config.ClassifierActivationFn = "cls", "tanh" // as Hugging Face's
	m, err := mega.NewClassifier(config)
	if err != nil {
		f.Fatal(err)
	}
	n := &Native{Params: m.Params(), Stamp: "update 5", State: []byte(`{"format":1,"updates":5,"epoch":1,"offset":2,"steps":5}`)}
	for _, q := range m.Params().All() {
		for _, moment := range momentNames {
			n.Optimizer = append(n.Optimizer, &nn.Buffer{Name: q.Name + "." + moment, Tensor: tensor.New(q.Shape()...)})
		}
	}
	model, err := json.Marshal(config)
	if err != nil {
		f.Fatal(err)
	}
	if n.Config, err = json.Marshal(Config{Task: Classification, Model: model}); err != nil {
		f.Fatal(err)
	}
	dir := filepath.Join(f.TempDir(), "tiny")
	if err := n.Save(dir); err != nil {
		f.Fatal(err)
	}
	return dir
}

// FuzzOpen opens damaged checkpoints of every form and makes their models: an
// error or a model, in memory that the file's size bounds. What is not a file by
// itself lies beside a configuration, under the name that its form asks for.
func FuzzOpen(f *testing.F) {
	native := tinyCheckpoint(f)
	hf, single, torch := native+"-hf", native+singleSuffix, native+".pt"
	saveTest(f, native, hf, SaveOptions{Format: FormatHuggingFace})
	saveTest(f, native, single, SaveOptions{})
	saveTest(f, native, torch, SaveOptions{})
	in := func(dir, name string) []byte { return readTest(f, filepath.Join(dir, name)) }
	f.Add(readTest(f, single), []byte{})
	f.Add(readTest(f, torch), []byte{})
	f.Add(zipOf(f,
		member{"run/config.json", zip.Deflate, in(native, ConfigFile)},
		member{"run/model.safetensors", zip.Store, in(native, ModelFile)},
		member{"run/optimizer.safetensors", zip.Deflate, in(native, OptimizerFile)},
		member{"run/state.json", zip.Store, in(native, StateFile)},
	), []byte{})
	f.Add(in(native, ModelFile), in(native, ConfigFile))
	f.Add(in(hf, ModelFile), in(hf, ConfigFile))
	f.Add(in(hf, ModelFile), []byte(`{"task":"lra-text","arch":"mega_lra_imdb","encoder_layers":1,"encoder_embed_dim":2}`))
	f.Fuzz(func(t *testing.T, data, config []byte) {
		if len(config) == 0 {
			makeModel(t, func() (*Checkpoint, error) { return openFile(filemap.FromBytes("fuzzed", data), memFiles{}) })
			return
		}
		name := ModelFile
		if bytes.HasPrefix(data, []byte("PK")) {
			name = torchModelFile
		}
		for _, kind := range []string{ConfigFile, ArgsFile} {
			makeModel(t, func() (*Checkpoint, error) { return openDir(memFiles{name: data, kind: config}) })
		}
	})
}

// makeModel makes the model of a checkpoint that may be damaged.
func makeModel(t *testing.T, open func() (*Checkpoint, error)) {
	c, err := open()
	if err != nil {
		return
	}
	defer c.Close()
	m, err := c.model()
	if err != nil {
		return
	}
	if _, err := c.TrainingState(m.params, Reset{}); err == nil && len(m.params.All()) == 0 {
		t.Error("a model without parameters")
	}
}
