// Package picture writes drawings of gonum/plot as PNG, SVG or PDF, whole or not
// at all. Names in them may hold any character.
package picture

import (
	"bytes"
	"fmt"
	"image/png"
	"io"
	"path/filepath"

	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"

	"github.com/mega-go/mega/internal/atomicfile"
	"github.com/mega-go/mega/internal/printable"
)

// dotsPerInch is the resolution of a PNG.
const dotsPerInch = 144

// margin is left free around a drawing.
const margin = 3 * vg.Millimeter

// Check reports an ending of path that stands for no format.
func Check(path string) error {
	switch filepath.Ext(path) {
	case ".png", ".svg", ".pdf":
		return nil
	}
	return fmt.Errorf("%s: want a file ending in .png, .svg or .pdf", path)
}

// Write puts what paint draws into path, whose ending says the format.
func Write(path string, width, height vg.Length, paint func(draw.Canvas) error) error {
	if err := Check(path); err != nil {
		return err
	}
	canvas, err := newCanvas(filepath.Ext(path), width, height)
	if err != nil {
		return err
	}
	if err := paint(draw.Crop(draw.New(labels{canvas}), margin, -margin, margin, -margin)); err != nil {
		return err
	}
	var image bytes.Buffer
	if _, err := canvas.WriteTo(&image); err != nil {
		return err
	}
	return atomicfile.WriteFile(path, withFallbackFonts(image.Bytes()))
}

func newCanvas(ending string, width, height vg.Length) (vg.CanvasWriterTo, error) {
	if ending == ".png" {
		return raster{vgimg.NewWith(vgimg.UseWH(width, height), vgimg.UseDPI(dotsPerInch))}, nil
	}
	return draw.NewFormattedCanvas(width, height, ending[1:])
}

// A raster writes itself as a PNG, fast, as curves are drawn while a model trains.
type raster struct{ *vgimg.Canvas }

func (r raster) WriteTo(w io.Writer) (int64, error) {
	return 0, (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(w, r.Image())
}

// labels makes texts printable: what is not has no place in XML.
type labels struct{ vg.CanvasSizer }

func (l labels) FillString(f font.Face, at vg.Point, text string) {
	l.CanvasSizer.FillString(f, at, printable.String(text))
}

// withFallbackFonts names, beside the font that texts were measured in, fonts of
// the same widths for readers of an SVG that lack it.
func withFallbackFonts(image []byte) []byte {
	return bytes.ReplaceAll(image, []byte("font-family:Liberation Sans;"),
		[]byte("font-family:'Liberation Sans',Arimo,Arial,Helvetica,sans-serif;"))
}
