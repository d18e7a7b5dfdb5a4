package bench

import (
	"bufio"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mega-go/mega/autograd"
	"github.com/mega-go/mega/internal/cuda/device"
	"github.com/mega-go/mega/internal/parallel"
	"github.com/mega-go/mega/train"
)

// A Result is one line of measurement, with the fields of the yardstick.
type Result struct {
	Impl            string  `json:"impl"`
	Workload        string  `json:"workload"`
	Mode            string  `json:"mode"` // train or infer, search (a beam of 5) for translators; prefill or step in decoding
	Milliseconds    float64 `json:"ms"`   // median of a step; in decoding the mean
	TokensPerSecond int     `json:"tokens_per_s"`
	PeakMiB         int     `json:"peak_mib"` // of the process so far, or of the device's memory
	Params          int     `json:"params"`
	BF16            bool    `json:"bf16,omitempty"`      // products in bfloat16
	TF32            bool    `json:"tf32,omitempty"`      // products in TF32
	Int8            bool    `json:"int8,omitempty"`      // weights in eight bits
	Device          string  `json:"device,omitempty"`    // what computed, empty for the CPU
	Launches        int     `json:"launches,omitempty"`  // of kernels, and copies, that a step on a device took
	Replayed        int     `json:"replayed,omitempty"`  // of those, the ones that came in graphs
	Graphs          int     `json:"graphs,omitempty"`    // that these were
	NoGraphs        string  `json:"no_graphs,omitempty"` // why the device replayed none
	Context         int     `json:"context,omitempty"`   // tokens read before steps of decoding
	Limit           *Limit  `json:"limit,omitempty"`     // what the machine allows, if asked for

	Profile *autograd.Profile `json:"-"` // where the time went, if asked for
}

// The learning rate, betas and so on of the yardstick's step.
const (
	learningRate = 1e-3
	weightDecay  = 0.01
	clipNorm     = 1
)

// Options say how Measure measures.
type Options struct {
	Reps     int  // steps of each mode, after one to warm up
	Profile  bool // take the time by operation
	Roofline bool // compare with what the machine allows; not for translators
	BF16     bool // multiply in bfloat16

	// Device computes, nil for the CPU. Steps are timed until it is done, and the peak is
	// that of its memory, if it tells. Steps are replayed as graphs, if it has any. There is
	// no profile, roofline or search then.
	Device device.Device

	replayer *device.Replayer // by which Device computes, nil if it has no graphs
	noGraphs string           // why it has none
}

// replay has the device compute by a replayer, if it has graphs.
func (o *Options) replay() {
	var err error
	if r, ok := o.Device.(*device.Replayer); ok {
		o.replayer = r
	} else if o.replayer, err = device.NewReplayer(o.Device); err != nil {
		o.noGraphs = err.Error()
	}
}

// computes returns what tapes compute on, nil for the CPU.
func (o Options) computes() device.Device {
	if o.replayer != nil {
		return o.replayer
	}
	return o.Device
}

// work returns what the replayer has given to the device.
func (o Options) work() (w device.Work) {
	if o.replayer != nil {
		w = o.replayer.Work()
	}
	return w
}

// warmUps returns how many steps go before those that are measured: a sequence of launches
// is captured when it comes a second time, and the first step takes memory as no other does.
func (o Options) warmUps() int {
	if o.replayer != nil {
		return 3
	}
	return 1
}

