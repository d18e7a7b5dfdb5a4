// Package printable makes text from files and names safe to show: control characters
// in it can neither drive a terminal nor break a picture. It is for the last step
// before text reaches people; results for programs keep their characters.
package printable

import (
	"fmt"
	"io"
	"os"
	"sync"
	"unicode/utf8"

	"golang.org/x/term"
)

// String returns s with what must not be shown written as its escape: \u001b for
// a control character (C0 without tab and newline, DEL, C1) or one that turns the
// direction of text, \xff for a byte that is no UTF-8. The escapes of characters
// are those of JSON, so that JSON keeps its meaning.
func String(s string) string { return string(escape(nil, []byte(s))) }

// escape appends text to dst as String has it.
func escape(dst, text []byte) []byte {
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		switch {
		case r == utf8.RuneError && size == 1:
			dst = fmt.Appendf(dst, `\x%02x`, text[0])
		case forbidden(r):
			dst = fmt.Appendf(dst, `\u%04x`, r)
		default:
			dst = append(dst, text[:size]...)
		}
		text = text[size:]
	}
	return dst
}

// forbidden reports whether a character must not be shown as it is.
func forbidden(r rune) bool {
	switch {
	case r == '\t' || r == '\n':
		return false
	case r < ' ' || 0x7f <= r && r <= 0x9f: // C0, DEL and C1
		return true
	case r == 0x061c || r == 0x200e || r == 0x200f: // marks of direction
		return true
	case r == 0xfffe || r == 0xffff: // no characters, nor XML's
		return true
	}
	return 0x202a <= r && r <= 0x202e || 0x2066 <= r && r <= 0x2069 // embeddings, overrides, isolates
}

// A Writer passes text on as String has it. Several goroutines may write.
type Writer struct {
	w    io.Writer
	lock sync.Mutex
	part []byte // a character of which more is to come
	out  []byte
}

// NewWriter returns a Writer to w.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w} }

// Write writes text. A character that is not whole at its end waits for the rest.
func (p *Writer) Write(text []byte) (int, error) {
	p.lock.Lock()
	defer p.lock.Unlock()
	p.part = append(p.part, text...)
	whole := len(p.part) - incomplete(p.part)
	p.out = escape(p.out[:0], p.part[:whole])
	p.part = append(p.part[:0], p.part[whole:]...)
	if _, err := p.w.Write(p.out); err != nil {
		return 0, err
	}
	return len(text), nil
}

// Close writes what still waits for its rest.
func (p *Writer) Close() error {
	p.lock.Lock()
	defer p.lock.Unlock()
	if len(p.part) == 0 {
		return nil
	}
	_, err := p.w.Write(escape(nil, p.part))
	p.part = nil
	return err
}

// incomplete returns the length of the beginning of a character at the end of
// text.
func incomplete(text []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(text); n++ {
		if end := text[len(text)-n:]; utf8.RuneStart(end[0]) {
			if utf8.FullRune(end) {
				return 0
			}
			return n
		}
	}
	return 0
}

// Terminal returns the terminal that w leads to, nil if it leads to none: for
// what draws with control characters of its own.
func Terminal(w io.Writer) *os.File {
	if p, ok := w.(*Writer); ok {
		w = p.w
	}
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return f
	}
	return nil
}
