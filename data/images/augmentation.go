package images

import (
	"fmt"
	"image"
	"math"
	"math/rand/v2"
)

// An Augmentation says how pictures are varied in training. The names of its
// JSON are those of DeiT's flags.
type Augmentation struct {
	Scale     [2]float64  `json:"scale"` // least and greatest share of a picture's area that a crop has
	Ratio     [2]float64  `json:"ratio"` // least and greatest width of a crop over its height
	Flip      float64     `json:"hflip"` // probability that left and right are exchanged
	Rand      RandAugment `json:"aa"`
	Erase     float64     `json:"reprob"`       // probability that a rectangle is erased
	EraseClip float64     `json:"reclip"`       // bounds the noise that is put in its place; 0 means no bound
	Repeats   int         `json:"repeated_aug"` // times that an epoch shows a picture, of a part of all
	Mixing
}

// DeiT is the augmentation of the published models (mega-image's deit/main.py).
var DeiT = Augmentation{
	Scale: [2]float64{0.08, 1}, Ratio: [2]float64{3. / 4, 4. / 3}, Flip: 0.5,
	Rand:  RandAugment{Layers: 2, Prob: 0.5, Magnitude: 9, Deviation: 0.5},
	Erase: 0.25, EraseClip: 2, Repeats: 3,
	Mixing: Mixing{Mixup: 0.8, Cutmix: 1, Switch: 0.5, Smoothing: 0.1},
}

// Validate reports the first setting out of range by its flag's name.
func (a Augmentation) Validate() error {
	for _, s := range []struct {
		name             string
		value, low, high float64
	}{
		{"scale", a.Scale[0], 1e-6, a.Scale[1]}, {"scale", a.Scale[1], a.Scale[0], 1},
		{"ratio", a.Ratio[0], 1e-3, a.Ratio[1]}, {"ratio", a.Ratio[1], a.Ratio[0], 1e3},
		{"hflip", a.Flip, 0, 1}, {"reprob", a.Erase, 0, 1}, {"reclip", a.EraseClip, 0, 1e3},
		{"repeated-aug", float64(a.Repeats), 1, 1e3},
		{"aa: n", float64(a.Rand.Layers), 0, 100}, {"aa: p", a.Rand.Prob, 0, 1},
		{"aa: m", a.Rand.Magnitude, 0, 10}, {"aa: mstd", a.Rand.Deviation, 0, 100},
		{"mixup", a.Mixup, 0, 1e3}, {"cutmix", a.Cutmix, 0, 1e3},
		{"mixup-switch-prob", a.Switch, 0, 1}, {"smoothing", a.Smoothing, 0, 1},
	} {
		if !(s.value >= s.low && s.value <= s.high) {
			return fmt.Errorf("%s is %v, want %v to %v", s.name, s.value, s.low, s.high)
		}
	}
	return nil
}

// lots returns the random numbers of one picture, or of a batch.
func lots(seed uint64, epoch, position int, batch bool) *rand.Rand {
	stream := uint64(epoch)<<40 | uint64(position)<<1
	if batch {
		stream |= 1
	}
	return rand.New(rand.NewPCG(seed, stream))
}

// uniform draws from low to high.
func uniform(r *rand.Rand, low, high float64) float64 { return low + r.Float64()*(high-low) }

// apply makes what a model reads of a picture in training, [3, Side, Side]: a
// crop, scaled, perhaps mirrored, varied, as numbers, perhaps in part erased
// (timm/data/transforms_factory.py:transforms_imagenet_train).
func (a Augmentation) apply(to []float32, p *Picture, v View, r *rand.Rand) {
	v.normalise(to, a.vary(p, v, r))
	a.erase(to, v.Side, r)
}

// vary is the part of apply that works on colours.
func (a Augmentation) vary(p *Picture, v View, r *rand.Rand) *Picture {
	c := a.cropOf(p.Width, p.Height, r)
	p = p.crop(c.Min.X, c.Min.Y, c.Dx(), c.Dy()).resize(v.Side, v.Side)
	if r.Float64() < a.Flip {
		p.mirror()
	}
	return a.Rand.apply(p, v.fill(), r)
}

// fill is the mean colour, which shows where a picture is moved away.
func (v View) fill() (c [3]byte) {
	for i, m := range v.Mean {
		c[i] = byte(min(255, math.RoundToEven(float64(m)*255)))
	}
	return c
}

// tries is how often a crop, or a rectangle to erase, is drawn until it fits.
const tries = 10

// cropOf draws a part of a picture (timm/data/transforms.py:
// RandomResizedCropAndInterpolation.get_params).
func (a Augmentation) cropOf(width, height int, r *rand.Rand) image.Rectangle {
	for range tries {
		w, h := rectangle(r, a.Scale, a.Ratio, width*height)
		if w <= width && h <= height && w > 0 && h > 0 {
			return at(r.IntN(width-w+1), r.IntN(height-h+1), w, h)
		}
	}
	w, h := width, height
	if ratio := float64(width) / float64(height); ratio < a.Ratio[0] {
		h = int(math.RoundToEven(float64(w) / a.Ratio[0]))
	} else if ratio > a.Ratio[1] {
		w = int(math.RoundToEven(float64(h) * a.Ratio[1]))
	}
	return at((width-w)/2, (height-h)/2, w, h)
}

// rectangle draws a width and a height: a share of an area, evenly, and the
// width's ratio to the height, evenly in its logarithm.
func rectangle(r *rand.Rand, share, ratio [2]float64, area int) (width, height int) {
	target := uniform(r, share[0], share[1]) * float64(area)
	aspect := math.Exp(uniform(r, math.Log(ratio[0]), math.Log(ratio[1])))
	return int(math.RoundToEven(math.Sqrt(target * aspect))), int(math.RoundToEven(math.Sqrt(target / aspect)))
}

func at(left, top, width, height int) image.Rectangle {
	return image.Rect(left, top, left+width, top+height)
}

// What is erased: a share of the area and its ratio of height to width.
var eraseShare, eraseRatio = [2]float64{0.02, 1. / 3}, [2]float64{0.3, 1 / 0.3}

// erase puts noise of deviation 1 into a rectangle of x [3, side, side], mode
// "pixel" with count 1 of timm/data/random_erasing.py.
func (a Augmentation) erase(x []float32, side int, r *rand.Rand) {
	if r.Float64() >= a.Erase {
		return
	}
	for range tries {
		h, w := rectangle(r, eraseShare, eraseRatio, side*side)
		if h >= side || w >= side {
			continue
		}
		top, left := r.IntN(side-h+1), r.IntN(side-w+1)
		for i := range 3 * h {
			row := x[((i/h)*side+top+i%h)*side+left:][:w]
			for j := range row {
				row[j] = a.noise(r)
			}
		}
		return
	}
}

func (a Augmentation) noise(r *rand.Rand) float32 {
	v := r.NormFloat64()
	if a.EraseClip > 0 {
		v = min(max(v, -a.EraseClip), a.EraseClip)
	}
	return float32(v)
}
