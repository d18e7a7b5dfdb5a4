// Package literal reads values as Python writes them, which is how the
// reference's flags are given: dictionaries, lists, tuples, texts, numbers, True,
// False and None. JSON is read too. It evaluates nothing.
package literal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// deepest is how deep values may lie in one another.
const deepest = 100

// JSON returns a literal as JSON: a tuple becomes an array, with or without
// parentheses. An error says at which character, from 1, what is wrong.
func JSON(text string) ([]byte, error) {
	p := &parser{text: text}
	value, err := p.value(0)
	if err == nil && p.accept(',') {
		value, err = p.items([][]byte{value}, 0, 0)
	}
	if err == nil && p.peek() != 0 {
		err = p.wrong("the value has ended, and %q follows", p.rest())
	}
	return value, err
}

// Unmarshal decodes a literal as encoding/json does its JSON. All keys must be
// known, and an error is in plain words.
func Unmarshal(text string, target any) error {
	data, err := JSON(text)
	if err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	err = d.Decode(target)
	var wrong *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &wrong):
		return errors.New(strings.TrimPrefix(err.Error(), "json: "))
	case wrong.Field == "":
		return errors.New(strings.Replace(fmt.Sprintf("it is a %s, want a dictionary in braces", wrong.Value), "a array", "an array", 1))
	}
	return fmt.Errorf("%s is a %s, want %s", wrong.Field, wrong.Value, kindNames[wrong.Type.Kind()])
}

// kindNames are what users call the types of fields.
var kindNames = map[reflect.Kind]string{
	reflect.Bool: "True or False", reflect.String: "a text in quotes", reflect.Float64: "a number",
	reflect.Int: "a whole number", reflect.Int64: "a whole number", reflect.Uint64: "a whole number, 0 or more",
	reflect.Slice: "a list", reflect.Array: "a list",
}

type parser struct {
	text string
	at   int
}

func (p *parser) wrong(format string, args ...any) error {
	return fmt.Errorf("character %d: %s", utf8.RuneCountInString(p.text[:p.at])+1, fmt.Sprintf(format, args...))
}

// rest returns the beginning of what has not been read.
func (p *parser) rest() string {
	const most = 20
	rest := []rune(p.text[p.at:min(len(p.text), p.at+4*most)])
	return string(rest[:min(most, len(rest))])
}

// peek returns the next byte that is no space, 0 at the end.
func (p *parser) peek() byte {
	p.at += len(p.text[p.at:]) - len(strings.TrimLeftFunc(p.text[p.at:], unicode.IsSpace))
	if p.at == len(p.text) {
		return 0
	}
	return p.text[p.at]
}

// accept reads a byte if it is the next one; 0 is the end.
func (p *parser) accept(c byte) bool {
	ok := p.peek() == c
	if ok && c != 0 {
		p.at++
	}
	return ok
}

func (p *parser) value(depth int) ([]byte, error) {
	if depth > deepest {
		return nil, p.wrong("more than %d levels", deepest)
	}
	switch c := p.peek(); {
	case c == 0:
		return nil, p.wrong("want a value")
	case c == '{':
		return p.dictionary(depth)
	case c == '[':
		p.at++
		return p.items(nil, ']', depth)
	case c == '(':
		return p.tuple(depth)
	case c == '\'' || c == '"':
		text, err := p.quoted(c)
		if err != nil {
			return nil, err
		}
		return json.Marshal(text)
	}
	return p.word()
}

// items reads values up to a closing mark, 0 for the end of the text, after those
// that have been read.
func (p *parser) items(read [][]byte, closing byte, depth int) ([]byte, error) {
	for !p.accept(closing) {
		v, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		read = append(read, v)
		if !p.accept(',') && p.peek() != closing {
			return nil, p.wrong("want a comma or the end of the list")
		}
	}
	var out []byte
	for i, v := range read {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, v...)
	}
	return append(append([]byte{'['}, out...), ']'), nil
}

// tuple reads a tuple, or a value in parentheses, which are not a tuple's without
// a comma.
func (p *parser) tuple(depth int) ([]byte, error) {
	p.at++
	if p.accept(')') {
		return []byte("[]"), nil
	}
	first, err := p.value(depth + 1)
	switch {
	case err != nil:
		return nil, err
	case p.accept(')'):
		return first, nil
	case p.accept(','):
		return p.items([][]byte{first}, ')', depth)
	}
	return nil, p.wrong(`want a comma or ")"`)
}

func (p *parser) dictionary(depth int) ([]byte, error) {
	p.at++
	out := []byte{'{'}
	for !p.accept('}') {
		c := p.peek()
		if c != '\'' && c != '"' {
			return nil, p.wrong("want a key in quotes, or the end of the dictionary")
		}
		key, err := p.quoted(c)
		if err != nil {
			return nil, err
		}
		if !p.accept(':') {
			return nil, p.wrong("want a colon after the key %q", key)
		}
		v, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		name, err := json.Marshal(key)
		if err != nil {
			return nil, err
		}
		out = append(append(append(out, name...), ':'), v...)
		if !p.accept(',') && p.peek() != '}' {
			return nil, p.wrong("want a comma or the end of the dictionary")
		}
	}
	return append(out, '}'), nil
}

// quoted reads a text in quotes.
func (p *parser) quoted(quote byte) (string, error) {
	start := p.at
	var out []byte
	for rest := p.text[p.at+1:]; rest != "" && rest[0] != '\n'; {
		if rest[0] == quote {
			p.at = len(p.text) - len(rest) + 1
			return string(out), nil
		}
		if strings.HasPrefix(rest, `\/`) || strings.HasPrefix(rest, `\'`) || strings.HasPrefix(rest, `\"`) {
			out, rest = append(out, rest[1]), rest[2:]
			continue
		}
		r, _, tail, err := strconv.UnquoteChar(rest, 0)
		if err != nil {
			p.at = len(p.text) - len(rest)
			return "", p.wrong("%q is no character of a text", p.rest())
		}
		out, rest = utf8.AppendRune(out, r), tail
	}
	p.at = start
	return "", p.wrong("the text has no end")
}

// word reads a number, True, False or None.
func (p *parser) word() ([]byte, error) {
	end := p.at
	for end < len(p.text) && (strings.IndexByte("+-._", p.text[end]) >= 0 || isAlnum(p.text[end])) {
		end++
	}
	word := p.text[p.at:end]
	switch word {
	case "True", "true":
		p.at = end
		return []byte("true"), nil
	case "False", "false":
		p.at = end
		return []byte("false"), nil
	case "None", "null":
		p.at = end
		return []byte("null"), nil
	}
	number := strings.TrimPrefix(word, "+")
	if _, err := strconv.ParseInt(number, 10, 64); err == nil {
		p.at = end
		return json.Marshal(json.Number(trimZeros(number)))
	}
	x, err := strconv.ParseFloat(number, 64)
	if err != nil || x != x || x-x != 0 {
		return nil, p.wrong("%q is no number and no text in quotes", p.rest())
	}
	p.at = end
	return json.Marshal(x)
}

// trimZeros drops the zeros before a whole number, which JSON does not have.
func trimZeros(number string) string {
	digits, negative := strings.CutPrefix(number, "-")
	if digits = strings.TrimLeft(digits, "0"); digits == "" {
		return "0"
	}
	if negative {
		return "-" + digits
	}
	return digits
}

func isAlnum(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}
