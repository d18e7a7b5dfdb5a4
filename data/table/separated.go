package table

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxRow bounds a row: a long text, or a series of a million numbers.
const maxRow = 1 << 28

// separated reads CSV and TSV. In CSV a cell in quotes may hold separators, line
// ends and doubled quotes (RFC 4180); a quote inside a cell that does not begin
// with one is itself. In TSV a line is a row, and a cell in quotes is taken out
// of them where the quotes inside are doubled.
type separated struct {
	in     *bufio.Reader
	comma  byte
	quotes bool // cells in quotes may hold line ends
	cells  int  // of each row
	header bool
	first  [][]byte // the first row, if it is data

	line  int    // lines read
	row   []byte // the row as it lies
	clean []byte // cells without their quotes
	ends  [][2]int
	out   [][]byte
}

// separators are what may stand between the cells of a file called .csv.
const separators = ",;\t|"

// newSeparated reads the header. comma is 0 for CSV, where the header tells.
func newSeparated(in io.Reader, comma byte, noHeader bool) (*separated, []string, error) {
	s := &separated{in: bufio.NewReaderSize(in, 1<<18), comma: comma, quotes: comma != '\t', header: !noHeader}
	if comma == 0 {
		s.comma = s.sniff()
	}
	if named, _ := s.in.Peek(5); comma == 0 && strings.HasPrefix(string(named), "sep=") && len(named) == 5 {
		s.comma = named[4] // the line with which Excel writes names it
		if err := s.readLine(); err != nil {
			return nil, nil, err
		}
	}
	row, err := s.next()
	if err == io.EOF {
		return nil, nil, errors.New("the table is empty")
	}
	if err != nil {
		return nil, nil, err
	}
	s.cells = len(row.Cells)
	columns := make([]string, s.cells)
	for i, cell := range row.Cells {
		columns[i] = string(bytes.TrimSpace(cell))
		if strings.Contains(columns[i], "\r") && !strings.Contains(columns[i], "\n") {
			return nil, nil, errors.New("the lines end with carriage returns alone: tr '\\r' '\\n' makes line feeds of them")
		}
		if noHeader {
			columns[i] = strconv.Itoa(i + 1)
			s.first = append(s.first, bytes.Clone(cell))
		}
	}
	return s, columns, nil
}

// sniff returns the separator of which the first line has the most outside of
// quotes.
func (s *separated) sniff() byte {
	head, _ := s.in.Peek(1 << 16) // next meets an error again
	var counts [256]int
	inQuotes := false
	for _, c := range head {
		if c == '"' {
			inQuotes = !inQuotes
		}
		if c == '\n' && !inQuotes {
			break
		}
		if !inQuotes {
			counts[c]++
		}
	}
	best := byte(',')
	for i := range len(separators) {
		if counts[separators[i]] > counts[best] {
			best = separators[i]
		}
	}
	return best
}

func (s *separated) next() (Row, error) {
	if first := s.first; first != nil {
		s.first = nil
		return Row{Line: 1, Cells: first}, nil
	}
	s.row = s.row[:0]
	if err := s.readLine(); err != nil {
		return Row{}, err
	}
	for len(trimEnd(s.row)) == 0 {
		s.row = s.row[:0]
		if err := s.readLine(); err != nil {
			return Row{}, err
		}
	}
	line := s.line
	err := s.parse()
	if err == nil && s.cells > 0 && len(s.out) != s.cells {
		err = fmt.Errorf("the row has %d cells, want %d as the first row has", len(s.out), s.cells)
	}
	if err == nil && !utf8.Valid(s.row) {
		err = errors.New("the row is not UTF-8: want encoding latin-1, windows-1252 or whatever it is in")
	}
	if err != nil {
		return Row{Line: line}, &RowError{Line: line, Err: err}
	}
	return Row{Line: line, Cells: s.out}, nil
}

// readLine appends a line with its end to the row.
func (s *separated) readLine() error {
	for before := len(s.row); ; {
		part, err := s.in.ReadSlice('\n')
		s.row = append(s.row, part...)
		if len(s.row) > maxRow {
			return fmt.Errorf("line %d: a row longer than %d MB: is a quote never closed?", s.line+1, maxRow>>20)
		}
		if err == bufio.ErrBufferFull {
			continue
		}
		if err == io.EOF && len(s.row) > before {
			err = nil
		}
		if err == nil {
			s.line++
		}
		return err
	}
}

func trimEnd(line []byte) []byte {
	return bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
}

