package sentencepiece

import (
	"strings"
	"unicode/utf8"

	"github.com/mega-go/mega/internal/trie"
)

// space is how a space is written in pieces.
const space = "\u2581"

// normaliser replaces characters and tidies spaces before a text is parted.
type normaliser struct {
	rules       Charsmap
	dummyPrefix bool       // a space before the text
	collapse    bool       // no spaces at the ends, none after another
	escape      bool       // spaces become U+2581
	spaceLast   bool       // the dummy prefix goes to the end
	custom      *trie.Trie // user-defined pieces, which are left as they are
}

// defaultNormaliser has the defaults of NormalizerSpec.
var defaultNormaliser = normaliser{dummyPrefix: true, collapse: true, escape: true}

// setField takes up a field of NormalizerSpec.
func (n *normaliser) setField(f field) (err error) {
	switch f.tag {
	case 2:
		n.rules, err = ParseCharsmap(f.bytes)
	case 3:
		n.dummyPrefix = f.int() != 0
	case 4:
		n.collapse = f.int() != 0
	case 5:
		n.escape = f.int() != 0
	}
	return err
}

// normalise returns the text as its pieces are looked for (normalizer.cc:71).
func (n *normaliser) normalise(text string) string {
	for n.collapse && text != "" {
		out, size := n.prefix(text)
		if out != " " {
			break
		}
		text = text[size:]
	}
	if text == "" {
		return ""
	}
	gap := " "
	if n.escape {
		gap = space
	}
	var b strings.Builder
	if n.dummyPrefix && !n.spaceLast {
		b.WriteString(gap)
	}
	afterSpace := n.collapse
	for text != "" {
		out, size := n.prefix(text)
		text = text[size:]
		if afterSpace {
			out = strings.TrimLeft(out, " ")
		}
		b.WriteString(strings.ReplaceAll(out, " ", gap))
		if out != "" {
			afterSpace = n.collapse && strings.HasSuffix(out, " ")
		}
	}
	result := b.String()
	for n.collapse && strings.HasSuffix(result, gap) {
		result = strings.TrimSuffix(result, gap)
	}
	if n.dummyPrefix && n.spaceLast {
		result += gap
	}
	return result
}

// prefix returns what the head of a text becomes, and the head's size.
func (n *normaliser) prefix(text string) (out string, size int) {
	if size, _ = n.custom.Longest(text); size > 0 {
		return text[:size], size
	}
	if out, size = n.rules.Longest(text); size > 0 {
		return out, size
	}
	r, size := utf8.DecodeRuneInString(text)
	if r == utf8.RuneError && size == 1 {
		return string(utf8.RuneError), 1
	}
	return text[:size], size
}
