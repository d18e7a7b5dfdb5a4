package table

import (
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
)

// Options says how a table is read.
type Options struct {
	Encoding string // of text without a byte order mark; "" is UTF-8
	NoHeader bool   // the first row of CSV or TSV is data: columns are called 1, 2, …
}

// A Row is one row of a table.
type Row struct {
	Line  int      // where it begins, counted from 1; of Parquet the number of the row
	Cells [][]byte // by column; nil where there is none. Valid up to the next call
	Raw   []byte   // the line of JSON
}

// A Reader reads a table row by row.
type Reader struct {
	Path    string
	Columns []string

	left   []string // columns that are not read
	format format
	close  func() error
}

// A format reads rows of one kind of file.
type format interface {
	// next returns the next row, io.EOF after the last one. After a RowError the
	// next rows can be read.
	next() (Row, error)
	// writer returns a writer of the same kind of file, of CSV if it is no text,
	// with more columns.
	writer(w io.Writer, columns, more []string) (rowWriter, error)
}

// A RowError is a row that is not as it should be.
type RowError struct {
	File string
	Line int
	Err  error
}

func (e *RowError) Error() string { return fmt.Sprintf("%s:%d: %v", e.File, e.Line, e.Err) }

func (e *RowError) Unwrap() error { return e.Err }

// endings are the endings of tables.
var endings = []string{".csv", ".tsv", ".jsonl", ".ndjson", ".parquet"}

// Is tells whether a file is a table by the ending of its name.
func Is(path string) bool {
	return slices.Contains(endings, strings.ToLower(filepath.Ext(Name(path))))
}

// Endings lists the endings of tables.
func Endings() []string { return slices.Clone(endings) }

// Open opens a table and reads its header. Close it when done.
func Open(path string, o Options) (*Reader, error) {
	kind := strings.ToLower(filepath.Ext(Name(path)))
	if !Is(path) {
		return nil, fmt.Errorf("%s: not a table by its name, want one that ends in %s, and .gz or .zst after it if it is compressed", path, strings.Join(endings, ", "))
	}
	if kind == ".parquet" {
		return openParquet(path)
	}
	in, err := OpenText(path, o.Encoding)
	if err != nil {
		return nil, err
	}
	r := &Reader{Path: path, close: in.Close}
	switch kind {
	case ".csv":
		r.format, r.Columns, err = newSeparated(in, 0, o.NoHeader)
	case ".tsv":
		r.format, r.Columns, err = newSeparated(in, '\t', o.NoHeader)
	default:
		r.format, r.Columns, err = newJSONLines(in)
	}
	if err == nil {
		err = checkColumns(r.Columns)
	}
	if err != nil {
		in.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

// checkColumns reports two columns of one name.
func checkColumns(columns []string) error {
	seen := map[string]bool{}
	for _, name := range columns {
		if seen[name] && name != "" {
			return fmt.Errorf("two columns are called %q", name)
		}
		seen[name] = true
	}
	return nil
}

// Next returns the next row, and io.EOF after the last one. A *RowError is of a
// row alone: others follow it.
func (r *Reader) Next() (Row, error) {
	row, err := r.format.next()
	if err == nil || err == io.EOF {
		return row, err
	}
	if bad, ok := err.(*RowError); ok {
		bad.File = r.Path
		return row, bad
	}
	return row, fmt.Errorf("%s: %w", r.Path, err)
}

// Column returns the index of a column, or an error that lists all.
func (r *Reader) Column(name string) (int, error) {
	if i := slices.Index(r.Columns, name); i >= 0 {
		return i, nil
	}
	if r.isLeft(name) {
		return 0, fmt.Errorf("%s: column %q holds lists in lists, want one of texts, numbers or lists of them: %s", r.Path, name, r.Shown())
	}
	return 0, fmt.Errorf("%s: no column %q, want one of %s", r.Path, name, r.Shown())
}

// Shown lists the columns, the first of them where there are many.
func (r *Reader) Shown() string {
	const most = 20
	if len(r.Columns) <= most {
		return strings.Join(r.Columns, ", ")
	}
	return fmt.Sprintf("%s, … (%d in all)", strings.Join(r.Columns[:most], ", "), len(r.Columns))
}

// Close closes the file.
func (r *Reader) Close() error { return r.close() }

// A rowWriter writes rows with cells added.
type rowWriter interface {
	write(r Row, more []any) error
}

// A Writer writes rows back as they were read, those of Parquet as CSV, with columns
// added.
type Writer struct{ rows rowWriter }

// NewWriter returns a writer of rows of r with more columns, and writes the
// header if the table has one. A name that r has a column of already gets
// predicted_ before it.
func (r *Reader) NewWriter(w io.Writer, more ...string) (*Writer, error) {
	for i := range more {
		for slices.Contains(r.Columns, more[i]) {
			more[i] = "predicted_" + more[i]
		}
	}
	rows, err := r.format.writer(w, r.Columns, more)
	return &Writer{rows}, err
}

// Write writes a row with the cells of the columns added: texts, numbers, or nil
// for one that is missing.
func (w *Writer) Write(r Row, more ...any) error { return w.rows.write(r, more) }
