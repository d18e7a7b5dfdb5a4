package sentencepiece

import (
	"container/heap"
	"slices"
	"strings"
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
		m.trie.prefixes(text[from:], func(length, id int) {
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

// symbol is a stretch of text between merges; next and previous are -1 at the
// ends.
type symbol struct {
	from, size     int // size 0: merged into the one before
	previous, next int
	frozen         bool // a user-defined piece, which is never merged
}

// candidate is a merge of two neighbours.
type candidate struct {
	left, right int // symbols
	size        int // of both when it was found
	score       float32
}

// candidates is a heap, the best merge first, of equal ones the leftmost.
type candidates []candidate

func (c candidates) Len() int      { return len(c) }
func (c candidates) Swap(i, j int) { c[i], c[j] = c[j], c[i] }
func (c candidates) Less(i, j int) bool {
	if c[i].score != c[j].score {
		return c[i].score > c[j].score
	}
	return c[i].left < c[j].left
}
func (c *candidates) Push(x any) { *c = append(*c, x.(candidate)) }
func (c *candidates) Pop() any {
	last := len(*c) - 1
	x := (*c)[last]
	*c = (*c)[:last]
	return x
}

// merger joins neighbouring symbols of a text to pieces.
type merger struct {
	model   *Model
	text    string
	symbols []symbol
	agenda  candidates
	halves  map[string][2]string // how unused pieces were made
}

// splitPairs merges neighbours as long as they make a piece, that of the highest
// score first (bpe_model.cc:37).
func (m *Model) splitPairs(text string) []part {
	if text == "" {
		return nil
	}
	g := &merger{model: m, text: text, halves: map[string][2]string{}}
	g.begin()
	for len(g.agenda) > 0 {
		g.merge(heap.Pop(&g.agenda).(candidate))
	}
	var parts []part
	for i := 0; i >= 0; i = g.symbols[i].next {
		parts = g.appendParts(parts, g.piece(i))
	}
	return parts
}

// begin makes a symbol of every character and user-defined piece.
func (g *merger) begin() {
	for from := 0; from < len(g.text); {
		size := g.model.normaliser.custom.longest(g.text[from:])
		frozen := size > 0
		if !frozen {
			size = charSize(g.text[from:])
		}
		n := len(g.symbols)
		g.symbols = append(g.symbols, symbol{from, size, n - 1, n + 1, frozen})
		from += size
	}
	g.symbols[len(g.symbols)-1].next = -1
	for i := range len(g.symbols) - 1 {
		g.consider(i, i+1)
	}
}

func (g *merger) piece(i int) string {
	s := g.symbols[i]
	return g.text[s.from : s.from+s.size]
}

// consider adds the merge of two neighbours if it makes a piece.
func (g *merger) consider(left, right int) {
	if left < 0 || right < 0 || g.symbols[left].frozen || g.symbols[right].frozen {
		return
	}
	a, b := g.piece(left), g.piece(right)
	merged := g.text[g.symbols[left].from:][:len(a)+len(b)]
	id, ok := g.model.ids[merged]
	if !ok {
		return
	}
	heap.Push(&g.agenda, candidate{left, right, len(merged), g.model.pieces[id].score})
	if g.model.pieces[id].kind == unused {
		g.halves[merged] = [2]string{a, b}
	}
}

// merge does what a candidate says unless it is out of date.
func (g *merger) merge(c candidate) {
	left, right := &g.symbols[c.left], &g.symbols[c.right]
	if left.size == 0 || right.size == 0 || left.size+right.size != c.size {
		return
	}
	left.size, right.size = c.size, 0
	left.next = right.next
	if left.next >= 0 {
		g.symbols[left.next].previous = c.left
	}
	g.consider(left.previous, c.left)
	g.consider(c.left, left.next)
}

// appendParts appends a piece, or if it is an unused one what it was made of.
func (g *merger) appendParts(parts []part, text string) []part {
	id := g.model.id(text)
	if halves, ok := g.halves[text]; ok && g.model.pieces[id].kind == unused {
		return g.appendParts(g.appendParts(parts, halves[0]), halves[1])
	}
	return append(parts, part{text, id})
}

// splitCharacters makes a part of every character and user-defined piece.
func (m *Model) splitCharacters(text string) []part {
	var parts []part
	for text != "" {
		size := m.normaliser.custom.longest(text)
		if size == 0 {
			size = charSize(text)
		}
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
