package data

import (
	"image"
	"image/color"
)

// Grey is the brightness that Pillow's convert("L") gives a colour.
func Grey(r, g, b byte) byte {
	return byte((uint32(r)*19595 + uint32(g)*38470 + uint32(b)*7471 + 0x8000) >> 16)
}

// GreyPixels returns an image's brightness, row by row.
func GreyPixels(img image.Image) []byte {
	if g, ok := img.(*image.Gray); ok && g.Stride == g.Rect.Dx() {
		return g.Pix
	}
	r := img.Bounds()
	pixels := make([]byte, 0, r.Dx()*r.Dy())
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			c := color.NRGBAModel.Convert(img.At(x, y)).(color.NRGBA)
			pixels = append(pixels, Grey(c.R, c.G, c.B))
		}
	}
	return pixels
}
