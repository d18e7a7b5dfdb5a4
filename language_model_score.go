package mega

import (
	"fmt"

	"github.com/mega-go/mega/autograd"
)

// scoreNumbers is about how many scores of words TargetLogProbs holds at a time.
const scoreNumbers = 1 << 24

// TargetLogProbs returns the natural log-probability of each target given
// features [..., D] of as many positions; of targets of <pad> it is 0. batch
// bounds the positions whose scores are held at a time; 0 stands for what a
// modest memory takes. The tape is reset.
func (m *LanguageModel) TargetLogProbs(t *autograd.Tape, features *autograd.Variable, targets []int32, batch int) ([]float64, error) {
	if len(targets) != features.Rows() {
		return nil, fmt.Errorf("%d targets for %d positions", len(targets), features.Rows())
	}
	if err := checkTokens(targets, len(targets), m.config.VocabSize); err != nil {
		return nil, fmt.Errorf("targets: %w", err)
	}
	if batch <= 0 {
		batch = max(1, scoreNumbers/m.config.VocabSize)
	}
	var out []float64
	for from := 0; from < len(targets); from += batch {
		to := min(from+batch, len(targets))
		x := autograd.RowRange(features, from, to)
		if m.adaptive != nil {
			out = append(out, m.adaptive.TargetLogProbs(t, x, targets[from:to])...)
		} else {
			out = append(out, t.TargetLogProbs(m.Scores(t, x), targets[from:to])...)
		}
		t.Reset()
	}
	for i, target := range targets {
		if target == Pad {
			out[i] = 0
		}
	}
	return out, nil
}
