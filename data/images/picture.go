package images

import (
	"image"
	"image/color"
	"image/draw"
)

// A Picture is colours, 3 bytes a pixel, red, green and blue, row by row.
type Picture struct {
	Width, Height int
	Pix           []byte // [Height, Width, 3]
}

func blank(width, height int) *Picture {
	return &Picture{width, height, make([]byte, 3*width*height)}
}

// at returns the bytes of a pixel.
func (p *Picture) at(x, y int) []byte { return p.Pix[3*(y*p.Width+x):][:3:3] }

// row returns the bytes of a row.
func (p *Picture) row(y int) []byte { return p.Pix[3*y*p.Width:][:3*p.Width] }

// ColorModel, Bounds and At make a Picture an image.Image.
func (p *Picture) ColorModel() color.Model { return color.RGBAModel }
func (p *Picture) Bounds() image.Rectangle { return image.Rect(0, 0, p.Width, p.Height) }
func (p *Picture) At(x, y int) color.Color {
	c := p.at(x, y)
	return color.RGBA{c[0], c[1], c[2], 255}
}

// newPicture returns an image's colours. Transparency is left out, not blended,
// as Pillow's convert("RGB") leaves it out.
func newPicture(img image.Image, format string) *Picture {
	switch img := img.(type) {
	case *image.YCbCr:
		return fromYCbCr(img, codingOf(format))
	case *image.NYCbCrA:
		return fromYCbCr(&img.YCbCr, studio)
	case *image.NRGBA:
		return fromRGBA(img.Pix, img.Stride, img.Rect)
	case *image.Paletted:
		return fromPaletted(img)
	}
	r := img.Bounds()
	flat := image.NewRGBA(r)
	draw.Draw(flat, r, img, r.Min, draw.Src)
	return fromRGBA(flat.Pix, flat.Stride, r)
}

func fromRGBA(pix []byte, stride int, r image.Rectangle) *Picture {
	p := blank(r.Dx(), r.Dy())
	for y := range p.Height {
		from, to := pix[y*stride:], p.row(y)
		for x := range p.Width {
			copy(to[3*x:3*x+3], from[4*x:4*x+3])
		}
	}
	return p
}

func fromPaletted(img *image.Paletted) *Picture {
	var colours [256][3]byte
	for i, c := range img.Palette {
		n := color.NRGBAModel.Convert(c).(color.NRGBA)
		colours[i] = [3]byte{n.R, n.G, n.B}
	}
	p := blank(img.Rect.Dx(), img.Rect.Dy())
	for y := range p.Height {
		for x := range p.Width {
			copy(p.at(x, y), colours[img.Pix[y*img.Stride+x]][:])
		}
	}
	return p
}

// crop returns a copy of a part that lies in the picture.
func (p *Picture) crop(left, top, width, height int) *Picture {
	out := blank(width, height)
	for y := range height {
		copy(out.row(y), p.row(top + y)[3*left:])
	}
	return out
}

// mirror exchanges left and right in place.
func (p *Picture) mirror() {
	for y := range p.Height {
		row := p.row(y)
		for i, j := 0, len(row)-3; i < j; i, j = i+3, j-3 {
			for c := range 3 {
				row[i+c], row[j+c] = row[j+c], row[i+c]
			}
		}
	}
}
