package images

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"

	"github.com/mega-go/mega/data"
)

// RandAugment changes a picture by some operations drawn by lot (Cubuk et al.
// 2020, arXiv 1909.13719), timm's variant "inc1", in which a greater magnitude
// is a greater change (timm/data/auto_augment.py).
type RandAugment struct {
	Layers    int     `json:"n"`    // operations drawn, 0 for none
	Prob      float64 `json:"p"`    // that one drawn is done
	Magnitude float64 `json:"m"`    // 0 to 10
	Deviation float64 `json:"mstd"` // of the magnitude, which is drawn for each
}

// ParseRandAugment reads timm's way of writing it, such as rand-m9-mstd0.5-inc1;
// none is written "none".
func ParseRandAugment(text string) (RandAugment, error) {
	if text == "none" {
		return RandAugment{}, nil
	}
	parts := strings.Split(text, "-")
	ra := RandAugment{Layers: 2, Prob: 0.5, Magnitude: 10}
	increasing := false
	for _, part := range parts[1:] {
		name := strings.TrimRight(part, ".0123456789")
		v, err := strconv.ParseFloat(part[len(name):], 64)
		switch {
		case err != nil:
		case name == "m":
			ra.Magnitude = v
		case name == "n" && v == math.Trunc(v):
			ra.Layers = int(v)
		case name == "p":
			ra.Prob = v
		case name == "mstd":
			ra.Deviation = v
		case name == "inc" && v == 1:
			increasing = true
		default:
			err = strconv.ErrSyntax
		}
		if err != nil {
			return ra, fmt.Errorf("%q: unknown part %q, want m, n, p, mstd and inc with a number each", text, part)
		}
	}
	if parts[0] != "rand" || !increasing {
		return ra, fmt.Errorf(`%q: want "none" or RandAugment with growing changes, such as rand-m9-mstd0.5-inc1`, text)
	}
	return ra, nil
}

// An operation changes a picture by an argument that level makes of the
// magnitude.
type operation struct {
	name  string
	level func(magnitude float64, r *rand.Rand) float64
	do    func(p *Picture, arg float64, fill [3]byte) *Picture
}

// operations are those of timm's _RAND_INCREASING_TRANSFORMS.
var operations = []operation{
	{"AutoContrast", none, tables(autoContrast)},
	{"Equalize", none, tables(equalize)},
	{"Invert", none, table(func(v int, _ float64) int { return 255 - v })},
	{"Rotate", either(30), rotate},
	{"PosterizeIncreasing", func(m float64, _ *rand.Rand) float64 { return 4 - math.Trunc(m/10*4) }, table(posterize)},
	{"SolarizeIncreasing", func(m float64, _ *rand.Rand) float64 { return 256 - math.Trunc(m/10*256) }, table(solarize)},
	{"SolarizeAdd", func(m float64, _ *rand.Rand) float64 { return math.Trunc(m / 10 * 110) }, table(solarizeAdd)},
	{"ColorIncreasing", enhanced, colour},
	{"ContrastIncreasing", enhanced, contrast},
	{"BrightnessIncreasing", enhanced, brightness},
	{"SharpnessIncreasing", enhanced, sharpness},
	{"ShearX", either(0.3), func(p *Picture, arg float64, fill [3]byte) *Picture {
		return p.warp([6]float64{1, arg, 0, 0, 1, 0}, fill)
	}},
	{"ShearY", either(0.3), func(p *Picture, arg float64, fill [3]byte) *Picture {
		return p.warp([6]float64{1, 0, 0, arg, 1, 0}, fill)
	}},
	{"TranslateXRel", either(0.45), func(p *Picture, arg float64, fill [3]byte) *Picture {
		return p.warp([6]float64{1, 0, arg * float64(p.Width), 0, 1, 0}, fill)
	}},
	{"TranslateYRel", either(0.45), func(p *Picture, arg float64, fill [3]byte) *Picture {
		return p.warp([6]float64{1, 0, 0, 0, 1, arg * float64(p.Height)}, fill)
	}},
}

// apply may change p and return it.
func (ra RandAugment) apply(p *Picture, fill [3]byte, r *rand.Rand) *Picture {
	for range ra.Layers {
		op := operations[r.IntN(len(operations))]
		if r.Float64() >= ra.Prob {
			continue
		}
		magnitude := min(max(ra.Magnitude+ra.Deviation*r.NormFloat64(), 0), 10)
		p = op.do(p, op.level(magnitude, r), fill)
	}
	return p
}

func none(float64, *rand.Rand) float64 { return 0 }

// either is a level of up to most, to one side or the other.
func either(most float64) func(magnitude float64, r *rand.Rand) float64 {
	return func(magnitude float64, r *rand.Rand) float64 { return negated(magnitude/10*most, r) }
}

// enhanced is a factor below or above 1, which changes nothing.
func enhanced(magnitude float64, r *rand.Rand) float64 {
	return max(0.1, 1+negated(magnitude/10*0.9, r))
}

func negated(v float64, r *rand.Rand) float64 {
	if r.Float64() < 0.5 {
		return -v
	}
	return v
}

