package images

import (
	"image"
	"math"
	"math/rand/v2"
)

// Mixing mixes each picture of a batch with the one as far from its end
// (timm/data/mixup.py, mode "batch"): by Mixup (Zhang et al. 2018, arXiv
// 1710.09412) or Cutmix (Yun et al. 2019, arXiv 1905.04899).
type Mixing struct {
	Mixup     float64 `json:"mixup"`             // alpha, 0 for none: shares are drawn from Beta(alpha, alpha)
	Cutmix    float64 `json:"cutmix"`            // the same of the area of a rectangle
	Switch    float64 `json:"mixup_switch_prob"` // probability of Cutmix where both are on
	Smoothing float64 `json:"smoothing"`         // part of a target that all classes share
}

// apply mixes a batch and sets its targets.
func (m Mixing) apply(b *Batch, classes int, r *rand.Rand) {
	share := 1.0
	switch {
	case m.Cutmix > 0 && (m.Mixup == 0 || r.Float64() < m.Switch):
		share = b.cut(box(b.Side, beta(r, m.Cutmix), r))
	case m.Mixup > 0:
		share = beta(r, m.Mixup)
		b.mixup(float32(share), float32(1-share))
	}
	b.target(classes, m.Smoothing, share)
}

// mixup adds the pictures of the batch from its end to those from its beginning.
func (b *Batch) mixup(share, other float32) {
	for i := range (b.Rows + 1) / 2 {
		x, y := b.row(i), b.row(b.Rows-1-i)
		for j, v := range x {
			w := y[j]
			x[j] = float32(v*share) + float32(w*other)
			y[j] = float32(w*share) + float32(v*other)
		}
	}
}

// box draws a rectangle of side·√(1-share) about a point of the picture, cut off
// at its edges.
func box(side int, share float64, r *rand.Rand) image.Rectangle {
	reach := int(float64(side)*math.Sqrt(1-share)) / 2
	y, x := r.IntN(side), r.IntN(side)
	return image.Rect(x-reach, y-reach, x+reach, y+reach).Intersect(image.Rect(0, 0, side, side))
}

// cut exchanges a rectangle of pictures, and returns the share of each that is
// left.
func (b *Batch) cut(r image.Rectangle) (share float64) {
	for i := range b.Rows / 2 {
		x, y := b.row(i), b.row(b.Rows-1-i)
		for j := range 3 * r.Dy() {
			from := ((j/r.Dy())*b.Side+r.Min.Y+j%r.Dy())*b.Side + r.Min.X
			for k := from; k < from+r.Dx(); k++ {
				x[k], y[k] = y[k], x[k]
			}
		}
	}
	return 1 - float64(r.Dx()*r.Dy())/float64(b.Side*b.Side)
}

// target sets what the model should answer: 1 - smoothing for the class, share of
// it for that of the picture itself, and smoothing for all classes together.
func (b *Batch) target(classes int, smoothing, share float64) {
	b.Targets = make([]float32, b.Rows*classes)
	off := float32(smoothing / float64(classes))
	on := float32(1 - smoothing + smoothing/float64(classes))
	value := func(hit bool) float32 {
		if hit {
			return on
		}
		return off
	}
	for i := range b.Targets {
		row, class := i/classes, int32(i%classes)
		own, other := value(b.Labels[row] == class), value(b.Labels[b.Rows-1-row] == class)
		b.Targets[i] = float32(own*float32(share)) + float32(other*float32(1-share))
	}
}

// beta draws from Beta(alpha, alpha).
func beta(r *rand.Rand, alpha float64) float64 {
	a, b := gamma(r, alpha), gamma(r, alpha)
	if a+b == 0 { // both too small for a number: one of the two ends
		return float64(r.IntN(2))
	}
	return a / (a + b)
}

// gamma draws from Gamma(alpha, 1) (Marsaglia and Tsang, 2000).
func gamma(r *rand.Rand, alpha float64) float64 {
	if alpha < 1 {
		return gamma(r, alpha+1) * math.Pow(r.Float64(), 1/alpha)
	}
	d := alpha - 1./3
	for {
		x := r.NormFloat64()
		v := math.Pow(1+x/math.Sqrt(9*d), 3)
		if v > 0 && math.Log(1-r.Float64()) < x*x/2+d-d*v+d*math.Log(v) {
			return d * v
		}
	}
}
