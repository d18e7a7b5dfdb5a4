package autograd

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/mega-go/mega/internal/cuda/device"
	"github.com/mega-go/mega/internal/cuda/devicetest"
	"github.com/mega-go/mega/internal/kernel"
	"github.com/mega-go/mega/internal/naive"
	"github.com/mega-go/mega/tensor"
)

// checkDevice holds the operation on a device against its specification.
func (s *specification) checkDevice(t *testing.T) {
	f := leaves
	if len(s.op.views) > 0 {
		f = viewed
	}
	var err error
	func() {
		defer device.Catch(&err)
		s.compare(t, s.runOn(devicetest.New(t), f), 1)
	}()
	if err != nil {
		t.Error(err)
	}
}

// A tape on a device refuses what is on the host, and what is on a device the host
// refuses, in words that say so.
func TestTensorsElsewhere(t *testing.T) {
	on := devicetest.New(t)
	there, here := tensor.New(2, 3), tensor.New(2, 3)
	there.Move(on)
	for name, c := range map[string]struct {
		want string
		run  func()
	}{
		"host by a device": {"are in the host's memory", func() {
			tape := NewTape()
			tape.SetDevice(on)
			tape.Add(NewConstant(there), NewConstant(here))
		}},
		"device by the host": {"an operation of the CPU on numbers of shape [2 3] is not available on the device interpreter", func() { NewTape().Add(NewConstant(there), NewConstant(here)) }},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if said := fmt.Sprint(recover()); !strings.Contains(said, c.want) {
					t.Errorf("%q, want it to say %q", said, c.want)
				}
			}()
			c.run()
		})
	}
}

// TestAdamOnDevice holds steps on a device against those of the CPU's plain kernels, bit for
// bit, and norms of gradients within their rounding.
func TestAdamOnDevice(t *testing.T) {
	before := kernel.Current()
	defer kernel.Use(before)
	if err := kernel.Use(kernel.Generic); err != nil {
		t.Fatal(err)
	}
	on := devicetest.New(t)
	settings := AdamSettings{Betas: [2]float64{0.9, 0.98}, Eps: 1e-8, WeightDecay: 0.1, Undecayed: []bool{false, true, false, false}}
	shapes := []shape{{3, 5}, {11}, {7}, {2, AdamBlock/2 + 3}} // the third gets no gradient
	begin := func(to device.Memory) (*Adam, []*Variable, []*tensor.Tensor) {
		rng := rand.New(rand.NewPCG(3, 4))
		var params []*Variable
		var grads []*tensor.Tensor
		for i, s := range shapes {
			w := tensor.FromSlice(normal(rng, tensor.Size(s), 1), s...)
			g := tensor.FromSlice(normal(rng, tensor.Size(s), 1), s...)
			w.Move(to)
			g.Move(to)
			if i == 2 {
				g = nil
			}
			params, grads = append(params, NewParameter(w)), append(grads, g)
		}
		return NewAdam(params, settings), params, grads
	}
	cpu, want, grads := begin(nil)
	gpu, got, there := begin(on)
	for step := range 3 {
		n, m := cpu.Norm(grads), gpu.Norm(there)
		if math.Abs(m-n) > 1e-12*n {
			t.Errorf("norm %v, want %v", m, n)
		}
		cpu.Step(grads, step+1, 0.01, 0.7)
		gpu.Step(there, step+1, 0.01, 0.7)
	}
	for i := range want {
		equal(t, "weight", got[i].Value().Host(), want[i].Value().Host())
		equal(t, "first moment", gpu.Moments()[2*i].Host(), cpu.Moments()[2*i].Host())
		equal(t, "second moment", gpu.Moments()[2*i+1].Host(), cpu.Moments()[2*i+1].Host())
	}
	there[3].WriteHost(func(x []float32) error { x[len(x)-1] = float32(math.Inf(1)); return nil })
	if gpu.Norm(there); gpu.NotFinite() != 3 {
		t.Errorf("parameter %d is not finite, want 3", gpu.NotFinite())
	}
}