// table is an operation that gives a colour's value another, whatever the
// picture.
func table(value func(v int, arg float64) int) func(*Picture, float64, [3]byte) *Picture {
	return func(p *Picture, arg float64, _ [3]byte) *Picture {
		var t [256]byte
		for v := range t {
			t[v] = byte(value(v, arg))
		}
		for i, v := range p.Pix {
			p.Pix[i] = t[v]
		}
		return p
	}
}

// posterize keeps the upper bits.
func posterize(v int, bits float64) int { return v &^ (1<<(8-int(bits)) - 1) }

// solarize inverts what is not below a threshold, solarizeAdd brightens what is
// dark.
func solarize(v int, threshold float64) int {
	if v < int(threshold) {
		return v
	}
	return 255 - v
}

func solarizeAdd(v int, amount float64) int {
	if v < 128 {
		return min(255, v+int(amount))
	}
	return v
}

// tables is an operation that gives the values of each colour others, as its
// histogram says.
func tables(make func(histogram *[256]int) [256]byte) func(*Picture, float64, [3]byte) *Picture {
	return func(p *Picture, _ float64, _ [3]byte) *Picture {
		var histograms [3][256]int
		for i, v := range p.Pix {
			histograms[i%3][v]++
		}
		var ts [3][256]byte
		for c := range ts {
			ts[c] = make(&histograms[c])
		}
		for i, v := range p.Pix {
			p.Pix[i] = ts[i%3][v]
		}
		return p
	}
}

// autoContrast stretches the values to 0 to 255 (PIL/ImageOps.py:autocontrast).
func autoContrast(histogram *[256]int) (t [256]byte) {
	low, high := 0, 255
	for low < 255 && histogram[low] == 0 {
		low++
	}
	for high > 0 && histogram[high] == 0 {
		high--
	}
	scale, offset := 1.0, 0.0
	if high > low {
		scale = 255 / float64(high-low)
		offset = float64(-low) * scale
	}
	for v := range t {
		t[v] = byte(min(max(float64(float64(v)*scale)+offset, 0), 255))
	}
	return t
}

// equalize makes the values about equally frequent (PIL/ImageOps.py:equalize).
func equalize(histogram *[256]int) (t [256]byte) {
	all, last := 0, 0
	for _, n := range histogram {
		if all += n; n > 0 {
			last = n
		}
	}
	step := (all - last) / 255
	n := step / 2
	for v := range t {
		if t[v] = byte(v); step > 0 {
			t[v] = byte(min(n/step, 255))
		}
		n += histogram[v]
	}
	return t
}

// mix moves a picture from another, of which each byte is other(i), by a factor:
// 0 gives the other, 1 the picture, 2 twice as far (libImaging/Blend.c).
func (p *Picture) mix(factor float64, other func(i int) byte) *Picture {
	f := float32(factor)
	for i, v := range p.Pix {
		from := int(other(i))
		p.Pix[i] = byte(min(max(float32(from)+float32(f*float32(int(v)-from)), 0), 255))
	}
	return p
}

// grey returns the brightness of each pixel.
func (p *Picture) grey() []byte {
	out := make([]byte, len(p.Pix)/3)
	for i := range out {
		out[i] = data.Grey(p.Pix[3*i], p.Pix[3*i+1], p.Pix[3*i+2])
	}
	return out
}

// The operations of PIL/ImageEnhance.py.

func colour(p *Picture, factor float64, _ [3]byte) *Picture {
	grey := p.grey()
	return p.mix(factor, func(i int) byte { return grey[i/3] })
}

func contrast(p *Picture, factor float64, _ [3]byte) *Picture {
	sum := 0
	grey := p.grey()
	for _, v := range grey {
		sum += int(v)
	}
	mean := byte(float64(sum)/float64(len(grey)) + 0.5)
	return p.mix(factor, func(int) byte { return mean })
}

func brightness(p *Picture, factor float64, _ [3]byte) *Picture {
	return p.mix(factor, func(int) byte { return 0 })
}

func sharpness(p *Picture, factor float64, _ [3]byte) *Picture {
	smooth := p.smooth()
	return p.mix(factor, func(i int) byte { return smooth.Pix[i] })
}

// smooth returns the mean of a pixel, five times, and its neighbours; pixels at
// the edges are as they were (PIL/ImageFilter.py:SMOOTH).
func (p *Picture) smooth() *Picture {
	const side, middle = float32(1) / 13, float32(5) / 13
	out := &Picture{p.Width, p.Height, append([]byte(nil), p.Pix...)}
	sum := func(row []byte, centre float32) float32 {
		return float32(float32(float32(row[0])*side)+float32(float32(row[3])*centre)) + float32(float32(row[6])*side)
	}
	for y := 1; y < p.Height-1; y++ {
		above, row, below := p.row(y-1), p.row(y), p.row(y+1)
		for i := 3; i < len(row)-3; i++ {
			out.row(y)[i] = byte(0.5 + sum(below[i-3:], side) + sum(row[i-3:], middle) + sum(above[i-3:], side))
		}
	}
	return out
}
