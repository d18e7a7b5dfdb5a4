package listops

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mega-go/mega/internal/textfile"
)

// Token is a digit (its own value), an operator or the closing bracket.
type Token byte

// The tokens that are not digits.
const (
	Min Token = 10 + iota
	Max
	Median
	SumMod
	End
	numTokens
)

var names = [numTokens]string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "[MIN", "[MAX", "[MED", "[SM", "]"}

// String returns the token as it is written in expressions.
func (t Token) String() string {
	if t >= numTokens {
		return "?"
	}
	return names[t]
}

// parseToken is the inverse of String.
func parseToken(s string) (Token, bool) {
	for t, name := range names {
		if s == name {
			return Token(t), true
		}
	}
	return 0, false
}

// Expression is a whole expression, its parentheses left out.
type Expression []Token

// Parse reads an expression of tokens with spaces between. Parentheses are
// skipped, so it reads both forms, "[MIN 2 3 ]" and the Long Range Arena's
// "( ( ( [MIN 2 ) 3 ) ] )". It fails on an unknown token and on brackets that
// do not match.
func Parse(s string) (Expression, error) {
	var e Expression
	for field := range strings.FieldsFuncSeq(s, textfile.IsSpace) {
		if field == "(" || field == ")" {
			continue
		}
		t, ok := parseToken(field)
		if !ok {
			return nil, fmt.Errorf("unknown token %.20q; want a digit, [MIN, [MAX, [MED, [SM or ]", field)
		}
		e = append(e, t)
	}
	if _, err := e.Eval(); err != nil {
		return nil, err
	}
	return e, nil
}

// String returns the expression with a space between tokens.
func (e Expression) String() string {
	var b strings.Builder
	for i, t := range e {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(t.String())
	}
	return b.String()
}

// Eval returns the value, 0 to 9. It fails if the expression is not exactly
// one well-formed term.
func (e Expression) Eval() (int, error) {
	var operators []Token
	var values, starts []int // starts[k] is where the arguments of operators[k] begin
	for i, t := range e {
		switch {
		case t < Min:
			values = append(values, int(t))
		case t < End:
			operators = append(operators, t)
			starts = append(starts, len(values))
		default:
			last := len(operators) - 1
			if last < 0 || starts[last] == len(values) {
				return 0, fmt.Errorf("token %d: ] closes nothing or an operation without arguments", i+1)
			}
			v := operators[last].apply(values[starts[last]:])
			values = append(values[:starts[last]], v)
			operators, starts = operators[:last], starts[:last]
		}
		if len(operators) == 0 && i < len(e)-1 {
			return 0, fmt.Errorf("token %d: the expression ends here, but %d tokens follow", i+1, len(e)-1-i)
		}
	}
	if len(operators) > 0 || len(values) != 1 {
		return 0, fmt.Errorf("%d brackets are not closed in an expression of %d tokens", len(operators), len(e))
	}
	return values[0], nil
}

// apply returns an operator's value on its arguments, which it may reorder.
func (t Token) apply(args []int) int {
	switch t {
	case Min:
		return slices.Min(args)
	case Max:
		return slices.Max(args)
	case Median:
		slices.Sort(args)
		n := len(args)
		return (args[(n-1)/2] + args[n/2]) / 2
	default:
		sum := 0
		for _, v := range args {
			sum += v
		}
		return sum % 10
	}
}
