package classify

import (
	"bytes"
	"encoding/json"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mega-go/mega"
)

// scored returns an evaluation of three classes, the last of which never comes.
func scored() *Evaluation {
	e := &Evaluation{Split: "test", Samples: 10, Confusion: [][]int{{4, 1, 0}, {2, 3, 0}, {0, 0, 0}}}
	e.score([]string{"ham", "spam"})
	return e
}

func TestScores(t *testing.T) {
	e := scored()
	if e.Accuracy != 70 || e.Classes[0].Name != "ham" || e.Classes[2].Name != "class 2" {
		t.Errorf("%+v", e)
	}
	ham := e.Classes[0] // precision 4/6, recall 4/5, F1 8/11
	for what, pair := range map[string][2]float64{
		"precision": {float64(ham.Precision), 4. / 6}, "recall": {float64(ham.Recall), 0.8},
		"F1": {float64(ham.F1), 8. / 11}, "macro F1": {float64(e.MacroF1), (8./11 + 6./9) / 2},
	} {
		if math.Abs(pair[0]-pair[1]) > 1e-15 {
			t.Errorf("%s is %v, want %v", what, pair[0], pair[1])
		}
	}
	if c := e.Classes[2]; !math.IsNaN(float64(c.Precision)) || !math.IsNaN(float64(c.F1)) {
		t.Errorf("scores of a class that never comes: %+v", c)
	}
	var text bytes.Buffer
	if err := e.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	if s := text.String(); strings.Contains(s, "NaN") || !strings.Contains(s, "0.727") || !strings.Contains(s, "macro F1 0.697") {
		t.Error(s)
	}
	if _, err := json.Marshal(e); err != nil {
		t.Error(err)
	}
}

func TestConfusionPlot(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.png")
	if err := scored().WritePlot(path); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	// The field of (ham, ham) is darker than that of (ham, spam), left of it.
	size := img.Bounds().Size()
	left, _, _, _ := img.At(size.X*28/100, size.Y*20/100).RGBA()
	right, _, _, _ := img.At(size.X*52/100, size.Y*20/100).RGBA()
	if left >= right {
		t.Errorf("fields of 80%% and 20%% have red %d and %d", left, right)
	}
	if err := scored().WritePlot("x.gif"); err == nil || !strings.Contains(err.Error(), ".png, .svg or .pdf") {
		t.Errorf("a GIF: %v", err)
	}
}

// TestForeignDictionary: data whose words are not the model's are refused by the name
// of their dictionary.
func TestForeignDictionary(t *testing.T) {
	m := small(t, "mega_lra_imdb", func(c *mega.ClassifierConfig) { c.VocabSize = 9 })
	d := DataConfig{Task: "lra-text", Data: filepath.Join("..", "..", "data", "testdata", "text")}
	corpus, err := OpenCorpus(d, m.Config())
	if err != nil {
		t.Fatal(err)
	}
	_, err = heldOut(m, corpus, d, "test")
	want := filepath.Join(d.Data, "src-bin", "dict.txt") + ": the dictionary has"
	if err == nil || !strings.HasPrefix(err.Error(), want) || !strings.HasSuffix(err.Error(), "symbols and the model 9: it is not the one that the model was trained with") {
		t.Errorf("got %v, want %s", err, want)
	}
}