// parse parts the row into cells.
func (s *separated) parse() error {
	s.out = s.out[:0]
	if !s.quotes || bytes.IndexByte(s.row, '"') < 0 {
		s.split(trimEnd(s.row))
		return nil
	}
	s.clean, s.ends = s.clean[:0], s.ends[:0]
	for at, more := 0, true; more; {
		from := len(s.clean)
		var err error
		if at < len(s.row) && s.row[at] == '"' {
			at, more, err = s.quoted(at + 1)
		} else {
			at, more = s.plain(at)
		}
		if err != nil {
			return err
		}
		s.ends = append(s.ends, [2]int{from, len(s.clean)})
	}
	for _, e := range s.ends { // after all of clean, which may have moved
		s.out = append(s.out, s.clean[e[0]:e[1]:e[1]])
	}
	return nil
}

// split parts a line at every separator.
func (s *separated) split(line []byte) {
	for {
		end := bytes.IndexByte(line, s.comma)
		cell := line
		if end >= 0 {
			cell = line[:end]
		}
		if !s.quotes && len(cell) > 1 && cell[0] == '"' {
			cell = unquote(cell)
		}
		s.out = append(s.out, cell)
		if end < 0 {
			return
		}
		line = line[end+1:]
	}
}

// unquote returns a cell of TSV without its quotes, or as it is where they are
// part of it.
func unquote(cell []byte) []byte {
	inner := cell[1 : len(cell)-1]
	if cell[len(cell)-1] != '"' || bytes.Count(inner, []byte(`"`)) != 2*bytes.Count(inner, []byte(`""`)) {
		return cell
	}
	return bytes.ReplaceAll(inner, []byte(`""`), []byte(`"`))
}

// plain reads a cell that begins without a quote. It returns where the next one
// begins, and whether there is one.
func (s *separated) plain(at int) (next int, more bool) {
	if end := bytes.IndexByte(s.row[at:], s.comma); end >= 0 {
		s.clean = append(s.clean, s.row[at:at+end]...)
		return at + end + 1, true
	}
	s.clean = append(s.clean, trimEnd(s.row[at:])...)
	return 0, false
}

// quoted reads a cell in quotes after the first of them, over as many lines as it
// takes.
func (s *separated) quoted(at int) (next int, more bool, err error) {
	opened := s.line
	for {
		end := bytes.IndexByte(s.row[at:], '"')
		for end < 0 {
			s.clean = append(s.clean, s.row[at:]...)
			at = len(s.row)
			if err := s.readLine(); err == io.EOF {
				return 0, false, fmt.Errorf("cell %d begins with a quote on line %d that is never closed", len(s.ends)+1, opened)
			} else if err != nil {
				return 0, false, err
			}
			end = bytes.IndexByte(s.row[at:], '"')
		}
		s.clean = append(s.clean, s.row[at:at+end]...)
		at += end + 1
		switch rest := s.row[at:]; {
		case len(rest) > 0 && rest[0] == '"':
			s.clean = append(s.clean, '"')
			at++
		case len(rest) > 0 && rest[0] == s.comma:
			return at + 1, true, nil
		case len(trimEnd(rest)) == 0:
			return 0, false, nil
		default:
			return 0, false, fmt.Errorf("cell %d goes on after its closing quote: want \"\" for a quote inside", len(s.ends)+1)
		}
	}
}

func (s *separated) writer(w io.Writer, columns, more []string) (rowWriter, error) {
	if !s.header {
		return &separatedWriter{w: w, comma: s.comma}, nil
	}
	return newSeparatedWriter(w, s.comma, columns, more)
}

// newSeparatedWriter writes a header.
func newSeparatedWriter(w io.Writer, comma byte, columns, more []string) (rowWriter, error) {
	out := &separatedWriter{w: w, comma: comma}
	var header Row
	for _, name := range slices.Concat(columns, more) {
		header.Cells = append(header.Cells, []byte(name))
	}
	return out, out.write(header, nil)
}

// separatedWriter writes CSV and TSV.
type separatedWriter struct {
	w     io.Writer
	comma byte
	line  []byte
}

func (s *separatedWriter) write(r Row, more []any) error {
	s.line = s.line[:0]
	for _, cell := range r.Cells {
		s.append(cell)
	}
	for _, value := range more {
		if value == nil {
			value = ""
		}
		s.append(fmt.Append(nil, value))
	}
	s.line[len(s.line)-1] = '\n'
	_, err := s.w.Write(s.line)
	return err
}

// append appends a cell and a separator.
func (s *separatedWriter) append(cell []byte) {
	if bytes.IndexByte(cell, s.comma) < 0 && !bytes.ContainsAny(cell, "\"\r\n") {
		s.line = append(append(s.line, cell...), s.comma)
		return
	}
	s.line = append(s.line, '"')
	s.line = append(s.line, bytes.ReplaceAll(cell, []byte(`"`), []byte(`""`))...)
	s.line = append(s.line, '"', s.comma)
}
