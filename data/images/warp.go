package images

import "math"

// rotate turns a picture about its middle against the clock.
func rotate(p *Picture, degrees float64, fill [3]byte) *Picture {
	sin, cos := math.Sincos(-degrees * math.Pi / 180)
	x, y := float64(p.Width)/2, float64(p.Height)/2
	return p.warp([6]float64{
		cos, sin, float64(-cos*x) - float64(sin*y) + x,
		-sin, cos, float64(sin*x) - float64(cos*y) + y,
	}, fill)
}

// warp returns the picture whose pixel at (x, y) is that of p at
// (m0 x + m1 y + m2, m3 x + m4 y + m5), between pixels by their 16 neighbours;
// pixels from outside are fill (libImaging/Geometry.c, BICUBIC).
func (p *Picture) warp(m [6]float64, fill [3]byte) *Picture {
	out := blank(p.Width, p.Height)
	for y := range p.Height {
		for x := range p.Width {
			u, v := float64(x)+0.5, float64(y)+0.5
			fromX := float64(m[0]*u) + float64(m[1]*v) + m[2]
			fromY := float64(m[3]*u) + float64(m[4]*v) + m[5]
			to := out.at(x, y)
			if fromX < 0 || fromX >= float64(p.Width) || fromY < 0 || fromY >= float64(p.Height) {
				copy(to, fill[:])
				continue
			}
			p.between(to, fromX-0.5, fromY-0.5)
		}
	}
	return out
}

// between sets the colour at a place between the middles of pixels. Beyond the
// edges the pixels there go on.
func (p *Picture) between(to []byte, x, y float64) {
	left, top := math.Floor(x), math.Floor(y)
	var columns [4]int
	var rows [4][]byte
	for i := range 4 {
		columns[i] = 3 * min(max(int(left)-1+i, 0), p.Width-1)
		rows[i] = p.row(min(max(int(top)-1+i, 0), p.Height-1))
	}
	for c := range to {
		var v [4]float64
		for i, row := range rows {
			v[i] = cubicBetween(float64(row[columns[0]+c]), float64(row[columns[1]+c]), float64(row[columns[2]+c]), float64(row[columns[3]+c]), x-left)
		}
		to[c] = byte(min(max(cubicBetween(v[0], v[1], v[2], v[3], y-top), 0), 255))
	}
}

// cubicBetween returns the value a distance t behind b, 0 to 1, of four
// values: the bicubic kernel with a = -1. Its form keeps equal values as they are.
func cubicBetween(a, b, c, d, t float64) float64 {
	first := c - a
	second := float64(2*(a-b)) + c - d
	third := b - a - c + d
	return b + float64(t*(first+float64(t*(second+float64(t*third)))))
}
