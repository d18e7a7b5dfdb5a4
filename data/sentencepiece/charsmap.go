package sentencepiece

import (
	"encoding/binary"
	"errors"
	"strings"
)

// A Charsmap is a precompiled set of rules: a double array trie (darts-clone)
// whose values are places in a text of replacements, each of which ends in NUL.
type Charsmap struct {
	units        []uint32
	replacements string
}

// ParseCharsmap reads the rules as a model holds them.
func ParseCharsmap(b []byte) (Charsmap, error) {
	if len(b) == 0 {
		return Charsmap{}, nil
	}
	if len(b) < 4 {
		return Charsmap{}, errors.New("the normalisation rules are cut off")
	}
	size := uint64(binary.LittleEndian.Uint32(b))
	b = b[4:]
	if size > uint64(len(b)) || size%4 != 0 {
		return Charsmap{}, errors.New("the normalisation rules are cut off")
	}
	c := Charsmap{make([]uint32, size/4), string(b[size:])}
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

// Longest returns the replacement of the longest rule that matches the head of a
// text, and the head's size; 0 if no rule does.
func (c Charsmap) Longest(text string) (out string, size int) { return c.find(text, false) }

// Shortest is like Longest for the shortest rule.
func (c Charsmap) Shortest(text string) (out string, size int) { return c.find(text, true) }

func (c Charsmap) find(text string, shortest bool) (out string, size int) {
	if len(c.units) == 0 {
		return "", 0
	}
	value := uint32(0)
	at := unitOffset(c.units[0])
	for i := range len(text) {
		if shortest && size > 0 {
			break
		}
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
