package sentencepiece

import (
	"encoding/binary"
	"errors"
	"strings"
	"unicode/utf8"
)

// space is how a space is written in pieces.
const space = "\u2581"

// normaliser replaces characters and tidies spaces before a text is parted.
type normaliser struct {
	rules       charsmap
	dummyPrefix bool  // a space before the text
	collapse    bool  // no spaces at the ends, none after another
	escape      bool  // spaces become U+2581
	spaceLast   bool  // the dummy prefix goes to the end
	custom      *trie // user-defined pieces, which are left as they are
}

// defaultNormaliser has the defaults of NormalizerSpec.
var defaultNormaliser = normaliser{dummyPrefix: true, collapse: true, escape: true}

// setField takes up a field of NormalizerSpec.
func (n *normaliser) setField(f field) (err error) {
	switch f.tag {
	case 2:
		n.rules, err = parseCharsmap(f.bytes)
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
	if size = n.custom.longest(text); size > 0 {
		return text[:size], size
	}
	if out, size = n.rules.longest(text); size > 0 {
		return out, size
	}
	r, size := utf8.DecodeRuneInString(text)
	if r == utf8.RuneError && size == 1 {
		return string(utf8.RuneError), 1
	}
	return text[:size], size
}

// charsmap is a precompiled set of rules: a double array trie (darts-clone)
// whose values are places in a text of replacements, each of which ends in NUL.
type charsmap struct {
	units        []uint32
	replacements string
}

func parseCharsmap(b []byte) (charsmap, error) {
	if len(b) == 0 {
		return charsmap{}, nil
	}
	if len(b) < 4 {
		return charsmap{}, errors.New("the normalisation rules are cut off")
	}
	size := uint64(binary.LittleEndian.Uint32(b))
	b = b[4:]
	if size > uint64(len(b)) || size%4 != 0 {
		return charsmap{}, errors.New("the normalisation rules are cut off")
	}
	c := charsmap{make([]uint32, size/4), string(b[size:])}
	for i := range c.units {
		c.units[i] = binary.LittleEndian.Uint32(b[4*i:])
	}
	return c, nil
}

// A unit of the double array holds the label of the edge that leads to it, the
// offset to the units of its children, and whether a string ends there; then
// the first child holds the string's value instead.
const (
	unitLabel  = 1<<31 | 0xff
	unitLeaf   = 1 << 8
	unitValue  = 1<<31 - 1
	unitExtend = 1 << 9
)

func unitOffset(unit uint32) uint32 { return unit >> 10 << (unit & unitExtend >> 6) }

// longest returns the replacement of the longest rule that matches the head of a
// text, and the head's size; 0 if no rule does.
func (c charsmap) longest(text string) (out string, size int) {
	if len(c.units) == 0 {
		return "", 0
	}
	value := uint32(0)
	at := unitOffset(c.units[0])
	for i := range len(text) {
		at ^= uint32(text[i])
		if int64(at) >= int64(len(c.units)) {
			break
		}
		unit := c.units[at]
		if unit&unitLabel != uint32(text[i]) {
			break
		}
		at ^= unitOffset(unit)
		if unit&unitLeaf != 0 && int64(at) < int64(len(c.units)) {
			value, size = c.units[at]&unitValue, i+1
		}
	}
	if size == 0 || int64(value) >= int64(len(c.replacements)) {
		return "", 0
	}
	out, _, _ = strings.Cut(c.replacements[value:], "\x00")
	return out, size
}
