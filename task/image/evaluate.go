package image

import (
	"context"
	"fmt"
	"io"
	"math"

	"github.com/mega-go/mega"
	"github.com/mega-go/mega/checkpoint"
	"github.com/mega-go/mega/data/images"
	"github.com/mega-go/mega/train"
)

// An Evaluation says how well a model does on pictures.
type Evaluation struct {
	Split    string  `json:"split"`
	Samples  int     `json:"samples"`
	Loss     float64 `json:"loss"`     // in bits per picture
	Accuracy float64 `json:"accuracy"` // in percent
	Top5     float64 `json:"top5"`     // pictures whose class is among the five likeliest, in percent
}

// Line writes it in a line.
func (e *Evaluation) Line() string {
	return fmt.Sprintf("%s: loss %.3f, top-1 %.2f%%, top-5 %.2f%% of %d pictures", e.Split, e.Loss, e.Accuracy, e.Top5, e.Samples)
}

// Finite reports whether the loss is a number.
func (e *Evaluation) Finite() bool { return !math.IsNaN(e.Loss) && !math.IsInf(e.Loss, 0) }

// WriteText writes Line.
func (e *Evaluation) WriteText(w io.Writer) error {
	_, err := fmt.Fprintln(w, e.Line())
	return err
}

// Evaluate runs a model over the pictures held out.
func (t *Task) Evaluate(ctx context.Context, m *mega.Vision, split string) (*Evaluation, error) {
	return evaluate(ctx, m, t.config, t.valid, split, nil)
}

// Evaluate runs the model of a checkpoint over the pictures that its training held
// out, or those of another directory of classes. tick, if not nil, is called after
// each batch. It returns an error for each picture that was skipped too.
func Evaluate(ctx context.Context, c *checkpoint.Checkpoint, dir string, tick func(done, total int)) (*Evaluation, []error, error) {
	m, err := c.Vision()
	if err != nil {
		return nil, nil, err
	}
	d, err := settingsOf(c)
	if err != nil {
		return nil, nil, err
	}
	var set *images.Set
	switch {
	case dir == "" && d.Data == "":
		return nil, nil, fmt.Errorf("%s does not say what it was trained on: name the directory of the pictures", c.Path)
	case dir == "":
		_, set, err = images.OpenSplits(d.Data, d.heldOut(), m.Config().Seed)
	default:
		set, err = images.Open(dir, d.Classes)
	}
	if err != nil {
		return nil, nil, err
	}
	if n := m.Config().NumClasses; len(set.Classes) != n {
		return nil, nil, fmt.Errorf("the pictures are of %d classes, and the model knows %d", len(set.Classes), n)
	}
	e, err := evaluate(ctx, m, d.DataConfig, set, validSplit, tick)
	return e, set.Skipped(), err
}

func evaluate(ctx context.Context, m *mega.Vision, d DataConfig, set *images.Set, split string, tick func(done, total int)) (*Evaluation, error) {
	s, err := train.NewEvaluator(tick).Run(ctx, heldOut(m, d, set))
	if err != nil {
		return nil, err
	}
	return &Evaluation{
		Split: split, Samples: int(s.Sentences), Loss: s.LossBase2(), Accuracy: s.Accuracy(), Top5: s.Top5Accuracy(),
	}, nil
}
