package checkpoint

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mega-go/mega"
	"github.com/mega-go/mega/format/safetensors"
	"github.com/mega-go/mega/nn"
)

// loadInto loads the weights of a golden case into a model of another
// configuration.
func loadInto(t *testing.T, name string, change func(*mega.ClassifierConfig)) error {
	t.Helper()
	c := openTest(t, goldenDir(name))
	config, err := classifiers.config(c)
	if err != nil {
		t.Fatal(err)
	}
	change(&config)
	m, err := mega.NewClassifierOf(nn.NewShapes(), config)
	if err != nil {
		t.Fatal(err)
	}
	return LoadParams(m.Params(), c.Weights)
}

// loadRenamed loads the weights of a golden case under other names.
func loadRenamed(t *testing.T, name string, rename func(string) string) error {
	t.Helper()
	c := openTest(t, goldenDir(name))
	m, err := c.model()
	if err != nil {
		t.Fatal(err)
	}
	var renamed []safetensors.Tensor
	for _, q := range m.params.All() {
		if to := rename(q.Name); to != "" {
			renamed = append(renamed, safetensors.Of(to, q.Shape(), q.Value().Data()))
		}
	}
	path := filepath.Join(t.TempDir(), ModelFile)
	if err := safetensors.Write(path, renamed, nil); err != nil {
		t.Fatal(err)
	}
	r, err := safetensors.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	return LoadParams(m.params, r)
}

func TestMismatchesAreASentence(t *testing.T) {
	for want, err := range map[string]error{
		"the file's simple relative position bias is for 16 positions, the configuration (chunk_size, or max_positions without chunks) asks for 24: " +
			"encoder.encoder.layers.0.mega_layer.rel_pos_bias.rel_pos_bias has shape [31], want [47], encoder.encoder.layers.1.": loadInto(t, "lra_text", func(c *mega.ClassifierConfig) { c.ChunkSize = 24 }),
		"the file's dictionary has ": loadInto(t, "lra_text", func(c *mega.ClassifierConfig) { c.VocabSize++ }),
		"encoder.encoder.layers.0.mega_layer.gamma has shape [2 16], want [2 20], ": loadInto(t, "lra_text", func(c *mega.ClassifierConfig) { c.ZDim = 20 }),
		"and 20 more": loadInto(t, "lra_text", func(c *mega.ClassifierConfig) {
			c.EncoderHiddenDim = 80
			c.EncoderFFNEmbedDim = 100
			c.ZDim = 20
			c.NDim = 3
		}),
		"missing: encoder.encoder.layers.2.mega_layer.gamma, ": loadInto(t, "lra_text", func(c *mega.ClassifierConfig) { c.EncoderLayers = 3 }),
		"unexpected: encoder.encoder.layers.1.":                loadInto(t, "lra_text", func(c *mega.ClassifierConfig) { c.EncoderLayers = 1 }),
		"missing: sentence_projection_layer.weight (nearest: sentence_projection.weight); unexpected: sentence_projection.weight (nearest: sentence_projection_layer.weight)": loadRenamed(t, "lra_text",
			func(name string) string { return strings.Replace(name, "projection_layer", "projection", 1) }),
		"missing: classifier.0.0.weight, classifier.0.0.bias": loadRenamed(t, "lra_text", func(name string) string {
			if strings.HasPrefix(name, "classifier.") {
				return ""
			}
			return name
		}),
	} {
		checkSays(t, err, want)
	}
}

// TestOtherKindsOfModelsAreASentence loads weights of each kind into models of
// the others, and a causal moving average into one that runs both ways.
func TestOtherKindsOfModelsAreASentence(t *testing.T) {
	kinds := map[string]string{
		"lra_text":  "classifier (bidirectional)",
		"lm_enwik8": "language model (causal)",
		"mt_wmt":    "translator",
	}
	for _, from := range slices.Sorted(maps.Keys(kinds)) {
		for into, kind := range kinds {
			if into == from {
				continue
			}
			m, err := openTest(t, goldenDir(into)).model()
			if err != nil {
				t.Fatal(err)
			}
			want := "the file is of a " + kinds[from] + ", and a " + kind + " is wanted"
			if err := LoadParams(m.params, openTest(t, goldenDir(from)).Weights); err == nil || err.Error() != want {
				t.Errorf("error %v, want %s", err, want)
			}
		}
	}
	delta := mismatch{"decoder.layers.0.mega_layer.move.delta", []int{64, 4, 1}, []int{32, 4, 1}}
	if got, want := shapesError([]mismatch{delta}).Error(), "the file is of a bidirectional model, and a causal one is wanted: decoder.layers.0.mega_layer.move.delta has shape [64 4 1], want [32 4 1]"; got != want {
		t.Errorf("error %q, want %q", got, want)
	}
	wider := mismatch{"decoder.layers.0.mega_layer.move.omega", []int{32}, []int{16}}
	if got := shapesError([]mismatch{delta, wider}).Error(); !strings.HasPrefix(got, "decoder.") {
		t.Errorf("of a model of another width: %q", got)
	}
	delta.got, delta.want = delta.want, delta.got
	if got := shapesError([]mismatch{delta}).Error(); !strings.HasPrefix(got, "the file is of a causal model, and a bidirectional one is wanted: ") {
		t.Errorf("error %q", got)
	}
}

// TestOddNames lists names that would be unclear in an error.
func TestOddNames(t *testing.T) {
	for name, want := range map[string]string{"": `""`, "a b": `"a b"`, "a\nb": `"a\nb"`, "\x1b[31m": `"\x1b[31m"`, "a.b": "a.b"} {
		if got := clip(name); got != want {
			t.Errorf("%q is listed as %s, want %s", name, got, want)
		}
	}
}
