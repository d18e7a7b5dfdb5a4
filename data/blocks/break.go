package blocks

import (
	"fmt"
	"strings"
)

// Break says where a text may be cut into blocks (--sample-break-mode).
type Break int

// The ways to cut. A line of one token, which is </s> alone, parts documents.
const (
	// None cuts every Size tokens wherever that is; the last block may be
	// shorter. Variable sizes do not touch it, as in the reference.
	None Break = iota
	// Complete fills a block with whole lines up to its size; a line that is
	// longer is a block of its own.
	Complete
	// CompleteDoc is Complete within documents; empty lines are left out.
	CompleteDoc
	// CompleteDocWithBoundary is CompleteDoc with the empty line that ends a
	// document as the last token of its last block.
	CompleteDocWithBoundary
	// EOS makes every line a block.
	EOS
	// Stream is None with variable sizes. The reference has no such mode; it
	// is what raw bytes, which have no lines, are trained with.
	Stream
)

var breakNames = [...]string{"none", "complete", "complete_doc", "complete_doc_with_boundary", "eos", "stream"}

// String returns the name that ParseBreak knows.
func (b Break) String() string {
	if b < 0 || int(b) >= len(breakNames) {
		return fmt.Sprintf("Break(%d)", int(b))
	}
	return breakNames[b]
}

// ParseBreak returns the mode of a name; the empty name is none.
func ParseBreak(name string) (Break, error) {
	for i, known := range breakNames {
		if name == known || name == "" {
			return Break(i), nil
		}
	}
	return 0, fmt.Errorf("unknown sample break mode %q, want %s", name, strings.Join(breakNames[:], ", "))
}

// separator is the size of the line that ends a document: </s> alone.
const separator = 1

// A span is the tokens [from, to) of a text, counted through all its lines.
type span struct{ from, to int }

func (s span) len() int { return s.to - s.from }

// cut cuts a text into blocks, the limits of whose sizes next draws one by one
// (data/token_block_utils_fast.pyx:48).
func (t *text) cut(mode Break, size int, next func() int) []span {
	switch mode {
	case Complete:
		return t.cutLines(next)
	case CompleteDoc:
		return t.cutDocuments(next, 0)
	case CompleteDocWithBoundary:
		return t.cutDocuments(next, separator)
	case EOS:
		return t.cutEveryLine()
	case Stream:
		return t.cutTokens(next)
	default:
		return t.cutTokens(func() int { return size })
	}
}

func (t *text) cutTokens(next func() int) []span {
	var spans []span
	for from := 0; from < t.total(); {
		to := min(from+next(), t.total())
		spans = append(spans, span{from, to})
		from = to
	}
	return spans
}

func (t *text) cutEveryLine() []span {
	spans := make([]span, 0, t.len())
	for i := range t.len() {
		if t.size(i) > 0 {
			spans = append(spans, span{t.starts[i], t.starts[i+1]})
		}
	}
	return spans
}

func (t *text) cutLines(next func() int) []span {
	var spans []span
	var block span
	limit := next()
	for i := range t.len() {
		n := t.size(i)
		if block.len() > 0 && block.len()+n > limit {
			spans = append(spans, block)
			block.from = block.to
			limit = next()
		}
		block.to += n
	}
	if block.len() > 0 {
		spans = append(spans, block)
	}
	return spans
}

// cutDocuments leaves out separators and documents of a single token; boundary
// is how much of the separator the last block of a document takes in. A new
// size is drawn at every end of a document, as in the reference.
func (t *text) cutDocuments(next func() int, boundary int) []span {
	var spans []span
	var block span
	limit := next()
	for i := range t.len() {
		n := t.size(i)
		ends := n == separator
		if ends || block.len() > 0 && block.len()+n > limit {
			spans = appendDocument(spans, block, ends, boundary)
			block.from = block.to
			limit = next()
		}
		block.to += n
		if ends {
			block.from = block.to
		}
	}
	return appendDocument(spans, block, false, 0)
}

func appendDocument(spans []span, block span, ends bool, boundary int) []span {
	if block.len() <= 1 {
		return spans
	}
	if ends {
		block.to += boundary
	}
	return append(spans, block)
}
