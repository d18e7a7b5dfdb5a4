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
