package forward

import (
	"fmt"
	"math"
	"slices"

	"github.com/mega-go/mega"
	"github.com/mega-go/mega/autograd"
	"github.com/mega-go/mega/checkpoint"
	"github.com/mega-go/mega/format/dtype"
	"github.com/mega-go/mega/format/safetensors"
	"github.com/mega-go/mega/internal/cuda/device"
	"github.com/mega-go/mega/nn"
	"github.com/mega-go/mega/tensor"
)

// Options say how Run runs a model.
type Options struct {
	Prefix string        // of the names of the inputs
	Train  bool          // in training mode without dropout, with gradients
	Device device.Device // computes, nil for the CPU
}

// Run runs the model of a checkpoint on given tensors. It reads
// PREFIXnet_input.src_tokens, .src_lengths and .prev_output_tokens,
// PREFIXnet_input1.*, and PREFIXtarget, as far as the model takes them, and
// returns logits (features and log_probs of an adaptive softmax), the summed
// loss in nats where there is a target, and with Train grad.NAME of every
// parameter and buffer.NAME of everything else that a step changes.
func Run(c *checkpoint.Checkpoint, in *safetensors.Reader, o Options) (out []safetensors.Tensor, err error) {
	defer device.Catch(&err)
	f := runner{reader: in, options: o, tape: autograd.NewTape()}
	if o.Train {
		f.tape = autograd.NewTrainingTape()
		f.tape.NoDropout()
	}
	defer f.tape.Workers().Hot()()
	params, pass, err := f.model(c)
	if err != nil {
		return nil, err
	}
	if o.Device != nil {
		f.tape.SetDevice(o.Device)
		params.Move(o.Device)
	}
	return f.run(params, pass)
}

// model makes the model of a checkpoint and returns its parameters and what runs
// it.
func (f *runner) model(c *checkpoint.Checkpoint) (*nn.Params, func() error, error) {
	m, err := c.Model()
	if err != nil {
		return nil, nil, err
	}
	switch m := m.(type) {
	case *mega.Classifier:
		return m.Params(), func() error { return f.classify(m) }, nil
	case *mega.LanguageModel:
		return m.Params(), func() error { return f.predict(m) }, nil
	case *mega.Translator:
		return m.Params(), func() error { return f.translate(m, labelSmoothing(c.Args)) }, nil
	case *mega.Vision:
		return m.Params(), func() error { return f.look(m) }, nil
	}
	return nil, nil, fmt.Errorf("%s: models of %s cannot be run on given tensors", c.Path, c.Task)
}

// A runner runs one model once.
type runner struct {
	reader  *safetensors.Reader
	options Options
	tape    *autograd.Tape
	loss    autograd.Loss // its Variable is nil without a target
	out     []safetensors.Tensor
}

// run runs a model and collects what it says.
func (f *runner) run(p *nn.Params, pass func() error) ([]safetensors.Tensor, error) {
	if err := pass(); err != nil {
		return nil, err
	}
	if !f.options.Train {
		return f.out, nil
	}
	if f.loss.Variable == nil {
		return nil, fmt.Errorf("gradients need %s, which the input does not have", f.name("target"))
	}
	f.tape.Backward(f.loss.Variable)
	for _, q := range p.All() {
		grad := make([]float32, tensor.Size(q.Shape()))
		if g := q.Grad(); g != nil {
			copy(grad, g.Host())
		}
		f.out = append(f.out, safetensors.Of("grad."+q.Name, q.Shape(), grad))
	}
	for _, b := range p.Buffers() {
		f.out = append(f.out, safetensors.Of("buffer."+b.Name, b.Shape(), b.Host()))
	}
	for _, c := range p.Counters() {
		f.out = append(f.out, safetensors.Of("buffer."+c.Name, nil, []int64{c.Value}))
	}
	return f.out, nil
}

func (f *runner) name(s string) string { return f.options.Prefix + s }

// addOutput copies a result.
func (f *runner) addOutput(name string, v *autograd.Variable) {
	f.out = append(f.out, safetensors.Of(name, slices.Clone(v.Shape()), slices.Clone(v.Value().Host())))
}

func (f *runner) addLoss(l autograd.Loss) {
	f.loss = l
	f.out = append(f.out, safetensors.Of("loss", []int{1}, []float64{l.Host().Sum}))
}

// input reads the tensors of one text, or of real numbers.
func (f *runner) input(group string, tokens bool) (*mega.Input, error) {
	name := group + ".src_tokens"
	info, ok := f.reader.Info(f.name(name))
	if !ok {
		return nil, fmt.Errorf("the input has no %s; it has %v", f.name(name), f.reader.Names())
	}
	if len(info.Shape) != 2 {
		return nil, fmt.Errorf("%s has shape %v, want [batch, length]", f.name(name), info.Shape)
	}
	in := &mega.Input{Rows: info.Shape[0], Length: info.Shape[1]}
	var err error
	if tokens {
		in.Tokens, _, err = f.integers(name)
	} else if info.DType == dtype.I64 {
		err = fmt.Errorf("%s holds integers, and the model reads real numbers", f.name(name))
	} else {
		in.Samples, err = f.reader.Float32(f.name(name))
	}
	if err != nil {
		return nil, err
	}
	lengths := group + ".src_lengths"
	if _, ok := f.reader.Info(f.name(lengths)); ok {
		in.Lengths, _, err = f.integers(lengths)
	}
	return in, err
}

// target reads n targets below limit, nil if the input has none.
func (f *runner) target(n, limit int) ([]int32, error) {
	if _, ok := f.reader.Info(f.name("target")); !ok {
		return nil, nil
	}
	target, _, err := f.integers("target")
	if err != nil {
		return nil, err
	}
	if len(target) != n {
		return nil, fmt.Errorf("%s has %d numbers, want %d", f.name("target"), len(target), n)
	}
	for i, v := range target {
		if v < 0 || int(v) >= limit {
			return nil, fmt.Errorf("%s holds %d at %d, want less than %d", f.name("target"), v, i, limit)
		}
	}
	return target, nil
}

// integers reads a tensor of integers that fit into 32 bits.
func (f *runner) integers(name string) ([]int32, []int, error) {
	wide, err := f.reader.Int64(f.name(name))
	if err != nil {
		return nil, nil, err
	}
	out := make([]int32, len(wide))
	for i, v := range wide {
		if v < math.MinInt32 || v > math.MaxInt32 {
			return nil, nil, fmt.Errorf("%s holds %d at %d, which is no id", f.name(name), v, i)
		}
		out[i] = int32(v)
	}
	shape, _ := f.reader.Shape(f.name(name))
	return out, shape, nil
}
