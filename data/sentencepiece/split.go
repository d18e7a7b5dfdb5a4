package sentencepiece

import (
	"slices"
	"strings"

	"github.com/mega-go/mega/internal/merge"
)

// charSize returns the size of the first character of a text that is not empty,
// told by its first byte alone.
func charSize(text string) int {
	size := 1
	switch b := text[0]; {
	case b >= 0xf0:
		size = 4
	case b >= 0xe0:
		size = 3
	case b >= 0xc0:
		size = 2
	}
	return min(size, len(text))
}

// unknownPenalty is how much less an unknown character scores than the worst
// piece, and customMalus what user-defined pieces score below the best.
const (
	unknownPenalty = 10
	customMalus    = 0.1
)

// best is the best way to part the text up to a place: its score and last part.
type best struct {
	score    float32
	from, id int // from is -1 while there is none
}

// splitUnigram finds the parts with the greatest sum of scores
// (unigram_model.cc:891).
func (m *Model) splitUnigram(text string) []part {
	ends := make([]best, len(text)+1)
	for i := range ends {
		ends[i].from = -1
	}
	ends[0] = best{}
	reach := func(from, to int, score float64, id int) {
		score += float64(ends[from].score)
		if end := &ends[to]; end.from < 0 || score > float64(end.score) {
			*end = best{float32(score), from, id}
		}
	}
	for from := 0; from < len(text); {
		size, single := charSize(text[from:]), false
		m.trie.Prefixes(text[from:], func(length, id int) {
			switch m.pieces[id].kind {
			case unused:
				return
			case userDefined:
				reach(from, from+length, float64(float32(length)*m.highest)-customMalus, id)
			default:
				reach(from, from+length, float64(m.pieces[id].score), id)
			}
			single = single || length == size
		})
		if !single {
			reach(from, from+size, float64(m.lowest-unknownPenalty), m.unknown)
		}
		from += size
	}
	var parts []part
	for to := len(text); to > 0; to = ends[to].from {
		parts = append(parts, part{text[ends[to].from:to], ends[to].id})
	}
	slices.Reverse(parts)
	return parts
}

// custom is the ID of a symbol that is a user-defined piece, which is never merged.
const custom = -1

// splitPairs merges neighbours as long as they make a piece, that of the highest
// score first (bpe_model.cc:37).
func (m *Model) splitPairs(text string) []part {
	var symbols []merge.Symbol
	for from := 0; from < len(text); {
		size, id := m.head(text[from:]), 0
		if m.isCustom(text[from : from+size]) {
			id = custom
		}
		symbols = append(symbols, merge.Symbol{From: from, Size: size, ID: id})
		from += size
	}
	halves := map[string]int{} // where unused pieces were put together
	symbols = merge.Join(symbols, func(a, b merge.Symbol) (float64, int, bool) {
		merged := text[a.From:][:a.Size+b.Size]
		id, ok := m.ids[merged]
		if !ok || a.ID == custom || b.ID == custom {
			return 0, 0, false
		}
		if m.pieces[id].kind == unused {
			halves[merged] = a.Size
		}
		return float64(-m.pieces[id].score), id, true
	})
	parts := make([]part, 0, len(symbols))
	for _, s := range symbols {
		parts = m.appendParts(parts, text[s.From:][:s.Size], halves)
	}
	return parts
}

// appendParts appends a piece, or if it is an unused one what it was made of.
func (m *Model) appendParts(parts []part, text string, halves map[string]int) []part {
	id := m.id(text)
	if at, ok := halves[text]; ok && m.pieces[id].kind == unused {
		return m.appendParts(m.appendParts(parts, text[:at], halves), text[at:], halves)
	}
	return append(parts, part{text, id})
}

// head returns the size of the user-defined piece or else the character that a
// text begins with.
func (m *Model) head(text string) int {
	if size, _ := m.normaliser.custom.Longest(text); size > 0 {
		return size
	}
	return charSize(text)
}

func (m *Model) isCustom(text string) bool {
	size, _ := m.normaliser.custom.Longest(text)
	return size == len(text)
}

// splitCharacters makes a part of every character and user-defined piece.
func (m *Model) splitCharacters(text string) []part {
	var parts []part
	for text != "" {
		size := m.head(text)
		parts = append(parts, part{text[:size], m.id(text[:size])})
		text = text[size:]
	}
	return parts
}

// splitWords makes a part of every word with the space before it.
func (m *Model) splitWords(text string) []part {
	var parts []part
	for text != "" {
		size := len(text)
		if i := strings.Index(text[charSize(text):], space); i >= 0 {
			size = charSize(text) + i
		}
		parts = append(parts, part{text[:size], m.id(text[:size])})
		text = text[size:]
	}
	return parts
}
