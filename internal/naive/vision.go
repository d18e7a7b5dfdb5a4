package naive

import (
	"fmt"
	"math"
)

// Vision is VisionMEGA of XuezheMax/mega-image: patches of an image in raster
// order, a learned embedding of their position, blocks with pre-norm and laplace
// attention, then a projection of every patch, the mean and a classifier
// (timm/models/vision_mega.py:125 there).
type Vision struct {
	Patch    Projection // 3·P² pixels, channel by channel, to D
	Position *Matrix    // [1×L·D], or nil with no_pos_emb
	Encoder  *Stack
	Project  Projection // D to D, with silu
	Head     Projection // D to classes
}

func (l *loader) vision() *Vision {
	v := &Vision{
		Patch:    l.projection("patch_embed.pemb.proj"),
		Position: l.optional("pos_embed"),
		Project:  l.projection("out_proj.fc"),
		Head:     l.projection("head"),
		Encoder:  &Stack{},
	}
	o := layout{
		attention: AttentionOptions{Function: "laplace"},
		bias:      "simple",
		norm:      l.text("norm_type", "layernorm"),
		prenorm:   true,
	}
	for i := range l.int("depth", 12) {
		b := l.block(fmt.Sprintf("blocks.%d.", i), o)
		// The names of the two parameters mean the opposite there
		// (timm/models/mega/exponential_moving_average.py:56).
		ema := &b.Mega.EMA
		ema.Delta, ema.Alpha, ema.Shifted = ema.Alpha, ema.Delta, true
		v.Encoder.Blocks = append(v.Encoder.Blocks, b)
	}
	v.Encoder.FinalNorm = l.norm("final_norm", o.norm, true)
	return v
}

func (v *Vision) forward(b Batch) *Output {
	batch := len(b.Images)
	x := v.Patch.Apply(v.patches(b.Images))
	length := x.Rows / batch
	if v.Position != nil {
		x = Add(x, Gather(v.Position, x.Rows, x.Cols, func(i, j int) int { return i%length*x.Cols + j }))
	}
	x = v.Encoder.layers(x, noMasks(batch, length), nil, nil)
	x = SiLU(v.Project.Apply(x))
	lengths := make([]int, batch)
	for i := range lengths {
		lengths[i] = length
	}
	return &Output{Logits: v.Head.Apply(MeanPool(x, lengths))}
}

// patches returns the pixels of every patch, [B·L × 3·P²], of square images: with
// them a convolution of stride P is a projection.
func (v *Vision) patches(images [][]float64) *Matrix {
	const channels = 3
	size := int(math.Round(math.Sqrt(float64(len(images[0]) / channels))))
	p := int(math.Round(math.Sqrt(float64(v.Patch.Weight.Cols / channels))))
	side := size / p
	return FromFunc(len(images)*side*side, v.Patch.Weight.Cols, func(i, j int) float64 {
		image, row, col := i/(side*side), i/side%side, i%side
		channel, y, x := j/(p*p), j/p%p, j%p
		return images[image][(channel*size+row*p+y)*size+col*p+x]
	})
}

func (v *Vision) loss(out *Output, target []int) *Matrix {
	return CrossEntropy(out.Logits, target, NoPad)
}
