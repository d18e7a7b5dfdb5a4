package labelled

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"

	"github.com/mega-go/mega/data/table"
)

// A Rows makes samples of the rows of a table.
type Rows struct {
	*Columns
	samples      []int // columns of texts, lists or steps
	label, split int   // -1 for none
	lists        bool
	begun        bool // a row has shown whether Steps are lists
	columns      []string
	sample       Sample
}

// NewRows returns what makes samples of rows of r.
func NewRows(r *table.Reader, o Options, labelled bool) (*Rows, error) {
	c, err := FindColumns(r, o, labelled)
	if err != nil {
		return nil, err
	}
	rows := &Rows{Columns: c, label: -1, split: -1, lists: len(c.Values) > 0, columns: r.Columns}
	for _, names := range [][]string{c.Text, c.Values, c.Steps} {
		for _, name := range names {
			i, err := r.Column(name)
			if err != nil {
				return nil, err
			}
			rows.samples = append(rows.samples, i)
		}
	}
	if labelled {
		rows.label, err = r.Column(c.Label)
	}
	if c.Split != "" && err == nil {
		rows.split, err = r.Column(c.Split)
	}
	rows.sample = Sample{Kind: c.Kind(), File: r.Path, Channels: max(1, len(c.Values))}
	return rows, err
}

// readTable calls use with each row of a table.
func readTable(path string, o Options, use func(*Sample) error) error {
	r, err := table.Open(path, table.Options{Encoding: o.Encoding, NoHeader: o.NoHeader})
	if err != nil {
		return err
	}
	defer r.Close()
	rows, err := NewRows(r, o, !o.unlabelled)
	if err != nil {
		return err
	}
	for {
		row, err := r.Next()
		if err == io.EOF {
			return nil
		}
		var s *Sample
		if err == nil {
			s, err = rows.Sample(row)
		}
		if bad := new(table.RowError); errors.As(err, &bad) && o.SkipMalformed {
			rows.sample.Line, rows.sample.LeftOut = bad.Line, "malformed rows"
			s, err = &rows.sample, nil
		}
		if err != nil {
			return err
		}
		if err := use(s); err != nil {
			return err
		}
	}
}

// Sample returns the sample of a row, valid up to the next call. A row without
// text, numbers or label is left out; one whose cells are not what they should be
// is a *table.RowError.
func (r *Rows) Sample(row table.Row) (*Sample, error) {
	s := &r.sample
	s.Line, s.LeftOut, s.Split = row.Line, "", ""
	err := r.fill(s, row)
	if err != nil {
		return nil, &table.RowError{File: s.File, Line: row.Line, Err: err}
	}
	return s, nil
}

func (r *Rows) fill(s *Sample, row table.Row) error {
	if r.label >= 0 {
		label := bytes.TrimSpace(row.Cells[r.label])
		if len(label) == 0 {
			s.LeftOut = "rows without a label"
			return nil
		}
		if string(label) != s.Label { // or the one before does
			s.Label = string(label)
		}
	}
	if r.split >= 0 {
		cell := string(row.Cells[r.split])
		split, ok := splitOf(cell)
		if !ok {
			return fmt.Errorf("column %s is %.40q, want train, valid or test", r.columns[r.split], cell)
		}
		s.Split = split
	}
	if s.Kind == Series {
		return r.fillSeries(s, row)
	}
	s.Texts = s.Texts[:0]
	for _, i := range r.samples {
		if len(bytes.TrimSpace(row.Cells[i])) == 0 {
			s.LeftOut = "rows without a text"
		}
		s.Texts = append(s.Texts, row.Cells[i])
	}
	return nil
}

func (r *Rows) fillSeries(s *Sample, row table.Row) error {
	s.Values = s.Values[:0]
	if !r.begun {
		r.findLists(row)
	}
	if r.lists {
		return r.fillLists(s, row)
	}
	last := len(r.samples)
	for last > 0 && len(bytes.TrimSpace(row.Cells[r.samples[last-1]])) == 0 {
		last--
	}
	if last == 0 {
		s.LeftOut = "rows without numbers"
	}
	for _, i := range r.samples[:last] {
		cell := bytes.TrimSpace(row.Cells[i])
		if len(cell) == 0 {
			s.LeftOut = "series with missing numbers"
			return nil
		}
		x, err := parseNumber(cell)
		if err != nil {
			return fmt.Errorf("column %s is %.40q, want a number, or name the column of texts (text_column)", r.columns[i], cell)
		}
		s.add(x)
	}
	return nil
}

// findLists tells by the first row which columns hold lists of numbers. Where some
// do, each is a channel, as is one that is empty there, and the others are no part
// of the samples.
func (r *Rows) findLists(row table.Row) {
	r.begun = true
	single := func(i int) bool { return len(bytes.TrimSpace(row.Cells[i])) > 0 && !isList(row.Cells[i]) }
	if r.lists || !slices.ContainsFunc(r.samples, func(i int) bool { return isList(row.Cells[i]) }) {
		return
	}
	r.lists, r.samples, r.Steps = true, slices.DeleteFunc(r.samples, single), nil
	for _, i := range r.samples {
		r.Values = append(r.Values, r.columns[i])
	}
	r.sample.Channels = len(r.samples)
}

// isList tells whether a cell holds numbers of which there may be several.
func isList(cell []byte) bool {
	n := 0
	for field := range bytes.FieldsFuncSeq(cell, notInNumber) {
		if _, err := parseNumber(field); err != nil {
			return false
		}
		n++
	}
	return n > 1 || n == 1 && bytes.HasPrefix(bytes.TrimSpace(cell), []byte("["))
}

// add appends a number of a series, which is left out if it is none.
func (s *Sample) add(x float32) {
	if !finite(x) {
		s.LeftOut = "series with missing numbers"
	}
	s.Values = append(s.Values, x)
}

// fillLists reads lists of numbers, a channel each.
func (r *Rows) fillLists(s *Sample, row table.Row) error {
	for channel, i := range r.samples {
		n := 0
		for field := range bytes.FieldsFuncSeq(row.Cells[i], notInNumber) {
			x, err := parseNumber(field)
			if err != nil {
				return fmt.Errorf("column %s: number %d is %.40q, want numbers with spaces or commas between", r.columns[i], n+1, field)
			}
			if len(r.samples) == 1 || channel == 0 {
				s.add(x)
				s.Values = append(s.Values, make([]float32, len(r.samples)-1)...)
			} else if at := n*len(r.samples) + channel; at < len(s.Values) {
				s.Values[at] = x
				if !finite(x) {
					s.LeftOut = "series with missing numbers"
				}
			}
			n++
		}
		if n*len(r.samples) != len(s.Values) {
			return fmt.Errorf("column %s has %d numbers, %s %d: channels have one length", r.columns[i], n, r.columns[r.samples[0]], len(s.Values)/len(r.samples))
		}
	}
	if len(s.Values) == 0 {
		s.LeftOut = "rows without numbers"
	}
	return nil
}

func notInNumber(c rune) bool {
	switch c {
	case ' ', ',', ';', '\t', '\n', '\r', '[', ']', '|':
		return true
	}
	return false
}

// parseNumber reads a number; null and an empty one are NaN.
func parseNumber(cell []byte) (float32, error) {
	if string(cell) == "null" {
		cell = []byte("nan")
	}
	x, err := strconv.ParseFloat(string(cell), 32)
	if errors.Is(err, strconv.ErrRange) {
		err = nil // infinity, which is left out
	}
	return float32(x), err
}
