package driver

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mega-go/mega/autograd"
	"github.com/mega-go/mega/internal/cuda/device"
	"github.com/mega-go/mega/internal/cuda/kernels"
	"github.com/mega-go/mega/tensor"
)

// Tapes compute on a device, and on its stream.
var (
	_ device.Device = (*Device)(nil)
	_ device.Device = (*Stream)(nil)
)

// A network is a small one of the operations of a block, with a loss.
type network struct {
	x          *autograd.Variable
	parameters []*autograd.Variable
	tape       *autograd.Tape
}

func newNetwork(on device.Device) *network {
	r := rand.New(rand.NewPCG(3, 4))
	numbers := func(shape ...int) *tensor.Tensor {
		t := tensor.New(shape...)
		for i := range t.Data() {
			t.Data()[i] = float32(r.NormFloat64())
		}
		t.Move(on)
		return t
	}
	n := &network{x: autograd.NewConstant(numbers(2, 9, 8)), tape: autograd.NewTrainingTape()}
	n.tape.SetDevice(on)
	for _, shape := range [][]int{{12, 8}, {12}, {12}, {12}, {12, 2}, {12, 2}, {12, 2}, {12, 2}, {12}, {17}} {
		n.parameters = append(n.parameters, autograd.NewParameter(numbers(shape...)))
	}
	return n
}

// step returns the loss and all gradients.
func (n *network) step() (all []float32) {
	t, p := n.tape, n.parameters
	t.SetSeed(7)
	h := t.Linear(n.x, p[0], p[1], autograd.SiLU)
	h = t.Dropout(t.LayerNorm(h, p[2], p[3], 1e-5), 0.2)
	e := t.EMA(h, nil, autograd.EMAParameters{Delta: p[4], Alpha: p[5], Beta: p[6], Gamma: p[7], Omega: p[8]}, autograd.EMAConfig{States: 2}, nil)
	a := t.Attention(e, h, h, autograd.AttentionConfig{Function: autograd.AttentionSoftmax, Queries: 9, Keys: 9, Causal: true, Scale: 0.3, Bias: p[9], BiasZero: 8})
	loss := t.CrossEntropy(a, []int32{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 0, 1, 2, 3, 4, -1}, -1, 0.1)
	all = []float32{float32(loss.Host().Sum)}
	t.Backward(loss.Variable)
	for _, v := range p {
		all = append(all, v.Grad().Host()...)
		v.ZeroGrad()
	}
	t.Reset()
	return all
}

// TestTape has a tape compute on a device of the driver. It gives, bit for bit, what the
// interpreter gives by itself, and a second step takes no more memory than the first.
func TestTape(t *testing.T) {
	m, err := parse(kernels.PTX)
	if err != nil {
		t.Fatal(err)
	}
	want := newNetwork(device.NewInterpreter(m)).step()
	s := newStandin()
	dev := openStandin(t, s)
	err = dev.Run(func(stream *Stream) (err error) {
		defer device.Catch(&err)
		n := newNetwork(stream)
		for step := range 2 {
			s.log = nil
			if got := n.step(); !slices.Equal(got, want) {
				t.Errorf("step %d gives other numbers than the interpreter", step)
			}
			if step > 0 && slices.Contains(s.log, "cuMemAlloc_v2") {
				t.Errorf("step %d asks the driver for memory", step)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if got := newNetwork(dev).step(); !slices.Equal(got, want) {
		t.Error("operations that run by themselves give other numbers than those of one function")
	}
}

// TestTapeFails holds that an error of the driver in the middle of a step is what a tape
// says.
func TestTapeFails(t *testing.T) {
	s := newStandin()
	dev := openStandin(t, s)
	err := dev.Run(func(stream *Stream) (err error) {
		defer device.Catch(&err)
		n := newNetwork(stream)
		s.failAt = len(s.log) + 30
		n.step()
		return nil
	})
	if err == nil || s.failed == "" {
		t.Errorf("the call %q fails: %v", s.failed, err)
	}
	t.Log(err)
}
