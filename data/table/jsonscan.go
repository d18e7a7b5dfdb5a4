package table

import "bytes"

// Scanning of JSON (RFC 8259) in one pass, several times as fast as json.Valid. Each
// function returns where what begins at a place ends, or -1 if it is not valid there.

// maxDepth bounds values in values, as encoding/json does.
const maxDepth = 10_000

// scanMembers scans an object and calls f, if it is not nil, with each member.
func scanMembers(line []byte, at, depth int, f func(key, value []byte) error) (int, error) {
	if depth >= maxDepth {
		return -1, nil
	}
	if at = skipSpace(line, at+1); byteAt(line, at) == '}' {
		return at + 1, nil
	}
	for {
		key := at
		keyEnd := scanString(line, key)
		if at = skipSpace(line, keyEnd); keyEnd < 0 || byteAt(line, at) != ':' {
			return -1, nil
		}
		value := skipSpace(line, at+1)
		if at = scanValue(line, value, depth+1); at < 0 {
			return -1, nil
		}
		if f != nil {
			if err := f(line[key:keyEnd], line[value:at]); err != nil {
				return -1, err
			}
		}
		at = skipSpace(line, at)
		switch byteAt(line, at) {
		case '}':
			return at + 1, nil
		case ',':
			at = skipSpace(line, at+1)
		default:
			return -1, nil
		}
	}
}

func scanValue(line []byte, at, depth int) int {
	switch byteAt(line, at) {
	case '"':
		return scanString(line, at)
	case '{':
		end, _ := scanMembers(line, at, depth, nil) // without f nothing fails
		return end
	case '[':
		return scanArray(line, at, depth)
	case 't':
		return scanWord(line, at, "true")
	case 'f':
		return scanWord(line, at, "false")
	case 'n':
		return scanWord(line, at, "null")
	}
	return scanNumber(line, at)
}

func scanArray(line []byte, at, depth int) int {
	if depth >= maxDepth {
		return -1
	}
	if at = skipSpace(line, at+1); byteAt(line, at) == ']' {
		return at + 1
	}
	for {
		if at = scanValue(line, at, depth+1); at < 0 {
			return -1
		}
		at = skipSpace(line, at)
		switch byteAt(line, at) {
		case ']':
			return at + 1
		case ',':
			at = skipSpace(line, at+1)
		default:
			return -1
		}
	}
}

func scanWord(line []byte, at int, word string) int {
	if !bytes.HasPrefix(line[at:], []byte(word)) {
		return -1
	}
	return at + len(word)
}

// inString tells the bytes of a string that stand for themselves.
var inString = func() (t [256]bool) {
	for c := range t {
		t[c] = c >= ' ' && c != '"' && c != '\\'
	}
	return t
}()

func scanString(line []byte, at int) int {
	if byteAt(line, at) != '"' {
		return -1
	}
	for at++; at < len(line); at++ {
		c := line[at]
		switch {
		case inString[c]:
		case c == '"':
			return at + 1
		case c == '\\' && byteAt(line, at+1) == 'u' && hexadecimal(line, at+2):
			at += 5
		case c == '\\' && escapes[byteAt(line, at+1)] != 0:
			at++
		default:
			return -1
		}
	}
	return -1
}

// hexadecimal tells whether four digits begin at a place.
func hexadecimal(line []byte, at int) bool {
	for i := at; i < at+4; i++ {
		if c := byteAt(line, i) | 0x20; !(c >= '0' && c <= '9' && byteAt(line, i) >= '0' || c >= 'a' && c <= 'f') {
			return false
		}
	}
	return true
}

func scanNumber(line []byte, at int) int {
	if byteAt(line, at) == '-' {
		at++
	}
	whole := at
	if at = skipDigits(line, at); at == whole || line[whole] == '0' && at > whole+1 {
		return -1
	}
	if byteAt(line, at) == '.' {
		if at = skipDigits(line, at+1); line[at-1] == '.' {
			return -1
		}
	}
	if byteAt(line, at)|0x20 != 'e' {
		return at
	}
	if at++; byteAt(line, at) == '+' || byteAt(line, at) == '-' {
		at++
	}
	digits := at
	if at = skipDigits(line, at); at == digits {
		return -1
	}
	return at
}

func skipDigits(line []byte, at int) int {
	for c := byteAt(line, at); c >= '0' && c <= '9'; c = byteAt(line, at) {
		at++
	}
	return at
}

func skipSpace(line []byte, at int) int {
	for c := byteAt(line, at); c == ' ' || c == '\t' || c == '\r' || c == '\n'; c = byteAt(line, at) {
		at++
	}
	return at
}

// byteAt returns a byte, and 0, which nothing begins with, outside of the line.
func byteAt(line []byte, at int) byte {
	if uint(at) < uint(len(line)) {
		return line[at]
	}
	return 0
}