// Measure runs a workload in training and in inference and calls report after
// each mode.
func Measure(w Workload, o Options, report func(Result) error) (err error) {
	defer device.Catch(&err)
	m, err := w.build(w, rand.New(rand.NewPCG(0, 0)))
	if err != nil {
		return err
	}
	training, inference := autograd.NewTrainingTape(), autograd.NewTape()
	if o.Device != nil {
		o.replay()
		m.params.Move(o.computes())
		training.SetDevice(o.computes())
		inference.SetDevice(o.computes())
		m.search = nil
	}
	o.Roofline = o.Roofline && w.shape().layers > 0
	scale := 1 / float64(m.samples)
	defer parallel.Shared.Hot()()
	adam := train.NewAdam(m.params, train.AdamConfig{Betas: [2]float64{0.9, 0.98}, Eps: 1e-8, WeightDecay: weightDecay})
	training.SetBF16(o.BF16)
	step := func(p *autograd.Profile) error {
		training.SetProfile(p)
		m.params.ZeroGrad()
		loss, err := m.loss(training)
		if err != nil {
			return err
		}
		training.Backward(loss.Variable)
		start := time.Now()
		if err := adam.Gather(); err != nil {
			return err
		}
		norm := adam.Norm() * scale
		loss.Host() // as a trainer does, which reports it
		if math.IsNaN(norm) || math.IsInf(norm, 0) {
			return fmt.Errorf("%s: the gradient is not finite", w.Name)
		}
		adam.Step(learningRate, scale*train.ClipScale(norm, clipNorm))
		if p != nil {
			p.Add("optimiser", time.Since(start))
		}
		return nil
	}
	if err := w.measure("train", m, o, step, report); err != nil {
		return err
	}
	training.Trim()
	inference.SetBF16(o.BF16)
	err = w.measure("infer", m, o, func(p *autograd.Profile) error {
		inference.SetProfile(p)
		defer inference.Reset()
		return m.infer(inference)
	}, report)
	if err != nil || m.search == nil {
		return err
	}
	o.Profile, o.Roofline = false, false // it runs without a tape
	return w.measure("search", m, o, func(*autograd.Profile) error { return m.search(o.BF16) }, report)
}

// measure times one mode and reports it.
func (w Workload) measure(mode string, m *model, o Options, step func(*autograd.Profile) error, report func(Result) error) error {
	wait := o.waiting()
	for range o.warmUps() {
		if err := errors.Join(step(nil), wait()); err != nil {
			return err
		}
	}
	r := Result{Impl: "mega", Workload: w.Name, Mode: mode, Params: m.params.Count(), BF16: o.BF16}
	if o.Device != nil {
		r.Device, r.NoGraphs, r.TF32 = o.Device.String(), o.noGraphs, o.Device.TF32() && !o.BF16
	}
	if o.Profile {
		r.Profile = new(autograd.Profile)
	}
	var before rates
	if o.Roofline {
		before = measureRates()
	}
	var times []float64
	var given device.Work
	for range o.Reps {
		given = o.work()
		start := time.Now()
		if err := errors.Join(step(r.Profile), wait()); err != nil {
			return err
		}
		times = append(times, time.Since(start).Seconds())
	}
	slices.Sort(times)
	median := times[len(times)/2]
	r.Milliseconds = math.Round(median*1e4) / 10
	r.TokensPerSecond = int(float64(w.Batch*w.Length) / median)
	r.PeakMiB = o.peakMiB()
	done := o.work()
	if o.replayer != nil && o.replayer.Plain() != nil {
		r.NoGraphs = o.replayer.Plain().Error()
	}
	r.Launches, r.Replayed, r.Graphs = done.Launches-given.Launches, done.Replayed-given.Replayed, done.Replays-given.Replays
	if o.Roofline {
		flops, bytes := w.demand(mode, r.Params)
		r.Limit = before.mean(measureRates()).limit(flops, bytes, median)
	}
	return report(r)
}

// waiting returns what waits until the device has done all that was given to it: what is
// read comes after that.
func (o Options) waiting() func() error {
	if o.Device == nil {
		return func() error { return nil }
	}
	word, on := make([]byte, 4), o.computes()
	at, err := on.Alloc(len(word))
	device.Must(on, "allocate a word", err)
	device.Must(on, "write a word", on.Write(at, word))
	return func() error { return on.Read(word, at) }
}

// peakMiB returns the most memory that the device has had in use, or the process.
func (o Options) peakMiB() int {
	if d, ok := o.Device.(interface{ Used() (now, peak int) }); ok {
		if _, peak := d.Used(); peak > 0 {
			return peak >> 20
		}
	}
	return peakMiB()
}

// peakMiB returns the most memory the process has had resident, 0 where the
// system does not tell.
func peakMiB() int {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		return 0
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if text, ok := strings.CutPrefix(s.Text(), "VmHWM:"); ok {
			kib, _ := strconv.Atoi(strings.Fields(text)[0])
			return kib >> 10
		}
	}
	return 0
}
