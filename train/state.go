package train

import (
	"fmt"

	"github.com/mega-go/mega/internal/config"
)

// stateFormat is the version of State's JSON.
const stateFormat = 1

// State is where a run stands, beside weights and moments: state.json of a
// checkpoint.
type State struct {
	Format  int `json:"format"`
	Updates int `json:"updates"` // done
	Epoch   int `json:"epoch"`   // in progress, from 1
	Offset  int `json:"offset"`  // batches of it used, over all processes
	Steps   int `json:"steps"`   // of the optimiser

	Settled   int  `json:"settled"`   // update up to which interval validations and checkpoints are done
	Pending   bool `json:"pending"`   // a validation was interrupted and is to be done again
	Validated int  `json:"validated"` // update of the last validation, -1 before the first

	Skipped      int `json:"skipped"`        // updates dropped because something was not finite
	SkippedInRow int `json:"skipped_in_row"` // of those, the last ones without one that was good

	Best       *float64 `json:"best"` // best_checkpoint_metric, nil before the first validation
	BestUpdate int      `json:"best_update"`
	Impatience int      `json:"impatience"` // validations since the last that was better

	Valid    Metrics `json:"valid"` // of the last validation
	Interval totals  `json:"interval"`
	Whole    totals  `json:"epoch_totals"`
	Seconds  float64 `json:"seconds"` // of training, over all sessions
	Names    names   `json:"checkpoints"`
}

func newState() State {
	return State{Format: stateFormat, Epoch: 1, Validated: -1}
}

// parseState reads state.json.
func parseState(data []byte) (State, error) {
	var s State
	if err := config.Decode(data, &s); err != nil {
		return s, fmt.Errorf("state: %w", err)
	}
	switch {
	case s.Format != stateFormat:
		return s, fmt.Errorf("state: format is %d, want %d", s.Format, stateFormat)
	case s.Epoch < 1 || s.Offset < 0 || s.Updates < 0 || s.Steps < 0:
		return s, fmt.Errorf("state: epoch %d, offset %d, updates %d, steps %d are impossible", s.Epoch, s.Offset, s.Updates, s.Steps)
	}
	return s, s.Names.check()
}

// judge records a validation's value of the metric that checkpoints go by, and
// reports whether no earlier one was better, in which case its checkpoint is
// the best. As in the reference, one that is merely equal replaces the best
// checkpoint (checkpoint_utils.py:39) but counts against patience
// (fairseq_cli/train.py:136). What is not
// finite is never the best.
func (s *State) judge(value float64, maximize bool) bool {
	better := s.Best == nil || maximize && value > *s.Best || !maximize && value < *s.Best
	if !better || !finite(value) {
		s.Impatience++
		return s.Best != nil && value == *s.Best
	}
	s.Best, s.Impatience = &value, 0
	return true
}

// totals are sums over the updates since the last record.
type totals struct {
	Stats
	Updates  int     `json:"updates"`
	GradNorm float64 `json:"gnorm"`   // of gradients before clipping
	Clipped  int     `json:"clipped"` // updates whose gradient was scaled down
	Seconds  float64 `json:"seconds"`
}

func (t *totals) add(s Stats, norm float64, clipped bool, seconds float64) {
	t.Stats.Add(s)
	t.Updates++
	t.GradNorm += norm
	t.Seconds += seconds
	if clipped {
		t.Clipped++
	}
}

// metrics adds the means over the updates to what the task reports of them,
// under the reference's names.
func (t *totals) metrics(m Metrics) Metrics {
	n := float64(t.Updates)
	m["gnorm"] = t.GradNorm / n
	m["clip"] = 100 * float64(t.Clipped) / n
	m["bsz"] = t.Sentences / n
	m["wpb"] = t.Tokens / n
	m["wps"] = t.Tokens / t.Seconds
	m["ups"] = n / t.Seconds
	return m
}
