package sentencepiece

import (
	"cmp"
	"container/heap"
	"unicode/utf8"
)

// pair is two symbols that stand side by side.
type pair struct{ left, right int32 }

// pairCount is how often a pair is there, and in which words; a word may be named
// twice, or have lost the pair.
type pairCount struct {
	count int64
	words []int32
}

// pairTrainer merges the commonest pair again and again (Sennrich et al. 2016,
// arXiv 1508.07909). Of equal counts the shorter piece comes first, then the
// alphabet's (bpe_model_trainer.cc:271).
type pairTrainer struct {
	maxRunes   int
	symbols    []string
	ids        map[string]int32
	words      [][]int32
	counts     []int64
	pairs      map[pair]*pairCount
	agenda     []waiting // a heap
	changed    map[pair]bool
	characters []string
}

// waiting is a pair and its count when it was put on the heap, which is the
// greatest that it can have.
type waiting struct {
	pair
	count int64
	text  string
}

func newPairTrainer(words []word, characters []string, o TrainOptions) *pairTrainer {
	t := &pairTrainer{maxRunes: o.MaxRunes, ids: map[string]int32{}, pairs: map[pair]*pairCount{}, changed: map[pair]bool{}, characters: characters}
	for _, c := range characters {
		t.id(c)
	}
	for i, w := range words {
		symbols := make([]int32, 0, len(w.text))
		for _, r := range w.text {
			symbols = append(symbols, t.ids[string(r)])
		}
		t.words, t.counts = append(t.words, symbols), append(t.counts, w.count)
		t.add(int32(i), 1)
	}
	t.push()
	return t
}

// id returns the id of a symbol, a new one if need be.
func (t *pairTrainer) id(text string) int32 {
	id, ok := t.ids[text]
	if !ok {
		id = int32(len(t.symbols))
		t.ids[text], t.symbols = id, append(t.symbols, text)
	}
	return id
}

// add counts the pairs of a word, or with sign -1 takes them back.
func (t *pairTrainer) add(w int32, sign int64) {
	symbols := t.words[w]
	for i := range max(0, len(symbols)-1) {
		p := pair{symbols[i], symbols[i+1]}
		c := t.pairs[p]
		if c == nil {
			c = &pairCount{}
			t.pairs[p] = c
		}
		c.count += sign * t.counts[w]
		if sign > 0 {
			if n := len(c.words); n == 0 || c.words[n-1] != w {
				c.words = append(c.words, w)
			}
			t.changed[p] = true
		}
	}
}

// push puts pairs whose counts may have grown on the heap.
func (t *pairTrainer) push() {
	for p := range t.changed {
		text := t.symbols[p.left] + t.symbols[p.right]
		if c := t.pairs[p]; c.count > 0 && utf8.RuneCountInString(text) <= t.maxRunes {
			heap.Push(t, waiting{p, c.count, text})
		}
	}
	clear(t.changed)
}

func (t *pairTrainer) Len() int      { return len(t.agenda) }
func (t *pairTrainer) Swap(i, j int) { t.agenda[i], t.agenda[j] = t.agenda[j], t.agenda[i] }
func (t *pairTrainer) Less(i, j int) bool {
	a, b := t.agenda[i], t.agenda[j]
	return cmp.Or(cmp.Compare(b.count, a.count), cmp.Compare(len(a.text), len(b.text)),
		cmp.Compare(a.text, b.text), cmp.Compare(a.left, b.left)) < 0
}
func (t *pairTrainer) Push(x any) { t.agenda = append(t.agenda, x.(waiting)) }
func (t *pairTrainer) Pop() any {
	last := len(t.agenda) - 1
	x := t.agenda[last]
	t.agenda = t.agenda[:last]
	return x
}

// train returns as many merged pieces as there are, n at most, and after them the
// characters, the score of each lower than that of the one before.
func (t *pairTrainer) train(n int, tick func(done, total int)) []piece {
	var pieces []piece
	for len(pieces) < n && len(t.agenda) > 0 {
		w := heap.Pop(t).(waiting)
		c := t.pairs[w.pair]
		switch {
		case c == nil || c.count <= 0:
			continue
		case c.count != w.count: // out of date
			w.count = c.count
			heap.Push(t, w)
			continue
		case c.count < 2:
			n = 0 // nothing is there twice
			continue
		}
		if _, ok := t.ids[w.text]; !ok {
			pieces = append(pieces, piece{w.text, -float32(len(pieces)), normal})
			tick(len(pieces), n)
		}
		t.merge(w.pair, t.id(w.text))
	}
	for _, c := range t.characters {
		pieces = append(pieces, piece{c, -float32(len(pieces)), normal})
	}
	return pieces
}

// merge makes one symbol of a pair in all words.
func (t *pairTrainer) merge(p pair, id int32) {
	words := t.pairs[p].words
	for _, w := range words {
		symbols := t.words[w]
		if !hasPair(symbols, p) {
			continue
		}
		t.add(w, -1)
		merged := symbols[:0]
		for i := 0; i < len(symbols); i++ {
			if i+1 < len(symbols) && symbols[i] == p.left && symbols[i+1] == p.right {
				merged = append(merged, id)
				i++
			} else {
				merged = append(merged, symbols[i])
			}
		}
		t.words[w] = merged
		t.add(w, 1)
	}
	delete(t.pairs, p)
	delete(t.changed, p)
	t.push()
}

func hasPair(symbols []int32, p pair) bool {
	for i := range max(0, len(symbols)-1) {
		if symbols[i] == p.left && symbols[i+1] == p.right {
			return true
		}
	}
	return false
}
