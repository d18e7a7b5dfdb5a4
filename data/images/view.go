package images

import (
	"errors"
	"fmt"
	"image"
	"math"
)

// A View says how pictures become numbers.
type View struct {
	Side      int        `json:"side"`     // height and width of what the model reads
	CropRatio float64    `json:"crop_pct"` // share of the shorter side that evaluation keeps
	Mean      [3]float32 `json:"mean"`     // of red, green and blue, 0 to 1
	Std       [3]float32 `json:"std"`      // their deviation
}

// ImageNet is the view of the published models.
var ImageNet = View{224, 0.875, [3]float32{0.485, 0.456, 0.406}, [3]float32{0.229, 0.224, 0.225}}

// maxSide bounds a model's pictures.
const maxSide = 1 << 12

// Validate reports a view of nothing.
func (v View) Validate() error {
	switch {
	case v.Side < 1 || v.Side > maxSide:
		return fmt.Errorf("pictures of %d by %d pixels, want a side of 1 to %d", v.Side, v.Side, maxSide)
	case !(v.CropRatio > 0 && v.CropRatio <= 1):
		return fmt.Errorf("a crop of %v of the shorter side, want above 0 and at most 1", v.CropRatio)
	case !(min(v.Std[0], v.Std[1], v.Std[2]) > 0):
		return errors.New("a deviation of colours that is not above 0")
	}
	return nil
}

// Numbers returns how many numbers a picture becomes: 3 Side².
func (v View) Numbers() int { return 3 * v.Side * v.Side }

// Evaluate writes what a model reads of a picture in evaluation, [3, Side, Side]:
// the shorter side is scaled to Side/CropRatio, and the middle is cut out
// (deit/datasets.py:build_transform).
func (v View) Evaluate(to []float32, p *Picture) { v.normalise(to, v.middle(p)) }

// middle scales and cuts as torchvision's Resize and CenterCrop do.
func (v View) middle(p *Picture) *Picture {
	short := int(float64(v.Side) / v.CropRatio)
	width, height := short, short
	if p.Width < p.Height {
		height = short * p.Height / p.Width
	} else {
		width = short * p.Width / p.Height
	}
	from := image.Pt(middle(width-v.Side), middle(height-v.Side))
	return p.resizePart(width, height, image.Rectangle{from, from.Add(image.Pt(v.Side, v.Side))})
}

// middle halves as Python rounds: a half to the even number.
func middle(n int) int { return int(math.RoundToEven(float64(n) / 2)) }

// normalise writes (colour/255 - Mean) / Std, a plane each colour, computed in
// float32 as torchvision's ToTensor and Normalize do.
func (v View) normalise(to []float32, p *Picture) {
	plane := len(p.Pix) / 3
	for c := range 3 {
		var value [256]float32
		for i := range value {
			value[i] = (float32(i)/255 - v.Mean[c]) / v.Std[c]
		}
		out := to[c*plane:][:plane]
		for i := range out {
			out[i] = value[p.Pix[3*i+c]]
		}
	}
}
