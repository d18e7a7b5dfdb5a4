package table

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/mega-go/mega/internal/textfile"
)

// jsonLines reads an object of JSON a line. The columns are the keys of the first;
// a key that a row does not have, and null, are cells that are missing.
type jsonLines struct {
	in      *textfile.Reader
	columns map[string]int
	line    int
	first   *Row
	cells   [][]byte
	text    []byte // of strings with escapes
}

func newJSONLines(in io.Reader) (*jsonLines, []string, error) {
	j := &jsonLines{in: textfile.NewReader(in)}
	line, err := j.readLine()
	if err == io.EOF {
		return nil, nil, errors.New("the table is empty")
	}
	if err != nil {
		return nil, nil, err
	}
	columns, err := keys(line)
	if err != nil {
		return nil, nil, fmt.Errorf("line %d: %w (jq -c makes a line of each object of other JSON)", j.line, err)
	}
	if err := checkColumns(columns); err != nil {
		return nil, nil, err
	}
	j.columns = map[string]int{}
	for i, name := range columns {
		j.columns[name] = i
	}
	row, err := j.row(bytes.Clone(line))
	j.first = &row
	return j, columns, err
}

// keys returns the keys of an object in their order.
func keys(line []byte) ([]string, error) {
	var out []string
	var j jsonLines
	err := eachMember(line, func(key, _ []byte) error {
		name, err := j.unquote(key)
		out = append(out, string(name))
		return err
	})
	return out, err
}

// readLine returns the next line that is not empty.
func (j *jsonLines) readLine() ([]byte, error) {
	for {
		line, err := j.in.Next()
		if err != nil {
			return nil, err
		}
		j.line++
		if line = bytes.TrimSpace(line); len(line) > 0 {
			return line, nil
		}
	}
}

func (j *jsonLines) next() (Row, error) {
	if first := j.first; first != nil {
		j.first = nil
		return *first, nil
	}
	line, err := j.readLine()
	if err != nil {
		return Row{}, err
	}
	return j.row(line)
}

func (j *jsonLines) row(line []byte) (Row, error) {
	row := Row{Line: j.line, Raw: line}
	j.cells, j.text = append(j.cells[:0], make([][]byte, len(j.columns))...), j.text[:0]
	if !utf8.Valid(line) {
		return row, &RowError{Line: j.line, Err: errors.New("the line is not UTF-8, as JSON must be")}
	}
	err := eachMember(line, func(key, value []byte) error {
		name, err := j.unquote(key)
		i, ok := j.columns[string(name)]
		if ok && err == nil && string(value) != "null" {
			j.cells[i], err = j.unquote(value)
		}
		return err
	})
	if err != nil {
		return row, &RowError{Line: j.line, Err: err}
	}
	row.Cells = j.cells
	return row, nil
}

// unquote returns the text of a string of JSON, and other values as they stand.
func (j *jsonLines) unquote(value []byte) ([]byte, error) {
	if value[0] != '"' {
		return value, nil
	}
	if inner := value[1 : len(value)-1]; bytes.IndexByte(inner, '\\') < 0 {
		return inner, nil
	}
	from := len(j.text)
	var err error
	j.text, err = unescape(j.text, value)
	return j.text[from:len(j.text):len(j.text)], err
}

// escapes are the characters that stand for others after a backslash.
var escapes = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// unescape appends the text of a valid string of JSON.
func unescape(out, value []byte) ([]byte, error) {
	rest, from := value[1:len(value)-1], len(out)
	for {
		at := bytes.IndexByte(rest, '\\')
		if at < 0 {
			return append(out, rest...), nil
		}
		c := escapes[rest[at+1]]
		if c == 0 { // four digits, maybe one half of a pair
			var s string
			err := json.Unmarshal(value, &s)
			return append(out[:from], s...), err
		}
		out = append(append(out, rest[:at]...), c)
		rest = rest[at+2:]
	}
}

// eachMember calls f with each key, in its quotes, and value of an object.
func eachMember(line []byte, f func(key, value []byte) error) error {
	if line[0] != '{' {
		return errors.New("want an object of JSON in braces on each line")
	}
	end, err := scanMembers(line, 0, 0, f)
	if err == nil && end != len(line) {
		var into any
		err = fmt.Errorf("not JSON: %w", json.Unmarshal(line, &into)) // which says where
	}
	return err
}

func (j *jsonLines) writer(w io.Writer, _, more []string) (rowWriter, error) {
	out := &jsonWriter{w: w}
	for _, name := range more {
		key, err := json.Marshal(name)
		if err != nil {
			return nil, err
		}
		out.keys = append(out.keys, key)
	}
	return out, nil
}

// jsonWriter writes objects with members added.
type jsonWriter struct {
	w    io.Writer
	keys [][]byte
	line []byte
}

func (j *jsonWriter) write(r Row, more []any) error {
	j.line = append(j.line[:0], bytes.TrimRight(r.Raw[:len(r.Raw)-1], " \t")...)
	for i, value := range more {
		text, err := json.Marshal(value)
		if err != nil {
			return err
		}
		if j.line[len(j.line)-1] != '{' {
			j.line = append(j.line, ", "...)
		}
		j.line = append(append(append(j.line, j.keys[i]...), ": "...), text...)
	}
	_, err := j.w.Write(append(j.line, "}\n"...))
	return err
}
