package shapes

import (
	"image"
	"image/color"
	"math"
	"math/rand/v2"
)

// What a class is made of.
var (
	colours  = []string{"blue", "green", "red"}
	textures = []string{"dotted", "plain", "striped"}
	outlines = []string{"disc", "square", "star", "triangle"}
)

// Classes returns the names of the classes, such as "red-striped-star", in the
// order of the alphabet.
func Classes() []string {
	var names []string
	for _, colour := range colours {
		for _, texture := range textures {
			for _, outline := range outlines {
				names = append(names, colour+"-"+texture+"-"+outline)
			}
		}
	}
	return names
}

// A point is a place or a direction; pictures go from -1 to 1.
type point struct{ x, y float64 }

// rgb is a colour, each part from 0 to 1.
type rgb [3]float64

func (c rgb) towards(d rgb, share float64) rgb {
	for i := range c {
		c[i] += share * (d[i] - c[i])
	}
	return c
}

// hsv returns the colour of a hue in degrees.
func hsv(hue, saturation, value float64) (c rgb) {
	for i, shift := range []float64{0, 240, 120} {
		h := math.Mod(hue+shift+360, 360) / 60
		c[i] = value * (1 - saturation*(1-min(max(math.Abs(h-3)-1, 0), 1)))
	}
	return c
}

// A thing is a shape somewhere in a picture.
type thing struct {
	outline, texture string
	ink, paper       rgb // of the texture
	centre           point
	radius           float64
	sin, cos         float64
	period, phase    float64 // of the texture, in radii
}

// newThing draws a thing by lot, of a colour with the given hue.
func newThing(r *rand.Rand, outline, texture string, hue, saturation, radius, reach float64) thing {
	between := func(low, high float64) float64 { return low + r.Float64()*(high-low) }
	t := thing{outline: outline, texture: texture, radius: radius}
	t.ink = hsv(hue, saturation, between(0.55, 1))
	t.paper = t.ink.towards(rgb{1, 1, 1}, between(0.55, 0.8))
	if r.IntN(2) == 0 {
		t.paper = t.ink.towards(rgb{}, between(0.6, 0.8))
	}
	t.centre = point{between(-reach, reach), between(-reach, reach)}
	t.sin, t.cos = math.Sincos(between(0, 2*math.Pi))
	t.period, t.phase = between(0.4, 0.6), r.Float64()
	return t
}

// colour returns the thing's colour at a place, if it is there.
func (t *thing) colour(p point) (rgb, bool) {
	x, y := (p.x-t.centre.x)/t.radius, (p.y-t.centre.y)/t.radius
	if x*x+y*y > farthest*farthest {
		return rgb{}, false
	}
	q := point{x*t.cos + y*t.sin, y*t.cos - x*t.sin}
	if !inside(t.outline, q) {
		return rgb{}, false
	}
	wave := func(v float64) float64 { v = v/t.period + t.phase; return v - math.Floor(v) - 0.5 }
	switch t.texture {
	case "striped":
		if wave(q.x) < 0 {
			return t.paper, true
		}
	case "dotted":
		if math.Hypot(wave(q.x), wave(q.y)) < 0.3 {
			return t.paper, true
		}
	}
	return t.ink, true
}

// farthest is where the corners of outlines are at most.
const farthest = 1.07

// inside tells whether a place lies in an outline.
func inside(outline string, p point) bool {
	switch outline {
	case "disc":
		return math.Hypot(p.x, p.y) < 0.85
	case "square":
		return max(math.Abs(p.x), math.Abs(p.y)) < 0.75
	}
	away, angle := math.Hypot(p.x, p.y), math.Atan2(p.y, p.x)
	if outline == "triangle" {
		return away*math.Cos(fold(angle, 3)) < 0.5
	}
	// A star: on the side of the middle of a line from a point to a corner.
	const corner = 0.4
	sin, cos := math.Sincos(math.Pi/5 - math.Abs(fold(angle, 5))) // from the point
	return (away*cos-1)*corner*sinFifth < away*sin*(corner*cosFifth-1)
}

var sinFifth, cosFifth = math.Sincos(math.Pi / 5)

// fold returns an angle as it is seen from the nearest of n directions.
func fold(angle float64, n int) float64 {
	sector := 2 * math.Pi / float64(n)
	return angle - sector*math.Round(angle/sector)
}

// draw draws a picture of a class: grey things, then the coloured one, before a
// ground that is lit from a side, with the noise of a camera.
func draw(class, size int, r *rand.Rand) image.Image {
	between := func(low, high float64) float64 { return low + r.Float64()*(high-low) }
	hue := []float64{225, 120, 0}[class/len(textures)/len(outlines)] + between(-20, 20)
	texture, outline := textures[class/len(outlines)%len(textures)], outlines[class%len(outlines)]
	var things []thing
	for range 3 {
		things = append(things, newThing(r, outlines[r.IntN(len(outlines))], textures[r.IntN(len(textures))],
			between(0, 360), between(0, 0.15), between(0.15, 0.4), 1))
	}
	things = append(things, newThing(r, outline, texture, hue, between(0.7, 1), between(0.5, 0.8), 0.35))
	ground, light := hsv(between(0, 360), between(0, 0.3), between(0.2, 0.9)), point{between(-0.2, 0.2), between(-0.2, 0.2)}
	out := image.NewRGBA(image.Rect(0, 0, size, size))
	for y := range size {
		for x := range size {
			c := sample(things, ground, light, x, y, size)
			noise := 0.02 * r.NormFloat64()
			var bytes [3]byte
			for i, v := range c {
				bytes[i] = byte(math.Round(255 * min(max(v+noise, 0), 1)))
			}
			out.SetRGBA(x, y, color.RGBA{bytes[0], bytes[1], bytes[2], 255})
		}
	}
	return out
}

// sample returns the mean colour of nine places in a pixel.
func sample(things []thing, ground rgb, light point, x, y, size int) (mean rgb) {
	const across = 3
	for i := range across * across {
		at := func(pixel, part int) float64 {
			return 2*(float64(pixel)+(float64(part)+0.5)/across)/float64(size) - 1
		}
		p := point{at(x, i%across), at(y, i/across)}
		c := ground
		for k := range things {
			if over, ok := things[k].colour(p); ok {
				c = over
			}
		}
		for k, v := range c {
			mean[k] += v * (0.9 + light.x*p.x + light.y*p.y) / (across * across)
		}
	}
	return mean
}
