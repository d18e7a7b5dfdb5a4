package ptx

import (
	"fmt"
	"strings"
)

// A token is a word, a number, a string in quotes or a mark of punctuation.
type token struct {
	text string
	line int
}

// scan splits a text into tokens, comments left out.
func scan(text string) ([]token, error) {
	var tokens []token
	line := 1
	for i := 0; i < len(text); {
		n := 1
		switch rest := text[i:]; {
		case text[i] == '\n':
			line++
		case text[i] == ' ' || text[i] == '\t' || text[i] == '\r':
		case strings.HasPrefix(rest, "//"):
			n = span(rest, func(c byte) bool { return c != '\n' })
		case strings.HasPrefix(rest, "/*"):
			end := strings.Index(rest, "*/")
			if end < 0 {
				return nil, fmt.Errorf("ptx: line %d: a comment does not end", line)
			}
			n = end + len("*/")
			line += strings.Count(rest[:n], "\n")
		case text[i] == '"':
			n = 1 + span(rest[1:], func(c byte) bool { return c != '"' && c != '\n' })
			if n == len(rest) || rest[n] != '"' {
				return nil, fmt.Errorf("ptx: line %d: a string does not end", line)
			}
			n++
			tokens = append(tokens, token{rest[:n], line})
		case isWord(text[i]) || text[i] == '-' && len(rest) > 1 && isDigit(rest[1]):
			n = 1 + span(rest[1:], isWord)
			tokens = append(tokens, token{rest[:n], line})
		case strings.IndexByte("[]{}()<>,;:+@!|=", text[i]) >= 0:
			tokens = append(tokens, token{rest[:1], line})
		default:
			return nil, fmt.Errorf("ptx: line %d: unexpected %q", line, text[i])
		}
		i += n
	}
	return tokens, nil
}

// span returns how many of the first bytes of s are as in says.
func span(s string, in func(c byte) bool) int {
	n := 0
	for n < len(s) && in(s[n]) {
		n++
	}
	return n
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// isWord reports whether c is part of names, numbers and opcodes.
func isWord(c byte) bool {
	return isDigit(c) || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || strings.IndexByte("._$%", c) >= 0
}