// TestValuesOnDevice holds operations without a gradient against the CPU's.
func TestValuesOnDevice(t *testing.T) {
	const rows, cols, words = 9, 41, 38
	rng := rand.New(rand.NewPCG(5, 6))
	x, band, last := normal(rng, rows*cols, 3), normal(rng, rows*70, 1), normal(rng, rows*2, 1)
	copy(x[2*cols:], []float32{7, 90, 3, 90}) // the largest twice
	targets := make([]int32, rows)
	for i := range targets {
		targets[i] = int32(i * 5 % cols)
	}
	type values struct {
		logs, joined   []float32
		best, ranks    []int
		targetLogProbs []float64
	}
	compute := func(on device.Device) (v values) {
		tape := NewTape()
		tape.SetDevice(on)
		constant := func(x []float32, cols int) *Variable {
			return NewConstant(tape.moved(tensor.FromSlice(slices.Clone(x), rows, cols)))
		}
		a := constant(x, cols)
		v.logs = tape.LogSoftmax(a).Value().Host()
		v.joined = tape.JoinBands([]*Variable{constant(x[:rows*(words+2)], words+2), constant(band, 70), constant(last, 2)}, words).Value().Host()
		v.best, v.ranks, v.targetLogProbs = tape.Argmax(a), tape.Ranks(a, targets), tape.TargetLogProbs(a, targets)
		return v
	}
	want, got := compute(nil), compute(devicetest.New(t))
	wide := func(x []float32) []float64 { return naive.FromFloat32(1, len(x), x).Data }
	within(t, "log-softmax", got.logs, wide(want.logs), 1, 0)
	within(t, "bands", got.joined, wide(want.joined), 1, 0)
	within(t, "log-probabilities", numbers32(got.targetLogProbs), want.targetLogProbs, 1, 0)
	if !slices.Equal(got.best, want.best) || !slices.Equal(got.ranks, want.ranks) {
		t.Errorf("largest %v and ranks %v, want %v and %v", got.best, got.ranks, want.best, want.ranks)
	}
}

// A failing device counts its memory, and fails at copies and launches while it is told to.
type failing struct {
	device.Device
	now  bool
	live int // blocks of memory
}

func (f *failing) Alloc(n int) (device.Address, error) { f.live++; return f.Device.Alloc(n) }
func (f *failing) Free(at device.Address) error        { f.live--; return f.Device.Free(at) }

func (f *failing) Write(at device.Address, data []byte) error {
	if f.now {
		return errors.New("told to fail")
	}
	return f.Device.Write(at, data)
}

func (f *failing) Launch(kernel string, grid, block [3]int, args ...any) error {
	if f.now {
		return errors.New("told to fail")
	}
	return f.Device.Launch(kernel, grid, block, args...)
}

// TestTapeAfterFailure holds that nothing of an operation that failed reaches those after
// a Reset, and that a closed tape leaves no memory, that of seeds included.
func TestTapeAfterFailure(t *testing.T) {
	on := &failing{Device: devicetest.New(t)}
	tape := NewTrainingTape()
	tape.SetDevice(on)
	d := tape.device
	x := tensor.FromSlice([]float32{1, 2, 3, 4, 5, 6}, 2, 3)
	x.Move(on)
	var err error
	fail := func(f func()) {
		t.Helper()
		on.now, err = true, nil
		func() {
			defer device.Catch(&err)
			f()
		}()
		if on.now = false; err == nil {
			t.Fatal("nothing failed")
		}
	}
	fail(func() { d.add(x.Columns(0, 2), x.Columns(0, 2), x.Columns(1, 3)) })
	if len(d.results) == 0 || len(d.scratch) == 0 {
		t.Fatal("an operation on columns takes no memory")
	}
	fail(func() { d.putInts([]int32{7}) })
	tape.Reset()
	if len(d.results)+len(d.scratch)+len(d.uploads) > 0 || tape.pool.Taken() > 0 {
		t.Errorf("%d results, %d pieces of memory and %d copies are left, and %d numbers taken",
			len(d.results), len(d.scratch), len(d.uploads), tape.pool.Taken())
	}
	fail(func() { d.putInts([]int32{7}) })
	at, got := d.putInts([]int32{7}), make([]byte, 4)
	if err := d.Read(got, at); err != nil || got[0] != 7 {
		t.Errorf("a copy after one that failed holds %v, %v", got, err)
	}
	tape.Dropout(NewConstant(x), 0.5)
	tape.Close()
	if on.live != 1 { // x
		t.Errorf("a closed tape leaves %d blocks of memory", on.live-1)
	}
}

// A listing device notes the kernels that it launches.
type listing struct {
	device.Device
	kernels []string
}

func (l *listing) Launch(kernel string, grid, block [3]int, args ...any) error {
	l.kernels = append(l.kernels, kernel)
	return l.Device.Launch(kernel, grid, block, args...)
}

// TestLinearIsOneKernel: a product with all that goes with it, what backward reads included,
// is one launch.
func TestLinearIsOneKernel(t *testing.T) {
	on := &listing{Device: devicetest.New(t)}
	tape := NewTrainingTape()
	tape.SetDevice(on)
	x, w, b := tape.zeros(shape{40, 5}), tape.zeros(shape{33, 5}), tape.zeros(shape{33})
	w = NewParameter(w.Value())
	tape.Linear(x, w, b, SiLU)
	if want := []string{"product"}; !slices.Equal(on.kernels, want) {
		t.Errorf("it launches %v, want %v", on.kernels, want)
	}
}
