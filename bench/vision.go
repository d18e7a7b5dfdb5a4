package bench

import (
	"math/rand/v2"

	"github.com/mega-go/mega"
	"github.com/mega-go/mega/autograd"
)

type visionConfig mega.VisionConfig

// vision is a batch of pictures; its length is a picture's number of patches.
func vision(name string, batch int, arch string) Workload {
	c := ours(mega.VisionArch(arch))
	return Workload{name, batch, c.Patches(), visionConfig(c)}
}

// layers counts the projection after the blocks as scores of D words.
func (c visionConfig) layers() shape {
	return shape{
		layers: c.Depth, d: c.EmbedDim, h: c.HiddenDim, z: c.ZDim, ffn: c.FFNHiddenDim, states: c.NDim,
		chunk: -1, vocab: c.EmbedDim, input: 3 * c.PatchSize * c.PatchSize,
	}
}

func (c visionConfig) build(w Workload, rng *rand.Rand) (*model, error) {
	m, err := mega.NewVision(mega.VisionConfig(c))
	if err != nil {
		return nil, err
	}
	in := &mega.Images{Rows: w.Batch, Side: c.ImgSize, Pixels: make([]float32, w.Batch*3*c.ImgSize*c.ImgSize)}
	for i := range in.Pixels {
		in.Pixels[i] = float32(rng.NormFloat64())
	}
	targets := make([]float32, w.Batch*c.NumClasses)
	for i := range w.Batch {
		targets[i*c.NumClasses+rng.IntN(c.NumClasses)] = 1
	}
	return &model{
		params: m.Params(), samples: w.Batch,
		loss: func(t *autograd.Tape) (autograd.Loss, error) {
			return m.Loss(t, in, targets)
		},
		infer: func(t *autograd.Tape) error {
			_, err := m.Forward(t, in)
			return err
		},
	}, nil
}
