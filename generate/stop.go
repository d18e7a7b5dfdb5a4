package generate

import (
	"bytes"
	"strings"
)

// A stopper watches a text being made for stop strings. What may be the beginning
// of one is held back until that is clear.
type stopper struct {
	stops []string
	held  []byte
}

// add takes in the next bytes of the text and returns those that are sure to be
// before any stop string, and whether one is complete, which ends the text.
func (s *stopper) add(text []byte) (sure []byte, stopped bool) {
	s.held = append(s.held, text...)
	first := -1
	for _, stop := range s.stops {
		if i := bytes.Index(s.held, []byte(stop)); i >= 0 && (first < 0 || i < first) {
			first = i
		}
	}
	if first >= 0 {
		sure = bytes.Clone(s.held[:first])
		s.held = nil
		return sure, true
	}
	keep := s.beginning()
	sure = bytes.Clone(s.held[:len(s.held)-keep])
	s.held = append(s.held[:0], s.held[len(s.held)-keep:]...)
	return sure, false
}

// beginning returns how many bytes at the end of what is held begin a stop
// string.
func (s *stopper) beginning() int {
	longest := 0
	for _, stop := range s.stops {
		for n := min(len(stop)-1, len(s.held)); n > longest; n-- {
			if strings.HasPrefix(stop, string(s.held[len(s.held)-n:])) {
				longest = n
			}
		}
	}
	return longest
}

// rest returns what is held back, at the end of the text.
func (s *stopper) rest() []byte {
	held := s.held
	s.held = nil
	return held
}
