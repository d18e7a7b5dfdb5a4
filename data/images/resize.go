package images

import (
	"image"
	"math"
)

// precision is the number of bits after the point of Pillow's weights
// (libImaging/Resample.c).
const precision = 32 - 8 - 2

// cubic is the bicubic kernel with a = -0.5, |x| < 2 (Keys, 1981), that of
// golang.org/x/image/draw.CatmullRom.
func cubic(x float64) float64 {
	x = math.Abs(x)
	switch {
	case x < 1:
		return float64(float64(float64(float64(1.5*x)-2.5)*x)*x) + 1
	case x < 2:
		return float64(float64(float64(float64(x-5)*x)+8)*x-4) * -0.5
	}
	return 0
}

// taps are the pixels and weights that make one pixel of a scaled row or column.
type taps struct {
	first   int
	weights []int32
}

// newTaps returns the taps of pixels first to first+n-1 of a row of from pixels
// scaled to to. The kernel widens with the factor, so that scaling down blurs
// first.
func newTaps(from, to, first, n int) []taps {
	scale := float64(from) / float64(to)
	width := max(scale, 1)
	all := make([]taps, n)
	for i := range all {
		centre := float64((float64(first+i) + 0.5) * scale)
		low := max(0, int(centre-2*width+0.5))
		high := min(from, int(centre+2*width+0.5))
		weights := make([]float64, high-low)
		sum := 0.0
		for j := range weights {
			weights[j] = cubic((float64(low+j) - centre + 0.5) * (1 / width))
			sum += weights[j]
		}
		all[i] = taps{low, make([]int32, len(weights))}
		for j, w := range weights {
			all[i].weights[j] = int32(math.Round(w / sum * (1 << precision)))
		}
	}
	return all
}

// half rounds sums, and toByte ends them.
const half = 1 << (precision - 1)

func toByte(sum int32) byte { return clip(sum >> precision) }

// resize scales a picture as Pillow's resize with BICUBIC does, byte for byte.
func (p *Picture) resize(width, height int) *Picture {
	return p.resizePart(width, height, image.Rect(0, 0, width, height))
}

// resizePart scales a picture and returns a part of the result, in time and
// memory that the part and the picture ask for: rows, rounded to bytes, and then
// columns.
func (p *Picture) resizePart(width, height int, part image.Rectangle) *Picture {
	columns := newTaps(p.Width, width, part.Min.X, part.Dx())
	rows := newTaps(p.Height, height, part.Min.Y, part.Dy())
	last := rows[len(rows)-1]
	above := rows[0].first
	p = p.scaleRows(columns, above, last.first+len(last.weights)-above)
	for i := range rows {
		rows[i].first -= above
	}
	return p.scaleColumns(rows)
}

// scaleRows scales rows top to top+height-1.
func (p *Picture) scaleRows(all []taps, top, height int) *Picture {
	out := blank(len(all), height)
	for y := range height {
		from, to := p.row(top+y), out.row(y)
		for x, t := range all {
			r, g, b := int32(half), int32(half), int32(half)
			in := from[3*t.first:][:3*len(t.weights)]
			for j, w := range t.weights {
				px := in[3*j : 3*j+3 : 3*j+3]
				r += w * int32(px[0])
				g += w * int32(px[1])
				b += w * int32(px[2])
			}
			px := to[3*x : 3*x+3 : 3*x+3]
			px[0], px[1], px[2] = toByte(r), toByte(g), toByte(b)
		}
	}
	return out
}

func (p *Picture) scaleColumns(all []taps) *Picture {
	out := blank(p.Width, len(all))
	sums := make([]int32, 3*p.Width)
	for y, t := range all {
		for i := range sums {
			sums[i] = half
		}
		for j, w := range t.weights {
			for i, v := range p.row(t.first + j)[:len(sums)] {
				sums[i] += w * int32(v)
			}
		}
		to := out.row(y)
		for i, sum := range sums {
			to[i] = toByte(sum)
		}
	}
	return out
}
