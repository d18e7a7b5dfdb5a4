package image

import (
	"context"
	"fmt"
	"io"
	"path/filepath"

	"github.com/mega-go/mega"
	"github.com/mega-go/mega/autograd"
	"github.com/mega-go/mega/checkpoint"
	"github.com/mega-go/mega/data/images"
	"github.com/mega-go/mega/internal/cuda/device"
	"github.com/mega-go/mega/task/classify"
	"github.com/mega-go/mega/train"
)

// An Evaluation says how well a model does on pictures, and how often the class of one
// is among the five likeliest.
type Evaluation struct {
	*classify.Evaluation
	Top5 float64 `json:"top5"` // in percent
}

// Line writes it in a line.
func (e *Evaluation) Line() string {
	return fmt.Sprintf("%s: loss %.3f, top-1 %.2f%%, top-5 %.2f%% of %d pictures", e.Split, e.Loss, e.Accuracy, e.Top5, e.Samples)
}

// WriteText writes Line, scores by class and the confusion matrix.
func (e *Evaluation) WriteText(w io.Writer) error {
	if _, err := fmt.Fprintf(w, "%s\n\n", e.Line()); err != nil {
		return err
	}
	return e.WriteClasses(w)
}

// Evaluate runs a model over the pictures held out.
func (t *Task) Evaluate(ctx context.Context, m *mega.Vision, split string) (*Evaluation, error) {
	return evaluate(ctx, train.NewEvaluator(train.Alone{}, nil), m, t.config, t.valid, split)
}

// Evaluate runs the model of a checkpoint over the pictures that its training held
// out, or those of another directory of classes, whose name the split then has. It returns an error for each picture
// that this process has skipped too.
func Evaluate(ctx context.Context, ev *train.Evaluator, c *checkpoint.Checkpoint, dir string) (*Evaluation, []error, error) {
	m, err := c.Vision()
	if err != nil {
		return nil, nil, err
	}
	d, err := settingsOf(c)
	if err != nil {
		return nil, nil, err
	}
	var set *images.Set
	split := validSplit
	switch {
	case dir == "" && d.Data == "":
		return nil, nil, fmt.Errorf("%s does not say what it was trained on: name the directory of the pictures", c.Path)
	case dir == "":
		_, set, err = images.OpenSplits(d.Data, d.heldOut(), m.Config().Seed)
	default:
		split = nameOf(dir)
		set, err = images.Open(dir, d.Classes)
	}
	if err != nil {
		return nil, nil, err
	}
	if n := m.Config().NumClasses; len(set.Classes) != n {
		return nil, nil, fmt.Errorf("the pictures are of %d classes, and the model knows %d", len(set.Classes), n)
	}
	e, err := evaluate(ctx, ev, m, d.DataConfig, set, split)
	return e, set.Skipped(), err
}

// nameOf returns the name of a directory, also of one such as "..".
func nameOf(dir string) string {
	if whole, err := filepath.Abs(dir); err == nil {
		dir = whole
	}
	return filepath.Base(dir)
}

func evaluate(ctx context.Context, ev *train.Evaluator, m *mega.Vision, d DataConfig, set *images.Set, split string) (_ *Evaluation, err error) {
	e, fifth := &Evaluation{Evaluation: classify.NewEvaluation(split, m.Config().NumClasses)}, []float64{0}
	t := m.Params().NewTape()
	defer device.Finish(&err, t.Close)
	t.SetBF16(m.BF16())
	err = e.Run(ctx, ev, t, heldOut(m, d, set), set.Classes, func(next train.Batch) (*autograd.Variable, []int32, error) {
		b := next.(batch)
		if b.data.Rows == 0 {
			return nil, nil, nil
		}
		logits, err := m.Forward(t, b.images())
		if err == nil {
			fifth[0] += float64(amongFive(t, logits, b.data.Labels))
		}
		return logits, b.data.Labels, err
	})
	if err == nil {
		err = ev.Communicator().Sum64("answers among five", fifth)
	}
	if err == nil && e.Samples == 0 {
		err = errNoneRead(set)
	}
	if err != nil {
		return nil, err
	}
	e.Top5 = 100 * fifth[0] / float64(e.Samples)
	return e, nil
}

// errNoneRead is what held-out pictures that are all broken give.
func errNoneRead(s *images.Set) error {
	return fmt.Errorf("none of %d held-out pictures can be read", s.Len())
}
