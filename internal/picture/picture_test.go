package picture

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// hostile is a name with what XML and terminals must not see.
const hostile = "\x1b]0;x\a\x00\u009b<&>\"'\u202e\ufffe\xff]]>"

func drawHostile(c draw.Canvas) error {
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = hostile, hostile, hostile
	line, err := plotter.NewLine(plotter.XYs{{X: 0, Y: 0}, {X: 1, Y: 1}})
	if err != nil {
		return err
	}
	p.Add(line)
	p.Legend.Add(hostile, line)
	p.NominalX(hostile, "b")
	p.Draw(c)
	return nil
}

func TestHostileNames(t *testing.T) {
	dir := t.TempDir()
	for ending, begin := range map[string]string{".png": "\x89PNG", ".svg": "<?xml", ".pdf": "%PDF"} {
		path := filepath.Join(dir, "a"+ending)
		if err := Write(path, 10*vg.Centimeter, 10*vg.Centimeter, drawHostile); err != nil {
			t.Fatal(err)
		}
		image, err := os.ReadFile(path)
		if err != nil || !bytes.HasPrefix(image, []byte(begin)) {
			t.Errorf("%s begins with %.5q, %v", ending, image, err)
		}
		if ending == ".svg" {
			checkXML(t, image)
		}
	}
}

func checkXML(t *testing.T, image []byte) {
	t.Helper()
	var texts strings.Builder
	decoder := xml.NewDecoder(bytes.NewReader(image))
	for {
		token, err := decoder.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if text, ok := token.(xml.CharData); ok {
			texts.Write(text)
		}
	}
	if want := `\u001b]0;x\u0007\u0000\u009b<&>"'\u202e\ufffe\xff]]>`; strings.Count(texts.String(), want) != 5 {
		t.Errorf("%q is not there five times:\n%s", want, texts.String())
	}
}

func TestErrors(t *testing.T) {
	if err := Write("a.gif", 1, 1, nil); err == nil || err.Error() != "a.gif: want a file ending in .png, .svg or .pdf" {
		t.Errorf("got %v", err)
	}
	wrong := errors.New("wrong")
	path := filepath.Join(t.TempDir(), "a.svg")
	if err := Write(path, 1, 1, func(draw.Canvas) error { return wrong }); err != wrong {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("a picture that failed is there")
	}
}

// TestTicksAreDistinct draws axes of narrow ranges, whose marks must not carry
// one label twice.
func TestTicksAreDistinct(t *testing.T) {
	for _, c := range [][2]float64{{3.293, 3.405}, {0, 12}, {7.1, 10.4}, {0.0001, 0.00013}, {99.91, 99.99}} {
		seen := make(map[string]bool)
		for _, m := range (Ticks{}).Ticks(c[0], c[1]) {
			if m.Label != "" && seen[m.Label] {
				t.Errorf("from %g to %g the label %q comes twice", c[0], c[1], m.Label)
			}
			seen[m.Label] = true
		}
	}
}

// A logarithmic axis names what it spans.
func TestDecades(t *testing.T) {
	var labels []string
	marks := decadeTicks(0.9, 1200)
	for _, m := range marks {
		if m.Label != "" {
			labels = append(labels, m.Label)
		}
	}
	if len(marks) != 29 { // 0.9, 1 to 9 in three decades, and 1000
		t.Errorf("%d marks", len(marks))
	}
	if got, want := strings.Join(labels, " "), "1 2 5 10 20 50 100 200 500 1000"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
