package classify

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"github.com/mega-go/mega/data/labelled"
	"github.com/mega-go/mega/data/table"
)

// Table classifies the rows of a table, so many at a time, and writes them back
// with the columns class and probability. Both are empty where a row has nothing to
// classify. Cells are read as o says, in which columns of labels count for nothing.
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
	t := tableRows{predictor: p, out: out}
	for {
		row, err := r.Next()
		if err == io.EOF {
			return t.flush()
		}
		if err != nil {
			return err
		}
		s, err := rows.Sample(row)
		if err != nil {
			return err
		}
		if err := t.add(row, s); err != nil {
			return fmt.Errorf("%s: %w", s.Where(), err)
		}
		if len(t.waiting) < batch {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := t.flush(); err != nil {
			return err
		}
	}
}

// tableRows are rows that wait for their answers.
type tableRows struct {
	predictor *Predictor
	out       *table.Writer
	waiting   []waitingRow
}

type waitingRow struct {
	row     table.Row
	example *Example // nil where there is nothing to classify
}

// add takes a row in.
func (t *tableRows) add(row table.Row, s *labelled.Sample) error {
	kept := table.Row{Line: row.Line, Raw: bytes.Clone(row.Raw)}
	for _, cell := range row.Cells {
		kept.Cells = append(kept.Cells, bytes.Clone(cell))
	}
	w := waitingRow{row: kept}
	if s.LeftOut == "" {
		e, err := t.predictor.sample(s)
		if err != nil {
			return err
		}
		w.example = &e
	}
	t.waiting = append(t.waiting, w)
	return nil
}

// flush classifies the rows that wait and writes them.
func (t *tableRows) flush() error {
	var examples []Example
	for _, w := range t.waiting {
		if w.example != nil {
			examples = append(examples, *w.example)
		}
	}
	predictions, err := t.predictor.Predict(examples)
	if err != nil {
		return err
	}
	for _, w := range t.waiting {
		var class, probability any
		if w.example != nil {
			class, probability = predictions[0].Class, predictions[0].Probability
			predictions = predictions[1:]
		}
		if err := t.out.Write(w.row, class, probability); err != nil {
			return err
		}
	}
	t.waiting = t.waiting[:0]
	return nil
}

// sample reads a sample as training did.
func (p *Predictor) sample(s *labelled.Sample) (Example, error) {
	text := p.Inputs.Kind == InputBytes || p.Inputs.Kind == InputWords
	switch {
	case s.Kind == labelled.Series && p.Inputs.Kind == InputSeries && s.Channels == p.channels():
		return p.series(s.Values)
	case s.Kind != labelled.Series && text && (len(s.Texts) == 2) == p.Pair():
		return p.texts(s.Texts)
	}
	return Example{}, fmt.Errorf("%s, but the model reads %s", s.Kind, p.Inputs.Kind)
}
