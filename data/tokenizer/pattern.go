package tokenizer

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
	"unicode/utf8"
)

// pattern is what a tokenizer looks for: a text, or a regular expression.
type pattern struct {
	String *string `json:"String"`
	Regex  *string `json:"Regex"`
}

// part is a stretch of a text that a pattern matches, or one between.
type part struct {
	text    string
	matched bool
}

// matcher finds a pattern. Go's regular expressions have no lookahead, and of
// Hugging Face's tokenizers all have that of one place: \s+(?!\S), white space
// but for the last of it where text follows. It is looked for as \s+, a group of
// its own, and shortened.
type matcher struct {
	re    *regexp.Regexp
	group int      // of the white space; 0 if there is none
	rest  *matcher // the alternatives after it
}

func (p pattern) compile() (*matcher, error) {
	switch {
	case p.String != nil && *p.String != "":
		return &matcher{re: regexp.MustCompile(regexp.QuoteMeta(*p.String))}, nil
	case p.Regex != nil && *p.Regex != "":
		return compile(*p.Regex)
	}
	return nil, errors.New(`pattern: want {"String": TEXT} or {"Regex": TEXT}`)
}

// lookahead is the one that there is.
const lookahead = `\s+(?!\S)`

// compile reads a regular expression of Hugging Face's (Oniguruma's).
func compile(text string) (*matcher, error) {
	head, rest, ok := strings.Cut(text, lookahead)
	if ok && (head == "" || strings.HasSuffix(head, "|")) && (rest == "" || strings.HasPrefix(rest, "|")) {
		m, err := compileGo(head + `(?P<space>\s+)` + rest)
		if err != nil {
			return nil, err
		}
		m.group = m.re.SubexpIndex("space")
		if rest != "" {
			m.rest, err = compile(rest[1:])
		}
		return m, err
	}
	return compileGo(text)
}

// word is what \w holds: letters, marks, digits, connectors and what else Unicode
// calls alphabetic.
const word = `\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}\x{24b6}-\x{24e9}\x{1f130}-\x{1f149}\x{1f150}-\x{1f169}\x{1f170}-\x{1f189}`

// outside of classes, some have more characters there than in Go, and quantifiers
// that give nothing back match what plain ones do where what follows begins with
// other characters.
var outside = strings.NewReplacer(`\\`, `\\`, `\?`, `\?`, `\*`, `\*`, `\+`, `\+`, `?+`, `?`, `*+`, `*`, `++`, `+`,
	`\s`, `[\t-\r\x{85}\p{Z}]`, `\S`, `[^\t-\r\x{85}\p{Z}]`, `\d`, `\p{Nd}`, `\D`, `\P{Nd}`,
	`\w`, `[`+word+`]`, `\W`, `[^`+word+`]`)

// inside of brackets, classes have none of their own.
var inside = strings.NewReplacer(`\\`, `\\`,
	`\s`, `\t-\r\x{85}\p{Z}`, `\d`, `\p{Nd}`, `\D`, `\P{Nd}`, `\w`, word)

// compileGo compiles an expression in Go's words.
func compileGo(text string) (*matcher, error) {
	var b strings.Builder
	for rest := text; rest != ""; {
		at := strings.IndexByte(rest, '[')
		if at < 0 {
			at = len(rest)
		}
		if at > 0 && rest[at-1] == '\\' && at < len(rest) { // a bracket that is meant
			at++
			b.WriteString(outside.Replace(rest[:at]))
			rest = rest[at:]
			continue
		}
		b.WriteString(outside.Replace(rest[:at]))
		rest = rest[at:]
		end := classEnd(rest)
		b.WriteString(inside.Replace(rest[:end]))
		rest = rest[end:]
	}
	re, err := regexp.Compile(b.String())
	if err != nil {
		var e *syntax.Error
		if errors.As(err, &e) {
			err = fmt.Errorf("%s: %q", e.Code, e.Expr)
		}
		return nil, fmt.Errorf("regular expression %q: %w", text, err)
	}
	return &matcher{re: re}, nil
}

// classEnd returns the length of the class that text begins with.
func classEnd(text string) int {
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case ']':
			return i + 1
		}
	}
	return len(text)
}

// find returns where the first match at or after a place begins and ends.
func (m *matcher) find(text string, at int) (from, to int) {
	for ; at <= len(text); at = to {
		loc := m.re.FindStringSubmatchIndex(text[at:])
		if loc == nil {
			return -1, -1
		}
		from, to = at+loc[0], at+loc[1]
		if m.group == 0 || loc[2*m.group] < 0 || to == len(text) {
			return from, to
		}
		_, last := utf8.DecodeLastRuneInString(text[from:to])
		if from+last < to {
			return from, to - last
		}
		if m.rest != nil { // one space before text: not for this alternative
			if f, t := m.rest.find(text[from:], 0); f == 0 {
				return from, from + t
			}
		}
	}
	return -1, -1
}

// parts returns the matches of a text and what is between them, none empty.
func (m *matcher) parts(text string) (parts []part) {
	done := 0
	for at := 0; at < len(text); {
		from, to := m.find(text, at)
		if from < 0 {
			break
		}
		if at = to; from == to { // nothing
			at += runeSize(text[to:])
			continue
		}
		if done < from {
			parts = append(parts, part{text[done:from], false})
		}
		parts = append(parts, part{text[from:to], true})
		done = to
	}
	if done < len(text) {
		parts = append(parts, part{text[done:], false})
	}
	return parts
}

// runeSize returns the size of a text's first character: 1 if it is not UTF-8.
func runeSize(text string) int {
	_, size := utf8.DecodeRuneInString(text)
	return max(1, size)
}
