package inspect

import (
	"errors"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mega-go/mega/checkpoint"
)

func TestHalfLife(t *testing.T) {
	for _, q := range []float64{0.6, 0.9, 0.999} {
		p := 2 * (1 - q) // σ(δ), as σ(α) = ½
		want := math.Log(0.5) / math.Log(q)
		if got := halfLife(math.Log(p/(1-p)), 0); math.Abs(got-want) > 1e-9*want {
			t.Errorf("q = %g: half-life %g, want %g", q, got, want)
		}
	}
}

func open(t *testing.T) *checkpoint.Checkpoint {
	t.Helper()
	c, err := checkpoint.Open(filepath.Join("..", "testdata", "golden", "lra_image"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// without are weights of which one tensor cannot be read.
type without struct {
	checkpoint.Weights
	name string
}

func (w without) Float32Into(name string, x []float32) error {
	if name == w.name {
		return errors.New("the file is damaged")
	}
	return w.Weights.Float32Into(name, x)
}

func TestLayersNameTheirFile(t *testing.T) {
	c := open(t)
	c.Weights = without{c.Weights, "encoder.encoder.layers.1.mega_layer.move.alpha"}
	if _, err := Layers(c); err == nil || err.Error() != c.Path+": the file is damaged" {
		t.Errorf("got %v", err)
	}
}

func TestTables(t *testing.T) {
	c := open(t)
	layers, err := Layers(c)
	if err != nil {
		t.Fatal(err)
	}
	if len(layers) != 2 || layers[0].Name != "encoder.encoder.layers.0" || len(layers[0].HalfLives) != 48 {
		t.Fatalf("layers: %d, first %q", len(layers), layers[0].Name)
	}
	var text strings.Builder
	if err := WriteLayers(&text, layers); err != nil {
		t.Fatal(err)
	}
	if err := WriteParameters(&text, Parameters(c.Weights)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"median", "encoder.encoder.layers.1", "sentence_projection_layer.weight", "[10 320]", "all 66 tensors"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, text.String())
		}
	}
}

// A model says the same of its averages as its checkpoint.
func TestAverages(t *testing.T) {
	c := open(t)
	layers, err := Layers(c)
	if err != nil {
		t.Fatal(err)
	}
	m, err := c.Classifier()
	if err != nil {
		t.Fatal(err)
	}
	got := Averages(m.Params())
	for _, l := range layers {
		all := got["half-life (log2 of steps)/"+l.Name]
		for i, want := range slices.Concat(l.HalfLives...) {
			if len(all) <= i || all[i] != math.Log2(want) {
				t.Fatalf("%s: average %d of %d is not log2 of %g", l.Name, i, len(all), want)
			}
		}
	}
	if len(got) != len(layers) {
		t.Errorf("%d layers, want %d", len(got), len(layers))
	}
}

// The summary says of checkpoints of every kind what they are and how far they came.
func TestSummary(t *testing.T) {
	for path, want := range map[string][]string{
		"../testdata/golden/lra_text":                               {"model       classification, mega_lra_imdb", "chunks of 16", "parameters  28762 numbers in 44 tensors", "up to 512 positions, 2 classes", "bin/imdb"},
		"../testdata/golden/mt_wmt":                                 {"encoder     2 layers, D 48, H 96, Z 24, N 8", "decoder     2 layers", "from en, to de"},
		"../format/torchfile/testdata/lm_enwik8_checkpoint_last.pt": {"language_modeling, mega_lm_enwik8_base", "training    update 120, epoch 1, 3 s", "1.476 to 4.623 steps in 2 moving averages"},
	} {
		c, err := checkpoint.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		layers, err := Layers(c)
		if err != nil {
			t.Fatal(err)
		}
		var text strings.Builder
		if err := WriteSummary(&text, c, layers); err != nil {
			t.Fatal(err)
		}
		for _, w := range want {
			if !strings.Contains(text.String(), w) {
				t.Errorf("%s: no %q in\n%s", path, w, text.String())
			}
		}
		if lines := strings.Count(text.String(), "\n"); lines > 10 || strings.Contains(text.String(), "-1") {
			t.Errorf("%s: %d lines:\n%s", path, lines, text.String())
		}
	}
}

func TestPlot(t *testing.T) {
	layers, err := Layers(open(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, ending := range []string{".png", ".svg", ".pdf"} {
		if err := WritePlot(filepath.Join(t.TempDir(), "a"+ending), layers); err != nil {
			t.Errorf("%s: %v", ending, err)
		}
	}
	if err := WritePlot("a.doc", layers); err == nil {
		t.Error("no error for a format that is not known")
	}
	if err := WritePlot("a.png", nil); err == nil {
		t.Error("no error for no layers")
	}
}

func TestCompareNatural(t *testing.T) {
	if compareNatural("layers.2", "layers.10") >= 0 || compareNatural("a.2", "a.2") != 0 || compareNatural("a", "a.b") >= 0 {
		t.Error("numbers in names are not compared by value")
	}
}
