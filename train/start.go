package train

import (
	"fmt"

	"github.com/mega-go/mega/checkpoint"
)

// start goes to where another training stood, nil for the beginning.
func (r *run) start(t *checkpoint.Training) error {
	if t == nil {
		return nil
	}
	s := &r.state
	s.Updates, s.Settled, s.Epoch, s.Offset = t.Updates, t.Updates, t.Epoch, t.Offset
	s.Best, s.Seconds = t.Best, t.Seconds
	if t.Adam == nil {
		return nil
	}
	r.adam.steps = t.Adam.Steps
	if err := checkpoint.LoadBuffers(r.native.Optimizer, t.Adam.Moments, r.native.Take); err != nil {
		return fmt.Errorf("%s: the optimiser's state: %w", t.Path, err)
	}
	return nil
}

// tellStart writes down where a run begins, and what its optimiser does
// otherwise than the one whose state it takes over. The reference would go on
// with the other's settings (torch's load_state_dict); here those of the
// configuration count.
func (r *run) tellStart(t *checkpoint.Training) {
	if t == nil {
		return
	}
	r.report.say("going on", "epoch", t.Epoch, "update", t.Updates)
	if t.Adam == nil || t.Adam.Settings == nil {
		return
	}
	c, was := r.config, *t.Adam.Settings
	if c.AdamBetas != was.Betas || c.AdamEps != was.Eps || c.WeightDecay != was.WeightDecay {
		r.report.warn("the optimiser ran with other settings", "adam_betas", was.Betas, "adam_eps", was.Eps, "weight_decay", was.WeightDecay)
	}
}
