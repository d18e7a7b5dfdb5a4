package checkpoint

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"github.com/mega-go/mega/format/safetensors"
	"github.com/mega-go/mega/internal/config"
	"github.com/mega-go/mega/nn"
)

// Training says where the training of a checkpoint's model stood: what a run
// needs to go on from there.
type Training struct {
	Updates int      // done
	Epoch   int      // in progress, from 1
	Offset  int      // batches of it used, over all processes
	Best    *float64 // of the metric that checkpoints go by; nil before the first validation
	Seconds float64  // of training, over all sessions
	Adam    *Adam    // nil if the checkpoint does not have it
	Path    string   // of the checkpoint, for errors
}

// Adam is the state of the optimiser.
type Adam struct {
	Steps    int
	LR       float64       // of the last step; 0 if the checkpoint does not say
	Settings *AdamSettings // that it ran with; nil if the checkpoint does not say
	Moments  Weights       // NAME.exp_avg and NAME.exp_avg_sq of every parameter
}

// AdamSettings are the arguments of the reference's Adam.
type AdamSettings struct {
	Betas            [2]float64
	Eps, WeightDecay float64
}

// progress is the part of a native checkpoint's StateFile that is more than the
// trainer's own business.
type progress struct {
	Format    int      `json:"format"`
	Updates   int      `json:"updates"`
	Epoch     int      `json:"epoch"`
	Offset    int      `json:"offset"`
	Steps     int      `json:"steps"`
	Settled   int      `json:"settled"`
	Validated int      `json:"validated"`
	Best      *float64 `json:"best"`
	Seconds   float64  `json:"seconds"`
	LR        float64  `json:"lr,omitempty"` // of the last step, in a converted checkpoint
}

// progressFormat is the version of StateFile that progress belongs to.
const progressFormat = 1

// A Reset says which parts of a training's state to drop. They may be missing, and
// need not fit.
type Reset struct{ Optimizer, Loader, Meters bool }

// TrainingState returns where the training of the checkpoint's model, which has
// parameters p, stood; with p nil, all but the moments of a fairseq file. It is nil if
// the checkpoint holds a model alone. Its moments are read from the checkpoint, which
// must stay open. With the optimiser the count of updates is dropped, as in the
// reference (trainer.py:271).
func (c *Checkpoint) TrainingState(p *nn.Params, drop Reset) (*Training, error) {
	var t *Training
	var err error
	switch {
	case c.root != nil:
		t, err = c.torchTraining(p, drop)
	case c.from != nil:
		t, err = c.nativeTraining(drop)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Path, err)
	}
	if t != nil && drop.Loader {
		t.Epoch, t.Offset = 1, 0
	}
	if t != nil && (drop.Optimizer || drop.Meters) {
		t.Best = nil
	}
	return t, nil
}

// nativeTraining reads StateFile and OptimizerFile.
func (c *Checkpoint) nativeTraining(drop Reset) (*Training, error) {
	text, err := readText(c.from, StateFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var s progress
	if err := config.Decode(text, &s); err != nil {
		return nil, fmt.Errorf("%s: %w", StateFile, err)
	}
	if s.Format != progressFormat || s.Epoch < 1 || s.Offset < 0 || s.Updates < 0 || s.Steps < 0 {
		return nil, fmt.Errorf("%s: format %d, epoch %d, offset %d, updates %d, steps %d: want format %d and no negative numbers",
			StateFile, s.Format, s.Epoch, s.Offset, s.Updates, s.Steps, progressFormat)
	}
	t := &Training{Updates: s.Updates, Epoch: s.Epoch, Offset: s.Offset, Best: s.Best, Seconds: s.Seconds}
	if drop.Optimizer {
		t.Updates = 0
		return t, nil
	}
	file, err := c.from.open(OptimizerFile)
	if errors.Is(err, fs.ErrNotExist) {
		return t, nil
	}
	if err != nil {
		return nil, err
	}
	r, err := safetensors.OpenFile(file)
	if err != nil {
		return nil, err
	}
	c.closers = append([]func() error{r.Close}, c.closers...)
	t.Adam = &Adam{Steps: s.Steps, LR: s.LR, Moments: r}
	return t, nil
}

// state returns StateFile's content.
func (t *Training) state() (json.RawMessage, error) {
	s := progress{
		Format: progressFormat, Updates: t.Updates, Epoch: t.Epoch, Offset: t.Offset,
		Settled: t.Updates, Validated: -1, Best: t.Best, Seconds: t.Seconds,
	}
	if t.Adam != nil {
		s.Steps, s.LR = t.Adam.Steps, t.Adam.LR
	}
	return json.MarshalIndent(s, "", "  ")
}

// LoadBuffers fills buffers from w, as strictly as LoadParams. Where they share memory,
// take, which is nil elsewhere, takes the numbers of buffer i from there.
func LoadBuffers(buffers []*nn.Buffer, w Weights, take func(i int) error) error {
	l := loader{weights: w, wanted: make(map[string]bool)}
	for i, b := range buffers {
		if l.load(b.Name, b.Tensor) && take != nil {
			l.Add(take(i))
		}
	}
	return l.err()
}
