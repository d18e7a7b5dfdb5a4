package parquet

import (
	"fmt"
	"io"
)

// A File is a Parquet file that is read row by row.
type File struct {
	Columns []string // those that are read, in their order
	Left    []string // those that are not: lists in lists

	in      io.ReaderAt
	leaves  []*leaf
	groups  []rowGroup
	columns []*column // by Columns
	chunks  []int     // of a row group, by Columns
	group   int       // the next one
	rows    int64     // left of the last one
	row     int64     // rows read

	cells  [][]byte
	text   []byte
	head   []byte // of a page
	packed []byte // a page as it lies
	pages  int    // bytes of the columns' pages
}

// A ValueError is a value that is not what its column says. Rows after it can be
// read.
type ValueError struct {
	Column string
	Err    error
}

func (e *ValueError) Error() string { return fmt.Sprintf("column %s: %v", e.Column, e.Err) }

func (e *ValueError) Unwrap() error { return e.Err }

// NewFile reads what a file of a size says of itself.
func NewFile(in io.ReaderAt, size int64) (*File, error) {
	footer, err := readFooter(in, size)
	if err != nil {
		return nil, err
	}
	f := &File{in: in, groups: footer.groups}
	if f.leaves, err = leavesOf(footer.schema); err != nil {
		return nil, err
	}
	for i, l := range f.leaves {
		if l.maxRep > 1 {
			f.Left = append(f.Left, l.path)
			continue
		}
		f.Columns = append(f.Columns, l.path)
		f.columns = append(f.columns, &column{leaf: l, file: f})
		f.chunks = append(f.chunks, i)
	}
	f.cells = make([][]byte, len(f.columns))
	return f, nil
}

// Next returns the cells of the next row by column, nil where there is none, and
// io.EOF after the last row. They are valid up to the next call.
func (f *File) Next() ([][]byte, error) {
	for f.rows == 0 {
		if err := f.nextGroup(); err != nil {
			return nil, err
		}
	}
	f.rows--
	f.row++
	f.text = f.text[:0]
	var bad error
	for i, c := range f.columns {
		var err error
		f.cells[i], f.text, err = c.cell(f.text)
		if _, ofValue := err.(*ValueError); ofValue {
			bad = err
		} else if err != nil {
			return nil, fmt.Errorf("row %d: column %s: %w", f.row, c.path, err)
		}
	}
	return f.cells, bad
}

// nextGroup turns to the next row group.
func (f *File) nextGroup() error {
	for _, c := range f.columns {
		if c.n > 0 || c.left > 0 {
			return fmt.Errorf("row %d: column %s: it has more values than the row group has rows", f.row, c.path)
		}
	}
	if f.group == len(f.groups) {
		return io.EOF
	}
	g := &f.groups[f.group]
	f.group++
	for i, c := range f.columns {
		if err := c.begin(&g.chunks[f.chunks[i]]); err != nil {
			return fmt.Errorf("row %d: column %s: %w", f.row+1, c.path, err)
		}
	}
	f.rows = g.rows
	return nil
}
