package train

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mega-go/mega/autograd"
	"github.com/mega-go/mega/nn"
	"github.com/mega-go/mega/tensor"
)

const (
	toyBatches = 7 // batches per epoch
	toyRows    = 8
	toyInputs  = 6
	toyClasses = 3
)

// toy is a task small enough to train in a blink, with everything that must
// survive a resume: batch norm's buffers, dropout, data that differs by epoch.
type toy struct {
	params *nn.Params
	in     *nn.Linear
	norm   *nn.Norm
	block  *nn.Section
	out    *nn.Linear

	dropout  float64
	together int // batches that are read as one, 0 for one

	onBatch func(epoch, i int)           // called before each training batch
	poison  func(epoch, i int) bool      // whether a batch holds NaN
	failing func(epoch, i int) error     // why a batch cannot be trained on
	onValid func(n int) (Metrics, error) // called instead of validating, if set
	valids  int                          // validations so far
	moved   []*tensor.Tensor             // inputs of batches on a device, which are the toy's there
}

func newToy() *toy { return newToyOf(nn.BatchNorm, 0.2) }

func newToyOf(norm nn.NormType, dropout float64) *toy { return newToyWide(norm, dropout, 16) }

// newToyWide returns a toy with so many channels.
func newToyWide(norm nn.NormType, dropout float64, width int) *toy {
	t := &toy{params: nn.NewParams(3), dropout: dropout}
	root := t.params.Root()
	t.in = nn.NewLinear(root.Sub("in"), toyInputs, width, true, nn.XavierUniform)
	t.block = root.Section(func() { t.norm = nn.NewNorm(root.Sub("mid"), norm, width, true) })
	t.out = nn.NewLinear(root.Sub("out"), width, toyClasses, true, nn.XavierUniform)
	return t
}

func (t *toy) Params() *nn.Params { return t.params }

func (t *toy) Describe() Description {
	return Description{Task: "toy", Model: map[string]int{"width": 16}, Data: map[string]int{"rows": toyRows}, Metrics: []string{"loss", "accuracy"}}
}

func (t *toy) Metrics(s Stats) Metrics {
	return Metrics{"loss": s.LossBase2(), "accuracy": s.Accuracy()}
}

func (t *toy) Epoch(n int) (Batches, error) { return toyEpoch{t, n}, nil }

func (t *toy) Validate(ctx context.Context, e *Evaluator) (Metrics, error) {
	t.valids++
	if t.onValid != nil {
		return t.onValid(t.valids)
	}
	s, err := e.Run(ctx, toyEpoch{t, 0})
	if err != nil {
		return nil, err
	}
	return t.Metrics(s), nil
}

// toyEpoch is an epoch of a toy; epoch 0 is what it is validated on.
type toyEpoch struct {
	toy   *toy
	epoch int
}

func (e toyEpoch) Len() int {
	return (toyBatches + max(1, e.toy.together) - 1) / max(1, e.toy.together)
}

func (e toyEpoch) Batch(i int) (Batch, error) {
	n := max(1, e.toy.together)
	whole := e.batch(i * n)
	for j := i*n + 1; j < min(toyBatches, (i+1)*n); j++ {
		b := e.batch(j)
		whole.x = tensor.FromSlice(append(slices.Clone(whole.x.Data()), b.x.Data()...), len(whole.labels)+toyRows, toyInputs)
		whole.labels = append(whole.labels, b.labels...)
	}
	return whole, nil
}

func (e toyEpoch) batch(i int) toyBatch {
	rng := rand.New(rand.NewPCG(uint64(e.epoch), uint64(i)))
	b := toyBatch{toyEpoch: e, i: i, x: tensor.New(toyRows, toyInputs), labels: make([]int32, toyRows)}
	for r := range toyRows {
		sum := 0.0
		for c := range toyInputs {
			x := rng.NormFloat64()
			b.x.Row(r)[c] = float32(x)
			sum += x
		}
		b.labels[r] = int32(min(max(math.Round(sum)+1, 0), toyClasses-1))
	}
	if e.epoch > 0 && e.toy.poison != nil && e.toy.poison(e.epoch, i) {
		b.x.Row(0)[0] = float32(math.NaN())
	}
	return b
}

type toyBatch struct {
	toyEpoch
	i      int
	x      *tensor.Tensor
	labels []int32
}

func (b toyBatch) Loss(t *autograd.Tape) (Result, error) {
	m := b.toy
	if b.epoch > 0 && m.onBatch != nil {
		m.onBatch(b.epoch, b.i)
	}
	if b.epoch > 0 && m.failing != nil {
		if err := m.failing(b.epoch, b.i); err != nil {
			return Result{}, err
		}
	}
	if on := m.params.Device(); on != nil {
		b.x.Move(on)
		m.moved = append(m.moved, b.x)
	}
	h := m.in.Forward(t, autograd.NewConstant(b.x), autograd.Identity)
	m.block.Enter(t)
	h = m.norm.Forward(t, h)
	h = nn.Dropout{P: m.dropout}.Forward(t, h)
	loss := t.CrossEntropy(m.out.Forward(t, h, autograd.Identity), b.labels, -1, 0)
	return Result{loss.Variable, func() Stats {
		n, rows := loss.Host(), float64(len(b.labels))
		return Stats{
			Loss: n.Sum, NLL: n.NLL, SampleSize: rows,
			Correct: float64(n.Correct), Sentences: rows, Tokens: rows * toyInputs,
		}
	}}, nil
}

// toyConfig trains a toy for 40 updates with everything switched on.
func toyConfig() Config {
	c := DefaultConfig()
	c.MaxUpdate, c.LogInterval = 40, 5
	c.ScheduleConfig.LRScheduler, c.LR = "linear_decay", []float64{0.02}
	c.WarmupUpdates, c.TotalNumUpdate = 8, 60
	c.AdamBetas, c.WeightDecay, c.ClipNorm = [2]float64{0.9, 0.98}, 0.01, 0.5
	c.BestCheckpointMetric, c.MaximizeBestCheckpointMetric = "accuracy", true
	return c
}

// trainToy runs a toy for as long as c says.
func trainToy(t *testing.T, m *toy, c Config, dir string) Summary {
	t.Helper()
	s, err := Run(context.Background(), m, c, Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// interruptToy runs a toy and ends its context during the given update.
func interruptToy(t *testing.T, m *toy, c Config, dir string, update int) Summary {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	freq := c.UpdateFreq[0]
	m.onBatch = func(epoch, i int) {
		if (epoch-1)*((toyBatches+freq-1)/freq)+i/freq+1 == update {
			cancel()
		}
	}
	s, err := Run(ctx, m, c, Options{Dir: dir})
	if !errors.Is(err, ErrInterrupted) {
		t.Fatalf("got %v, want ErrInterrupted", err)
	}
	m.onBatch = nil
	return s
}

// toyState is everything a toy has learnt, as bits.
func toyState(m *toy) []uint32 {
	var out []uint32
	add := func(x *tensor.Tensor) {
		for _, v := range x.Host() {
			out = append(out, math.Float32bits(v))
		}
	}
	for _, p := range m.params.All() {
		add(p.Value())
	}
	for _, b := range m.params.Buffers() {
		add(b.Tensor)
	}
	for _, c := range m.params.Counters() {
		out = append(out, uint32(c.Value))
	}
	return out
}
