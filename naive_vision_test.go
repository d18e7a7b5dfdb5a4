package mega_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/mega-go/mega"
	"github.com/mega-go/mega/autograd"
	"github.com/mega-go/mega/internal/naive"
)

// visionConfig is a small model.
func visionConfig() mega.VisionConfig {
	return mega.VisionConfig{
		Seed: 3, ImgSize: 12, PatchSize: 4, PatchImpl: mega.PatchConv, NumClasses: 5, Depth: 3,
		EmbedDim: 10, HiddenDim: 14, FFNHiddenDim: 12, ZDim: 6, NDim: 4, NormType: "layernorm",
	}
}

// randomImages returns a batch, as the model and as the specification read it,
// with a class for each picture.
func randomImages(rng *rand.Rand, c mega.VisionConfig, rows int) (in *mega.Images, b naive.Batch) {
	in = &mega.Images{Rows: rows, Side: c.ImgSize}
	n := 3 * c.ImgSize * c.ImgSize
	for range rows * n {
		in.Pixels = append(in.Pixels, float32(rng.NormFloat64()))
	}
	for i := range rows {
		b.Images = append(b.Images, naive.FromFloat32(1, n, in.Pixels[i*n:][:n]).Data)
		b.Target = append(b.Target, rng.IntN(c.NumClasses))
	}
	return in, b
}

// oneHot returns targets of one class a row.
func oneHot(classes []int, n int) []float32 {
	targets := make([]float32, len(classes)*n)
	for i, c := range classes {
		targets[i*n+c] = 1
	}
	return targets
}

// TestVisionMatchesSpecification holds small models of images against the
// specification: logits, loss, every gradient, running statistics.
func TestVisionMatchesSpecification(t *testing.T) {
	changes := map[string]func(c *mega.VisionConfig){
		"conv": func(*mega.VisionConfig) {}, "linear": func(c *mega.VisionConfig) { c.PatchImpl = mega.PatchLinear },
		"no positions": func(c *mega.VisionConfig) { c.NoPosEmb = true }, "one patch": func(c *mega.VisionConfig) { c.PatchSize = 12 },
		"pixels": func(c *mega.VisionConfig) { c.PatchSize = 1 }, "batchnorm": func(c *mega.VisionConfig) { c.NormType = "batchnorm" },
		"scalenorm": func(c *mega.VisionConfig) { c.NormType = "scalenorm" }, "one state": func(c *mega.VisionConfig) { c.NDim = 1 },
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(8, 71))
			c := visionConfig()
			change(&c)
			m := shaken(t, rng, c, mega.NewVision)
			in, batch := randomImages(rng, c, 4)
			targets := oneHot(batch.Target, c.NumClasses)
			matchSpecification(t, c, m.Params(), batch, func() ([][]float32, error) { return m.Logits(*in) },
				func(tape *autograd.Tape) (autograd.Loss, error) { return m.Loss(tape, in, targets) })
		})
	}
}

// TestDropPath: a block whose layers are left out for a picture does nothing but
// keep 1−u of it, as the specification has it with a candidate and a network of
// zero, and NoDropout keeps every layer.
func TestDropPath(t *testing.T) {
	c := visionConfig()
	c.Depth, c.DropPathRate = 2, 0.999 // which the first block does not have
	m, err := mega.NewVision(c)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(8, 72))
	shake(rng, m.Params())
	in, batch := randomImages(rng, c, 2)
	targets := oneHot(batch.Target, c.NumClasses)
	sum := func(quiet bool) float64 {
		tape := autograd.NewTrainingTape()
		tape.SetSeed(4)
		if quiet {
			tape.NoDropout()
		}
		l, err := m.Loss(tape, in, targets)
		if err != nil {
			t.Fatal(err)
		}
		return l.Host().Sum
	}
	whole := specification(t, c, m.Params(), nil).Forward(batch).Loss.Data
	within(t, "loss without dropout", []float32{float32(sum(true))}, whole, outputBound, 0)
	dropped := specification(t, c, m.Params(), nil)
	last := dropped.Network.(*naive.Vision).Encoder.Blocks[1]
	last.Mega.Activation = func(x *naive.Matrix) *naive.Matrix { return naive.Scale(x, 0) }
	last.FFN.FC2.Weight, last.FFN.FC2.Bias = naive.Scale(last.FFN.FC2.Weight, 0), naive.Scale(last.FFN.FC2.Bias, 0)
	within(t, "loss with the last block left out", []float32{float32(sum(false))}, dropped.Forward(batch).Loss.Data, outputBound, 0)
}

// TestVisionRefuses: impossible configurations and inputs of another size fail
// with a sentence.
func TestVisionRefuses(t *testing.T) {
	for key, change := range map[string]func(c *mega.VisionConfig){
		"img_size": func(c *mega.VisionConfig) { c.ImgSize = 13 }, "patch_size": func(c *mega.VisionConfig) { c.PatchSize = 0 },
		"patch_impl": func(c *mega.VisionConfig) { c.PatchImpl = "fold" }, "drop_path_rate": func(c *mega.VisionConfig) { c.DropPathRate = 1 },
		"zdim": func(c *mega.VisionConfig) { c.ZDim = 0 }, "ndim": func(c *mega.VisionConfig) { c.NDim = -1 },
		"ffn_hidden_dim": func(c *mega.VisionConfig) { c.FFNHiddenDim = -1 }, "num_classes": func(c *mega.VisionConfig) { c.NumClasses = -1 },
		"norm_type": func(c *mega.VisionConfig) { c.NormType = "none" }, "depth": func(c *mega.VisionConfig) { c.Depth = 0 },
	} {
		c := visionConfig()
		change(&c)
		_, err := mega.NewVision(c)
		says(t, err, key)
	}
	m, err := mega.NewVision(visionConfig())
	if err != nil {
		t.Fatal(err)
	}
	for want, in := range map[string]mega.Images{
		"at least one": {Side: 12}, "img_size": {Rows: 1, Side: 8, Pixels: make([]float32, 192)},
		"numbers": {Rows: 2, Side: 12, Pixels: make([]float32, 433)},
	} {
		_, err := m.Logits(in)
		says(t, err, want)
	}
	tape := autograd.NewTrainingTape()
	_, err = m.Loss(tape, &mega.Images{Rows: 1, Side: 12, Pixels: make([]float32, 432)}, make([]float32, 4))
	says(t, err, "4 numbers of targets")
}

// says wants an error that says something.
func says(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want %s", err, want)
	}
}
