package driver

import (
	"math/rand/v2"
	"slices"
	"strings"
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
	adam       *autograd.Adam // of training
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
	h = t.LayerNorm(h, p[2], p[3], 1e-5, 0.2)
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

// train does a step of training on texts of some length: what changes from step to step, and
// what it changes, is all that a trainer's does. It returns the loss and the parameters.
func (n *network) train(number, length int) (all []float32) {
	t, p := n.tape, n.parameters
	if n.adam == nil {
		n.adam = autograd.NewAdam(p, autograd.AdamSettings{Betas: [2]float64{0.9, 0.98}, Eps: 1e-8, WeightDecay: 0.1})
	}
	t.SetSeed(uint64(number))
	tokens, mask, targets := make([]int32, 2*length), make([]bool, 2*length), make([]int32, 2*length)
	for i := range tokens {
		tokens[i], mask[i], targets[i] = int32((i*i+number)%12), (i+number)%5 == 0, int32((i+3*number)%12)
	}
	h := t.Dropout(t.Embedding(tokens, []int{2, length}, p[0], 1, -1), 0.2)
	h = t.Linear(h, p[0], p[1], autograd.SiLU)
	h = t.LayerNorm(h, p[2], p[3], 1e-5, 0)
	e := t.EMA(h, mask, autograd.EMAParameters{Delta: p[4], Alpha: p[5], Beta: p[6], Gamma: p[7], Omega: p[8]}, autograd.EMAConfig{States: 2}, nil)
	a := t.Attention(e, h, h, autograd.AttentionConfig{Function: autograd.AttentionSoftmax, Queries: length, Keys: length, Mask: mask, Scale: 0.3, Bias: p[9], BiasZero: 8, Dropout: 0.1})
	loss := t.CrossEntropy(a, targets, -1, 0.1)
	t.Backward(loss.Variable)
	var grads []*tensor.Tensor
	for _, v := range p {
		grads = append(grads, v.Grad())
		v.ZeroGrad()
	}
	n.adam.Step(grads, number+1, 0.01/float64(number+1), min(1, 1/n.adam.Norm(grads)))
	all = append(all, float32(loss.Host().Sum))
	for _, v := range p {
		all = append(all, v.Value().Host()...)
	}
	return all
}

// TestReplay has a tape train on a device of the driver by graphs, on texts of two lengths.
// It gives, bit for bit, what the interpreter gives without graphs, and a length that came
// three times launches nothing one by one any more, nor after the other length has come.
func TestReplay(t *testing.T) {
	m, err := parse(kernels.PTX)
	if err != nil {
		t.Fatal(err)
	}
	want := newNetwork(device.NewInterpreter(m))
	s := newStandin()
	err = openStandin(t, s).Run(func(stream *Stream) (err error) {
		defer device.Catch(&err)
		r, err := device.NewReplayer(stream)
		if err != nil {
			return err
		}
		n := newNetwork(r)
		if now, _ := r.Used(); now == 0 {
			t.Error("a network takes no memory")
		}
		for step, length := range []int{9, 9, 9, 9, 5, 5, 5, 5, 9, 5} {
			s.log = nil
			if got := n.train(step, length); !slices.Equal(got, want.train(step, length)) {
				t.Errorf("step %d gives other numbers than the interpreter without graphs", step)
			}
			replayed := !slices.Contains(s.log, "cuLaunchKernel") && slices.Contains(s.log, "cuGraphLaunch")
			if known := step == 3 || step > 5; replayed != known {
				t.Errorf("step %d is replayed: %v, want %v", step, replayed, known)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	old := newStandin()
	old.instantiate = nil
	err = openStandin(t, old).Run(func(stream *Stream) error { _, err := device.NewReplayer(stream); return err })
	if err == nil || !strings.Contains(err.Error(), "graphs need CUDA 11.4 or later") {
		t.Errorf("a driver without graphs: %v", err)
	}
}

// TestReplayGivesUp has each call of the driver that makes a graph fail: training goes on
// without graphs, with the same bits, and nothing is left of them.
func TestReplayGivesUp(t *testing.T) {
	m, err := parse(kernels.PTX)
	if err != nil {
		t.Fatal(err)
	}
	var want [3][]float32
	for step, n := 0, newNetwork(device.NewInterpreter(m)); step < len(want); step++ {
		want[step] = n.train(step, 3)
	}
	for _, call := range []string{"cuStreamBeginCapture_v2", "cuStreamEndCapture", "cuGraphInstantiateWithFlags", "cuGraphDestroy"} {
		s := newStandin()
		err := openStandin(t, s).Run(func(stream *Stream) (err error) {
			defer device.Catch(&err)
			var told []error
			r := device.Replaying(stream, func(err error) { told = append(told, err) })
			n := newNetwork(r)
			for step := range want {
				s.failCall = ""
				if step == 1 {
					s.failCall = call
				}
				s.log = nil
				if got := n.train(step, 3); !slices.Equal(got, want[step]) {
					t.Errorf("%s: step %d gives other numbers than the interpreter", call, step)
				}
			}
			if len(told) != 1 || !strings.Contains(told[0].Error(), call) || slices.Contains(s.log, "cuGraphLaunch") {
				t.Errorf("%s: %v was told, and the last step made the calls %q", call, told, s.log)
			}
			return nil
		})
		if err != nil {
			t.Errorf("%s: %v", call, err)
		}
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
