package pathfinder

import (
	"image"
	"image/color"
	"image/draw"
	"math"
)

// render draws the curves and discs, white on black with smooth edges.
func (l *layout) render(discs [2]point) []byte {
	pixels := make([]byte, l.Size*l.Size)
	for _, curve := range l.curves {
		for _, d := range curve {
			l.stroke(pixels, d, l.Width/2)
		}
	}
	for _, p := range discs {
		l.stroke(pixels, dash{p, p}, l.Radius)
	}
	return pixels
}

// stroke whitens what lies within a radius of a dash. A pixel on the edge is as
// bright as the share of it that is covered, by its middle's distance.
func (l *layout) stroke(pixels []byte, d dash, radius float64) {
	reach := radius + 1
	x0, x1 := l.span(d.from.x, d.to.x, reach)
	y0, y1 := l.span(d.from.y, d.to.y, reach)
	for y := y0; y <= y1; y++ {
		for x := x0; x <= x1; x++ {
			covered := radius + 0.5 - d.distanceTo(point{float64(x) + 0.5, float64(y) + 0.5})
			v := byte(math.Round(255 * min(max(covered, 0), 1)))
			pixels[y*l.Size+x] = max(pixels[y*l.Size+x], v)
		}
	}
}

// span returns the first and last pixel within reach of a and b.
func (l *layout) span(a, b, reach float64) (first, last int) {
	return max(0, int(min(a, b)-reach)), min(l.Size-1, int(max(a, b)+reach))
}

// Sheet lays images out in a grid with the given number of columns, framed green
// where the class is 1 and red where it is 0. Each pixel becomes a square of scale by
// scale.
func Sheet(images [][]byte, labels []int32, size, columns, scale int) image.Image {
	const frame = 2
	side := size * scale
	cell := side + 2*frame
	columns = max(1, min(columns, len(images)))
	rows := (len(images) + columns - 1) / columns
	sheet := image.NewRGBA(image.Rect(0, 0, columns*cell, rows*cell))
	for i, pixels := range images {
		corner := image.Pt(i%columns*cell, i/columns*cell)
		c := color.RGBA{200, 40, 40, 255}
		if labels[i] == 1 {
			c = color.RGBA{40, 170, 60, 255}
		}
		outer := image.Rect(0, 0, cell, cell).Add(corner)
		draw.Draw(sheet, outer, image.NewUniform(c), image.Point{}, draw.Src)
		for y := range side {
			for x := range side {
				sheet.Set(corner.X+frame+x, corner.Y+frame+y, color.Gray{pixels[y/scale*size+x/scale]})
			}
		}
	}
	return sheet
}
