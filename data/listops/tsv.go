package listops

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/mega-go/mega/internal/atomicfile"
	"github.com/mega-go/mega/internal/textfile"
)

const header = "Source\tTarget"

// ReadTSV reads expressions from a file of the Long Range Arena (basic_train.tsv
// and so on): a heading, then an expression and its value a line. It fails on a
// value that is not the expression's.
func ReadTSV(path string) ([]Expression, error) {
	var expressions []Expression
	err := textfile.Open("ListOps", path, func(r io.Reader, name string) (err error) {
		expressions, err = readTSV(r, name)
		return err
	})
	return expressions, err
}

func readTSV(r io.Reader, name string) ([]Expression, error) {
	var expressions []Expression
	headed := false
	err := textfile.EachRecord(r, name, func(line []byte) error {
		if !headed {
			headed = true
			if string(line) != header {
				return fmt.Errorf("the heading is %.40q, want %q", line, header)
			}
			return nil
		}
		e, err := parseLine(line)
		expressions = append(expressions, e)
		return err
	})
	if err == nil && len(expressions) == 0 {
		err = fmt.Errorf("%s: no expressions", name)
	}
	return expressions, err
}

func parseLine(line []byte) (Expression, error) {
	source, target, ok := bytes.Cut(line, []byte("\t"))
	if !ok {
		return nil, errors.New("want an expression, a tab and its value")
	}
	e, err := Parse(string(source))
	if err != nil {
		return nil, err
	}
	if value, _ := e.Eval(); string(target) != Token(value).String() {
		return nil, fmt.Errorf("the value is given as %.20q, but the expression's is %d", target, value)
	}
	return e, nil
}

// WriteTSV writes well-formed expressions as the Long Range Arena does, with
// its parentheses and line ends.
func WriteTSV(path string, expressions []Expression) error {
	return atomicfile.Write(path, func(w io.Writer) error {
		fmt.Fprintf(w, "%s\r\n", header)
		for i, e := range expressions {
			value, err := e.Eval()
			if err != nil {
				return fmt.Errorf("expression %d: %w", i, err)
			}
			if _, err := fmt.Fprintf(w, "%s\t%d\r\n", e.parenthesised(), value); err != nil {
				return err
			}
		}
		return nil
	})
}

// parenthesised returns the expression as the Long Range Arena writes it: an
// operation takes its arguments and its ] one by one, each application in
// parentheses, "( ( ( [MIN 2 ) 3 ) ] )".
func (e Expression) parenthesised() []byte {
	opening := make([]int, len(e)) // parentheses that open before each token
	var operators []int            // places of the operators not yet closed
	for i, t := range e {
		if t >= Min && t < End {
			operators = append(operators, i)
			continue
		}
		if t == End {
			operators = pop(operators, opening)
		}
		if len(operators) > 0 {
			opening[operators[len(operators)-1]]++
		}
	}
	return e.write(opening)
}

// pop removes the last operator, whose ] is one application more.
func pop(operators, opening []int) []int {
	last := len(operators) - 1
	opening[operators[last]]++
	return operators[:last]
}

// write returns the tokens with the given opening parentheses, a closing one
// after each argument and each ].
func (e Expression) write(opening []int) []byte {
	var b []byte
	depth := 0
	for i, t := range e {
		for range opening[i] {
			b = append(b, "( "...)
		}
		b = append(append(b, t.String()...), ' ')
		switch {
		case t >= Min && t < End:
			depth++
			continue
		case t == End:
			depth--
			b = append(b, ") "...)
		}
		if depth > 0 {
			b = append(b, ") "...)
		}
	}
	return bytes.TrimSuffix(b, []byte(" "))
}
