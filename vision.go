package mega

import (
	"fmt"
	"math"

	"github.com/mega-go/mega/autograd"
	"github.com/mega-go/mega/nn"
)

// Vision maps pictures to scores of classes: the reference's VisionMEGA
// (timm/models/vision_mega.py of XuezheMax/mega-image). It reads the patches of a
// picture as one sequence, row by row.
type Vision struct {
	base[VisionConfig]
	stack
	position *nn.Parameter // [1, L, D], nil with no_pos_emb
	patches  *nn.Linear    // 3·P² to D
	outProj  *nn.Linear    // D to D
	head     *nn.Linear    // D to classes
	tapes                  // for Logits
}

// Images is a batch of B square pictures of side S.
type Images struct {
	Rows, Side int
	Pixels     []float32 // [B, 3, S, S] normalised numbers: red, green, blue, each row by row
}

// colours is how many numbers a pixel has.
const colours = 3

// NewVision returns a model with initial parameters fixed by config.Seed, or an
// error that lists what is wrong with the configuration.
func NewVision(config VisionConfig) (*Vision, error) {
	return NewVisionOf(nn.NewParams(config.Seed), config)
}

// NewVisionOf is NewVision with parameters registered in an empty set.
func NewVisionOf(params *nn.Params, config VisionConfig) (*Vision, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	return buildVision(params, config)
}

// buildVision registers the model of a valid configuration in the reference's order.
func buildVision(params *nn.Params, c VisionConfig) (*Vision, error) {
	block, err := c.block()
	if err != nil {
		return nil, err
	}
	m := &Vision{base: base[VisionConfig]{c, params}}
	root, d := params.Root(), c.EmbedDim
	rootOfD := math.Pow(float64(d), -0.5)
	if !c.NoPosEmb { // the reference cuts the distribution off at ±2, where it is nothing
		m.position = root.Parameter("pos_embed", nn.Normal(0, rootOfD), 1, c.Patches(), d)
	}
	proj := root.Sub("patch_embed").Sub("pemb").Sub("proj")
	init, shape := nn.Normal(0, rootOfD), []int{d, colours * c.PatchSize * c.PatchSize}
	if c.PatchImpl == PatchConv { // of torch's Conv2d
		init, shape = nn.Uniform(1/math.Sqrt(float64(shape[1]))), []int{d, colours, c.PatchSize, c.PatchSize}
	}
	m.patches = &nn.Linear{Weight: proj.Parameter("weight", init, shape...), Bias: proj.Parameter("bias", init, d)}
	m.stack = newStack(root, block, stackOptions{layers: c.Depth, inputDim: d, finalAffine: true, blocks: "blocks"})
	m.stack.dropout = nn.Dropout{} // nothing drops out of what the patches become
	m.stack.embed = m.embedPatches
	m.outProj = nn.NewLinear(root.Sub("out_proj").Sub("fc"), d, d, true, nn.Normal(0, projectionStd))
	m.head = nn.NewLinear(root.Sub("head"), d, c.NumClasses, true, nn.XavierUniform)
	return m, nil
}

// Check reports pictures of another size than the model reads.
func (m *Vision) Check(in *Images) error {
	side := m.config.ImgSize
	switch {
	case in.Rows < 1:
		return fmt.Errorf("a batch of %d pictures, want at least one", in.Rows)
	case in.Side != side:
		return fmt.Errorf("pictures of %d×%d pixels, and the model reads %d×%d (img_size)", in.Side, in.Side, side, side)
	case len(in.Pixels)%(colours*side*side) != 0 || len(in.Pixels)/(colours*side*side) != in.Rows:
		return fmt.Errorf("pictures of %d numbers, want %d × %d × %d × %d", len(in.Pixels), in.Rows, colours, side, side)
	}
	return nil
}

// embedPatches returns the patches of pictures and where they are: [B, L, D].
func (m *Vision) embedPatches(t *autograd.Tape, in *Input) *autograd.Variable {
	c := m.config
	x := t.Patches(in.Samples, in.Rows, colours, c.ImgSize, c.PatchSize)
	weight := m.patches.Weight.Variable
	if c.PatchImpl == PatchConv { // as a matrix
		weight = t.Reshape(weight, c.EmbedDim, x.Cols())
	}
	var position *autograd.Variable
	if m.position != nil {
		places := make([]int32, in.Rows*in.Length)
		for i := range places {
			places[i] = int32(i % in.Length)
		}
		const all = -1 // take a gradient
		position = t.Embedding(places, []int{in.Rows, in.Length}, m.position.Variable, 1, all)
	}
	return t.LinearAdd(position, x, weight, m.patches.Bias.Variable, autograd.Identity)
}

// Forward returns the scores of the classes on a tape: [B, classes].
func (m *Vision) Forward(t *autograd.Tape, in *Images) (*autograd.Variable, error) {
	if err := m.Check(in); err != nil {
		return nil, err
	}
	patches := Input{Rows: in.Rows, Length: m.config.Patches(), Samples: in.Pixels}
	x, _, err := m.forward(t, &patches, nil)
	if err != nil {
		return nil, err
	}
	x = m.outProj.Forward(t, x, autograd.SiLU)
	return m.head.Forward(t, t.MeanPool(x, patches.floatLengths()), autograd.Identity), nil
}

// Loss returns the summed cross-entropy of targets [B, classes], each row of which
// is a distribution, on a tape.
func (m *Vision) Loss(t *autograd.Tape, in *Images, targets []float32) (autograd.Loss, error) {
	if n := m.config.NumClasses; len(targets) != in.Rows*n {
		return autograd.Loss{}, fmt.Errorf("%d numbers of targets, want %d for each of %d pictures", len(targets), n, in.Rows)
	}
	logits, err := m.Forward(t, in)
	if err != nil {
		return autograd.Loss{}, err
	}
	return t.SoftCrossEntropy(logits, targets), nil
}

// Logits returns the scores of the classes for each picture. It is safe to call
// from several goroutines while the parameters stay as they are.
func (m *Vision) Logits(in Images) ([][]float32, error) {
	return m.rows(m.params, func(t *autograd.Tape) (*autograd.Variable, error) { return m.Forward(t, &in) })
}

// LeaveDevice moves the parameters from a device to the host, and gives the device back
// all memory that Logits has taken.
func (m *Vision) LeaveDevice() { m.leave(m.params) }
