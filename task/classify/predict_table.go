package classify

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"

	"github.com/mega-go/mega/data/labelled"
	"github.com/mega-go/mega/data/table"
)

// Answer classifies data as it lies, so many samples at a time, and writes it back. A
// table comes with the columns class and probability added, as Table does; of an array
// or a directory a CSV table is made, which says where each sample lies, its label if
// labels are to be read, its class and the probability of that. Both are empty where
// there is nothing to classify.
func (p *Predictor) Answer(ctx context.Context, path string, o labelled.Options, labels bool, batch int, w io.Writer) error {
	if table.Is(path) {
		return p.Table(ctx, path, o, batch, w)
	}
	read, columns := labelled.ReadUnlabelled, []string{"path", "class", "probability"}
	if labels {
		read, columns = labelled.Read, []string{"path", "label", "class", "probability"}
	}
	out := csv.NewWriter(w)
	if err := out.Write(columns); err != nil {
		return err
	}
	a := answers{ctx: ctx, predictor: p, batch: batch}
	if err := read(path, o, func(s *labelled.Sample) error {
		row := []string{s.Where()}
		if labels {
			row = append(row, s.Label)
		}
		return a.add(s, func(class, probability any) error {
			if class == nil {
				class, probability = "", ""
			}
			return out.Write(append(row, fmt.Sprint(class), fmt.Sprint(probability)))
		})
	}); err != nil {
		return err
	}
	if err := a.flush(); err != nil {
		return err
	}
	out.Flush()
	return out.Error()
}

// Table classifies the rows of a table, so many at a time, and writes them back
// with the columns class and probability. Both are empty where a row has nothing to
// classify. Cells are read as o says, in which columns of labels count for nothing.
// Malformed rows are left out if o says so.
func (p *Predictor) Table(ctx context.Context, path string, o labelled.Options, batch int, w io.Writer) error {
	o.LabelColumn, o.SplitColumn = "", ""
	r, err := table.Open(path, table.Options{Encoding: o.Encoding, NoHeader: o.NoHeader})
	if err != nil {
		return err
	}
	defer r.Close()
	rows, err := labelled.NewRows(r, o, false)
	if err != nil {
		return err
	}
	out, err := r.NewWriter(w, "class", "probability")
	if err != nil {
		return err
	}
	a := answers{ctx: ctx, predictor: p, batch: batch}
	for {
		row, err := r.Next()
		if err == io.EOF {
			return a.flush()
		}
		var s *labelled.Sample
		if err == nil {
			s, err = rows.Sample(row)
		}
		if errors.As(err, new(*table.RowError)) && o.SkipMalformed {
			continue
		}
		if err != nil {
			return err
		}
		kept := cloneRow(row)
		if err := a.add(s, func(class, probability any) error { return out.Write(kept, class, probability) }); err != nil {
			return err
		}
	}
}

// cloneRow returns a row that stays as it is.
func cloneRow(row table.Row) table.Row {
	kept := table.Row{Line: row.Line, Raw: bytes.Clone(row.Raw)}
	for _, cell := range row.Cells {
		kept.Cells = append(kept.Cells, bytes.Clone(cell))
	}
	return kept
}

// answers are samples that wait for their answers.
type answers struct {
	ctx       context.Context
	predictor *Predictor
	batch     int
	waiting   []waiting
	longest   int // steps of those that wait
}

// maxTogether bounds the steps that are classified at a time, padding included, but
// for a sample that is longer by itself.
const maxTogether = 1 << 18

type waiting struct {
	example *Example // nil where there is nothing to classify
	write   func(class, probability any) error
}

// add takes a sample in. What is written of it, with nil where there is nothing to
// classify, is so after that of the samples before it.
func (a *answers) add(s *labelled.Sample, write func(class, probability any) error) error {
	w := waiting{write: write}
	if s.LeftOut == "" {
		e, err := a.predictor.sample(s)
		if err != nil {
			return fmt.Errorf("%s: %w", s.Where(), err)
		}
		w.example = &e
		n := max(len(e.Tokens), len(e.Pair), len(e.Values))
		if max(a.longest, n)*(len(a.waiting)+1) > maxTogether {
			if err := a.flush(); err != nil {
				return err
			}
		}
		a.longest = max(a.longest, n)
	}
	if a.waiting = append(a.waiting, w); len(a.waiting) < a.batch {
		return nil
	}
	return a.flush()
}

// flush classifies the samples that wait and writes them.
func (a *answers) flush() error {
	if err := a.ctx.Err(); err != nil {
		return err
	}
	var examples []Example
	for _, w := range a.waiting {
		if w.example != nil {
			examples = append(examples, *w.example)
		}
	}
	predictions, err := a.predictor.Predict(examples)
	if err != nil {
		return err
	}
	for _, w := range a.waiting {
		var class, probability any
		if w.example != nil {
			class, probability = predictions[0].Class, predictions[0].Probability
			predictions = predictions[1:]
		}
		if err := w.write(class, probability); err != nil {
			return err
		}
	}
	a.waiting, a.longest = a.waiting[:0], 0
	return nil
}

// sample reads a sample as training did.
func (p *Predictor) sample(s *labelled.Sample) (Example, error) {
	text := p.Inputs.Kind == InputBytes || p.Inputs.Kind == InputWords
	switch {
	case s.Kind == labelled.Series && p.Inputs.Kind == InputSeries && s.Channels == p.channels():
		return p.series(s.Values)
	case s.Kind == labelled.Sound && p.Inputs.Kind == InputAudio:
		return p.File(s.Path)
	case len(s.Texts) > 0 && text && (len(s.Texts) == 2) == p.Pair():
		return p.texts(s.Texts)
	}
	return Example{}, fmt.Errorf("%s, but the model reads %s", s.Kind, p.Inputs.Kind)
}
