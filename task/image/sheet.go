package image

import (
	"bytes"
	"fmt"
	stdimage "image"
	"image/color"
	"image/jpeg"
	"image/png"
	"path/filepath"
	"strings"

	"github.com/mega-go/mega/data/images"
	"github.com/mega-go/mega/internal/atomicfile"
	"github.com/mega-go/mega/task/classify"
	"golang.org/x/image/draw"
	"golang.org/x/image/font"
	"golang.org/x/image/font/basicfont"
	"golang.org/x/image/math/fixed"
)

// The measures of a contact sheet, in pixels: the side of a picture's cell, a line
// below it, and the cells of a row.
const (
	cellSide  = 144
	lineSide  = 14
	rowOf     = 8
	maxOnPage = 400
)

// CheckSheet reports a file that no contact sheet can be written into.
func CheckSheet(path string) error {
	switch strings.ToLower(filepath.Ext(path)) {
	case "", ".png", ".jpg", ".jpeg":
		return nil
	}
	return fmt.Errorf("%s: want a name that ends in .png or .jpg", path)
}

// WriteSheet draws the pictures of predictions, the first 400, with the likeliest
// class of each below it.
func WriteSheet(path string, answers []classify.Prediction) error {
	answers = answers[:min(len(answers), maxOnPage)]
	rows := (len(answers) + rowOf - 1) / rowOf
	sheet := stdimage.NewRGBA(stdimage.Rect(0, 0, min(rowOf, len(answers))*cellSide, rows*(cellSide+2*lineSide)))
	draw.Draw(sheet, sheet.Bounds(), stdimage.White, stdimage.Point{}, draw.Src)
	for i, a := range answers {
		p, err := images.ReadFile(a.Input)
		if err != nil {
			return err
		}
		x, y := i%rowOf*cellSide, i/rowOf*(cellSide+2*lineSide)
		draw.ApproxBiLinear.Scale(sheet, fitted(p, x, y), p, p.Bounds(), draw.Src, nil)
		write(sheet, a.Class, x, y+cellSide+lineSide-3)
		write(sheet, fmt.Sprintf("%.1f%%", 100*a.Probability), x, y+cellSide+2*lineSide-3)
	}
	var out bytes.Buffer
	var err error
	if strings.ToLower(filepath.Ext(path)) == ".png" {
		err = png.Encode(&out, sheet)
	} else {
		err = jpeg.Encode(&out, sheet, nil)
	}
	if err != nil {
		return err
	}
	return atomicfile.WriteFile(path, out.Bytes())
}

// fitted returns where a picture lies in the cell at x and y.
func fitted(p *images.Picture, x, y int) stdimage.Rectangle {
	const room = cellSide - 4
	w, h := room, room
	if p.Width > p.Height {
		h = max(1, room*p.Height/p.Width)
	} else {
		w = max(1, room*p.Width/p.Height)
	}
	left, top := x+(cellSide-w)/2, y+(cellSide-h)/2
	return stdimage.Rect(left, top, left+w, top+h)
}

// write writes as much of a text as fits below a cell.
func write(on draw.Image, text string, x, y int) {
	face := basicfont.Face7x13
	runes := []rune(text)
	d := font.Drawer{Dst: on, Src: stdimage.NewUniform(color.Black), Face: face, Dot: fixed.P(x+2, y)}
	d.DrawString(string(runes[:min(len(runes), cellSide/face.Advance)]))
}
