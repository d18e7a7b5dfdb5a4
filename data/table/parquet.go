package table

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/mega-go/mega/format/parquet"
	"github.com/mega-go/mega/internal/textfile"
)

// parquetRows reads Parquet. Rows are written back as CSV: a file of columns is no
// place to add to row by row.
type parquetRows struct {
	file *parquet.File
	line int
}

// openParquet opens a table of Parquet.
func openParquet(path string) (*Reader, error) {
	if Name(path) != path {
		return nil, fmt.Errorf("%s: Parquet is compressed within, want the file without %s", path, path[len(Name(path)):])
	}
	in, close, err := textfile.OpenSeekable(path)
	if err != nil {
		return nil, err
	}
	fail := func(err error) (*Reader, error) {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), close())
	}
	info, err := in.Stat()
	if err != nil {
		return fail(err)
	}
	file, err := parquet.NewFile(in, info.Size())
	if err == nil {
		err = checkColumns(file.Columns)
	}
	if err != nil {
		return fail(err)
	}
	return &Reader{Path: path, Columns: file.Columns, left: file.Left, format: &parquetRows{file: file}, close: close}, nil
}

func (p *parquetRows) next() (Row, error) {
	cells, err := p.file.Next()
	if err == io.EOF {
		return Row{}, err
	}
	p.line++
	if errors.As(err, new(*parquet.ValueError)) {
		err = &RowError{Line: p.line, Err: err}
	}
	return Row{Line: p.line, Cells: cells}, err
}

func (p *parquetRows) writer(w io.Writer, columns, more []string) (rowWriter, error) {
	return newSeparatedWriter(w, ',', columns, more)
}

// isLeft tells whether a column, or all that is below its name, is not read.
func (r *Reader) isLeft(name string) bool {
	return slices.ContainsFunc(r.left, func(left string) bool { return left == name || strings.HasPrefix(left, name+".") })
}
