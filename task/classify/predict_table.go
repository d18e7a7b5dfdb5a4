package classify

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/mega-go/mega/data/labelled"
	"github.com/mega-go/mega/data/table"
)

// AnswerOptions say how Answer works and what it writes beside the answers.
type AnswerOptions struct {
	Batch  int      // samples at a time
	Labels bool     // labels are read, and written too of an array or a directory
	Parts  []string // with Labels, Corpus.Parts of the data: the part of each sample, in the column part
}

// Answer classifies data as it lies and writes it back. A table comes with the columns
// class and probability added. Its cells are read as columns says, in which columns of
// labels count for nothing, and malformed rows are left out if it says so. Of an array
// or a directory a CSV table is made, which says where each sample lies, its label if
// labels are to be read, its class and the probability of that. Both are empty where
// there is nothing to classify, and the part is where there was nothing to train on.
func (p *Predictor) Answer(ctx context.Context, path string, columns labelled.Options, o AnswerOptions, w io.Writer) error {
	a := &answers{ctx: ctx, predictor: p, batch: o.Batch}
	if table.Is(path) {
		return p.table(a, path, columns, o, w)
	}
	read, header := labelled.ReadUnlabelled, []string{"path", "class", "probability"}
	if o.Labels {
		read, header = labelled.Read, []string{"path", "label", "class", "probability"}
	}
	of := parts{left: o.Parts}
	if o.Parts != nil {
		header = append(header, "part")
	}
	out := csv.NewWriter(w)
	if err := out.Write(header); err != nil {
		return err
	}
	if err := read(path, columns, func(s *labelled.Sample) error {
		before, after := []string{s.Where()}, []string(nil)
		if o.Labels {
			before = append(before, s.Label)
		}
		if o.Parts != nil {
			after = []string{of.sample(s)}
		}
		return a.add(s, func(class, probability any) error {
			if class == nil {
				class, probability = "", ""
			}
			return out.Write(slices.Concat(before, []string{fmt.Sprint(class), fmt.Sprint(probability)}, after))
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

// table is Answer of a table.
func (p *Predictor) table(a *answers, path string, columns labelled.Options, o AnswerOptions, w io.Writer) error {
	r, err := table.Open(path, table.Options{Encoding: columns.Encoding, NoHeader: columns.NoHeader})
	if err != nil {
		return err
	}
	defer r.Close()
	of, header := parts{left: o.Parts}, []string{"class", "probability"}
	if o.Parts != nil {
		if of.rows, err = labelled.NewRows(r, columns, true); err != nil {
			return err
		}
		header = append(header, "part")
	}
	columns.LabelColumn, columns.SplitColumn = "", ""
	rows, err := labelled.NewRows(r, columns, false)
	if err != nil {
		return err
	}
	out, err := r.NewWriter(w, header...)
	if err != nil {
		return err
	}
	for {
		row, err := r.Next()
		if err == io.EOF {
			return a.flush()
		}
		var s *labelled.Sample
		if err == nil {
			s, err = rows.Sample(row)
		}
		if errors.As(err, new(*table.RowError)) && columns.SkipMalformed {
			continue
		}
		if err != nil {
			return err
		}
		kept, after := cloneRow(row), []any(nil)
		if o.Parts != nil {
			after = []any{of.row(row)}
		}
		if err := a.add(s, func(class, probability any) error {
			return out.Write(kept, append([]any{class, probability}, after...)...)
		}); err != nil {
			return err
		}
	}
}

// A parts has the parts of samples that are still to come.
type parts struct {
	left []string
	rows *labelled.Rows // of a table, as training read it
}

// sample returns the part of the next sample, "" of one that training left out.
func (p *parts) sample(s *labelled.Sample) (part string) {
	if s.LeftOut == "" && len(p.left) > 0 {
		part, p.left = p.left[0], p.left[1:]
	}
	return part
}

// row returns the part of the next row, nil of one that training left out.
func (p *parts) row(row table.Row) any {
	s, err := p.rows.Sample(row)
	if err != nil || s.LeftOut != "" {
		return nil
	}
	return p.sample(s)
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
