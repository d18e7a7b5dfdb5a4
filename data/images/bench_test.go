package images

import (
	"image"
	"testing"

	"golang.org/x/image/draw"
)

// BenchmarkResize scales a picture of ImageNet's usual size, as this package does
// and as golang.org/x/image/draw does.
func BenchmarkResize(b *testing.B) {
	p := blank(500, 375)
	for i := range p.Pix {
		p.Pix[i] = byte(i * i >> 8)
	}
	b.Run("own", func(b *testing.B) {
		for b.Loop() {
			p.resize(224, 224)
		}
	})
	flat, out := image.NewRGBA(p.Bounds()), image.NewRGBA(image.Rect(0, 0, 224, 224))
	draw.Copy(flat, image.Point{}, p, p.Bounds(), draw.Src, nil)
	b.Run("draw", func(b *testing.B) {
		for b.Loop() {
			draw.CatmullRom.Scale(out, out.Rect, flat, flat.Rect, draw.Src, nil)
		}
	})
}
