package train

import (
	"bytes"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCurves(t *testing.T) {
	dir := t.TempDir()
	run := filepath.Join(dir, "first")
	trainToy(t, newToy(), toyConfig(), run)
	for _, name := range []string{"curve.svg", "curve.png"} {
		checkImage(t, filepath.Join(run, name), "accuracy (%)")
	}
	a, err := ReadCurve(run)
	if err != nil {
		t.Fatal(err)
	}
	b, err := ReadCurve(filepath.Join(run, metricsFile))
	if err != nil || a.Name != "first" || b.Name != "first" {
		t.Errorf("names %q and %q, %v", a.Name, b.Name, err)
	}
	b.Name = "second"
	both := filepath.Join(dir, "both.svg")
	if err := WriteCurves(both, []Curve{a, b}); err != nil {
		t.Fatal(err)
	}
	checkImage(t, both, "second, validation")
	if err := WriteCurves(filepath.Join(dir, "empty.png"), []Curve{{Name: "empty"}}); err != nil {
		t.Errorf("a run without records: %v", err)
	}
	if err := WriteCurves(filepath.Join(dir, "curve.gif"), []Curve{a}); err == nil || !strings.Contains(err.Error(), ".png, .svg or .pdf") {
		t.Errorf("got %v", err)
	}
	if err := WriteCurves(both, nil); err == nil {
		t.Error("no error without curves")
	}
}

// checkImage decodes an image; an SVG must hold a text.
func checkImage(t *testing.T, path, text string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if filepath.Ext(path) == ".png" {
		if image, err := png.Decode(bytes.NewReader(data)); err != nil || image.Bounds().Dx() < 800 {
			t.Errorf("%s: %v", path, err)
		}
		return
	}
	for _, want := range []string{"<svg", text, "Arial"} {
		if !bytes.Contains(data, []byte(want)) {
			t.Errorf("%s has no %q", path, want)
		}
	}
}
