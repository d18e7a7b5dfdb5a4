package blocks

import (
	"slices"

	"github.com/mega-go/mega/data"
	"github.com/mega-go/mega/data/lines"
)

// text is a corpus whose tokens are counted through.
type text struct {
	lines  lines.Lines
	starts []int // where each line begins, and where the last ends
}

// newText counts the tokens of every line; with a limit, those beyond it in a
// line are left out.
func newText(l lines.Lines, limit int) *text {
	t := &text{lines: l, starts: make([]int, l.Len()+1)}
	for i := range l.Len() {
		n := l.Size(i)
		if limit > 0 {
			n = min(n, limit)
		}
		t.starts[i+1] = t.starts[i] + n
	}
	return t
}

func (t *text) len() int       { return len(t.starts) - 1 }
func (t *text) size(i int) int { return t.starts[i+1] - t.starts[i] }
func (t *text) total() int     { return t.starts[len(t.starts)-1] }

// lineAt returns the line that holds the token at a position, and whether it is
// the line's first.
func (t *text) lineAt(position int) (line int, first bool) {
	line, first = slices.BinarySearch(t.starts, position)
	if !first {
		return line - 1, false
	}
	for line+1 < len(t.starts) && t.starts[line+1] == position { // lines without tokens
		line++
	}
	return line, true
}

// read copies the tokens from a position on to dst.
func (t *text) read(dst []int32, from, vocabulary int) error {
	if len(dst) == 0 {
		return nil
	}
	line, _ := t.lineAt(from)
	for ; len(dst) > 0; line++ {
		n := min(len(dst), t.starts[line+1]-from)
		part := dst[:n]
		if err := t.lines.Read(part, line, from-t.starts[line]); err != nil {
			return err
		}
		if err := lines.CheckTokens(t.lines, line, part, vocabulary); err != nil {
			return err
		}
		dst, from = dst[n:], from+n
	}
	return nil
}

// readShifted copies what a model reads to predict the tokens [from, to): those
// one place before. The place before the first token of a line is </s>.
func (t *text) readShifted(dst []int32, from, vocabulary int) error {
	if _, first := t.lineAt(from); !first {
		return t.read(dst, from-1, vocabulary)
	}
	dst[0] = data.EOS
	return t.read(dst[1:], from, vocabulary)
}
