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
		return nil, nil, fmt.Errorf("line %d: %w", j.line, err)
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
	err := eachMember(line, func(key, _ []byte) error {
		name, err := jsonText(key)
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
	j.cells = append(j.cells[:0], make([][]byte, len(j.columns))...)
	if !utf8.Valid(line) {
		return row, &RowError{Line: j.line, Err: errors.New("the line is not UTF-8, as JSON must be")}
	}
	err := eachMember(line, func(key, value []byte) error {
		name, err := jsonText(key)
		i, ok := j.columns[string(name)]
		if ok && err == nil && string(value) != "null" {
			j.cells[i], err = jsonText(value)
		}
		return err
	})
	if err != nil {
		return row, &RowError{Line: j.line, Err: err}
	}
	row.Cells = j.cells
	return row, nil
}

// jsonText returns the text of a string of JSON, and other values as they stand.
func jsonText(value []byte) ([]byte, error) {
	if value[0] != '"' {
		return value, nil
	}
	if inner := value[1 : len(value)-1]; bytes.IndexByte(inner, '\\') < 0 {
		return inner, nil
	}
	return unescape(value)
}

// escapes are the characters that stand for others after a backslash.
var escapes = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// unescape returns the text of a valid string of JSON.
func unescape(value []byte) ([]byte, error) {
	rest := value[1 : len(value)-1]
	out := make([]byte, 0, len(rest))
	for {
		at := bytes.IndexByte(rest, '\\')
		if at < 0 {
			return append(out, rest...), nil
		}
		c := escapes[rest[at+1]]
		if c == 0 { // four digits, maybe one half of a pair
			var s string
			err := json.Unmarshal(value, &s)
			return []byte(s), err
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
	if !json.Valid(line) {
		var into any
		return fmt.Errorf("not JSON: %w", json.Unmarshal(line, &into))
	}
	for at := skipSpace(line, 1); line[at] != '}'; {
		key := line[at:skipValue(line, at)]
		at = skipSpace(line, at+len(key)) + 1 // the colon
		at = skipSpace(line, at)
		value := line[at:skipValue(line, at)]
		if err := f(key, value); err != nil {
			return err
		}
		if at = skipSpace(line, at+len(value)); line[at] == ',' {
			at = skipSpace(line, at+1)
		}
	}
	return nil
}

func skipSpace(line []byte, at int) int {
	for line[at] == ' ' || line[at] == '\t' {
		at++
	}
	return at
}

// skipValue returns where a value of valid JSON ends.
func skipValue(line []byte, at int) int {
	switch line[at] {
	case '"':
		return skipString(line, at)
	case '{', '[':
		for depth := 0; ; at++ {
			switch line[at] {
			case '"':
				at = skipString(line, at) - 1
			case '{', '[':
				depth++
			case '}', ']':
				if depth--; depth == 0 {
					return at + 1
				}
			}
		}
	}
	for line[at] != ',' && line[at] != '}' && line[at] != ' ' && line[at] != '\t' {
		at++
	}
	return at
}

func skipString(line []byte, at int) int {
	for {
		at += 1 + bytes.IndexByte(line[at+1:], '"')
		escapes := 0
		for line[at-1-escapes] == '\\' {
			escapes++
		}
		if escapes%2 == 0 {
			return at + 1
		}
	}
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
