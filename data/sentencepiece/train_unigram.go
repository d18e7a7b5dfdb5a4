package sentencepiece

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"unicode/utf8"

	"github.com/mega-go/mega/internal/trie"
)

// What SentencePiece does (trainer_spec's defaults, unigram_model_trainer.cc).
const (
	seedsPerPiece = 16   // the reference begins with a million
	subIterations = 2    // of EM before each pruning
	shrinking     = 0.75 // share of pieces that a pruning keeps
	spare         = 1.1  // how many more than wanted are kept until the last
	leastCount    = 0.5  // pieces that are expected less often go
)

// unigramTrainer finds the pieces that make a text most likely (Kudo 2018, arXiv
// 1804.10959): from many seeds, EM says how likely each is, and those whose loss
// matters least are dropped, again and again.
type unigramTrainer struct {
	words      []word
	characters []string
	pieces     []piece // the scores are log-probabilities
	trie       *trie.Trie
	scores     []float64
}

func newUnigramTrainer(words []word, characters []string, o TrainOptions) *unigramTrainer {
	t := &unigramTrainer{words: words, characters: characters}
	counts := t.substrings(o.MaxRunes)
	seeds := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b]*int64(len(b)), counts[a]*int64(len(a))), cmp.Compare(a, b))
	})
	seeds = seeds[:min(len(seeds), seedsPerPiece*o.Size)]
	total := 0.0
	single := t.characterCounts()
	for _, c := range characters {
		total += single[c]
	}
	for _, s := range seeds {
		total += float64(counts[s] * int64(utf8.RuneCountInString(s)))
	}
	add := func(text string, weight float64) {
		t.pieces = append(t.pieces, piece{text, float32(math.Log(weight / total)), normal})
	}
	for _, c := range characters {
		add(c, single[c])
	}
	for _, s := range seeds {
		add(s, float64(counts[s]*int64(utf8.RuneCountInString(s))))
	}
	t.index()
	return t
}

func (t *unigramTrainer) characterCounts() map[string]float64 {
	counts := map[string]float64{}
	for _, w := range t.words {
		for _, r := range w.text {
			counts[string(r)] += float64(w.count)
		}
	}
	return counts
}

// substrings counts those of two characters or more that are there twice. A
// longer one is looked for only where what it begins with is there twice, so that
// memory stays in proportion to the words.
func (t *unigramTrainer) substrings(maxRunes int) map[string]int64 {
	all := map[string]int64{}
	for runes := 2; runes <= maxRunes; runes++ {
		level := map[string]int64{}
		for _, w := range t.words {
			eachSubstring(w.text, runes, func(s string) {
				_, size := utf8.DecodeLastRuneInString(s)
				if runes == 2 || all[s[:len(s)-size]] > 0 {
					level[s] += w.count
				}
			})
		}
		maps.DeleteFunc(level, func(_ string, n int64) bool { return n < 2 })
		if len(level) == 0 {
			break
		}
		maps.Copy(all, level)
	}
	return all
}

// eachSubstring calls f with all of so many characters.
func eachSubstring(text string, runes int, f func(string)) {
	from, held := 0, 0
	for to, r := range text {
		to += utf8.RuneLen(r)
		if held++; held > runes {
			_, size := utf8.DecodeRuneInString(text[from:])
			from, held = from+size, runes
		}
		if held == runes {
			f(text[from:to])
		}
	}
}

// index makes the pieces findable.
func (t *unigramTrainer) index() {
	ids := make(map[string]int, len(t.pieces))
	t.scores = make([]float64, len(t.pieces))
	for i, p := range t.pieces {
		ids[p.text], t.scores[i] = i, float64(p.score)
	}
	t.trie = trie.New(ids)
}

// train returns n pieces, or as many as there are, the likeliest first.
func (t *unigramTrainer) train(n int, tick func(done, total int)) []piece {
	seeds := len(t.pieces)
	for want := int(spare * float64(n)); ; {
		for range subIterations {
			t.maximise(t.expect())
		}
		tick(seeds-len(t.pieces), max(1, seeds-n))
		if len(t.pieces) <= want {
			return t.finish(n)
		}
		t.prune(max(want, int(shrinking*float64(len(t.pieces)))))
	}
}

// expect returns how often each piece is expected in the text (E step).
func (t *unigramTrainer) expect() []float64 {
	expected := make([]float64, len(t.pieces))
	var forward, backward []float64
	for _, w := range t.words {
		n := len(w.text)
		forward, backward = logZeros(forward, n+1), logZeros(backward, n+1)
		forward[0], backward[n] = 0, 0
		for from := range n {
			if !math.IsInf(forward[from], -1) {
				t.trie.Prefixes(w.text[from:], func(length, id int) {
					forward[from+length] = logAdd(forward[from+length], forward[from]+t.scores[id])
				})
			}
		}
		for from := n - 1; from >= 0; from-- {
			if math.IsInf(forward[from], -1) {
				continue
			}
			t.trie.Prefixes(w.text[from:], func(length, id int) {
				rest := t.scores[id] + backward[from+length]
				backward[from] = logAdd(backward[from], rest)
				expected[id] += float64(w.count) * math.Exp(forward[from]+rest-forward[n])
			})
		}
	}
	return expected
}

// logZeros returns n logarithms of 0 in the memory of s.
func logZeros(s []float64, n int) []float64 {
	s = slices.Grow(s[:0], n)[:n]
	for i := range s {
		s[i] = math.Inf(-1)
	}
	return s
}

// logAdd returns log(exp(a) + exp(b)).
func logAdd(a, b float64) float64 {
	a, b = max(a, b), min(a, b)
	if b < a-40 { // less than what float64 tells apart
		return a
	}
	return a + math.Log1p(math.Exp(b-a))
}

// maximise sets the pieces' log-probabilities (M step, with the digamma function
// of a variational Bayesian estimate) and drops those that are hardly expected.
func (t *unigramTrainer) maximise(expected []float64) {
	var kept []piece
	var counts []float64
	total := 0.0
	for i, p := range t.pieces {
		count := expected[i]
		if i < len(t.characters) { // these stay, in their places
			count = max(count, leastCount)
		}
		if count >= leastCount {
			kept, counts, total = append(kept, p), append(counts, count), total+count
		}
	}
	for i := range kept {
		kept[i].score = float32(digamma(counts[i]) - digamma(total))
	}
	t.pieces = kept
	t.index()
}

// digamma is the derivative of log Γ.
func digamma(x float64) float64 {
	sum := 0.0
	for ; x < 7; x++ {
		sum -= 1 / x
	}
	x -= 0.5
	y := 1 / (x * x)
	return sum + math.Log(x) + y*(1./24-y*(7./960-y*(31./8064-y*127./30720)))
}

// viterbi returns the best pieces of a text, from behind, and their score. A
// piece that is all of the text is left out if whole is false.
func (t *unigramTrainer) viterbi(text string, whole bool) (ids []int, score float64) {
	ends := make([]best, len(text)+1)
	scores := logZeros(nil, len(text)+1)
	scores[0] = 0
	for from := range len(text) {
		if math.IsInf(scores[from], -1) {
			continue
		}
		t.trie.Prefixes(text[from:], func(length, id int) {
			if s := scores[from] + t.scores[id]; s > scores[from+length] && (whole || length < len(text)) {
				scores[from+length], ends[from+length] = s, best{from: from, id: id}
			}
		})
	}
	if math.IsInf(scores[len(text)], -1) {
		return nil, math.Inf(-1)
	}
	for to := len(text); to > 0; to = ends[to].from {
		ids = append(ids, ends[to].id)
	}
	return ids, scores[len(text)]
}

// prune keeps as many pieces as said: characters, and those without which the
// text would be least likely (unigram_model_trainer.cc, PruneSentencePieces).
func (t *unigramTrainer) prune(keep int) {
	counts := make([]float64, len(t.pieces)) // in the best segmentations
	within := make([]float64, len(t.pieces)) // words that have the piece, all of their counts
	total, all := 0.0, 0.0
	for _, w := range t.words {
		ids, _ := t.viterbi(w.text, true)
		all += float64(w.count)
		for i, id := range ids {
			counts[id] += float64(w.count)
			total += float64(w.count)
			if !slices.Contains(ids[:i], id) {
				within[id] += float64(w.count)
			}
		}
	}
	type loser struct {
		id   int
		loss float64
	}
	var losers []loser
	for id := len(t.characters); id < len(t.pieces); id++ {
		parts, score := t.viterbi(t.pieces[id].text, false)
		if counts[id] == 0 || score > t.scores[id] { // its parts are used instead
			continue
		}
		alone := math.Log(counts[id]) - math.Log(total)
		sum, apart := math.Log(total+counts[id]*float64(len(parts)-1)), 0.0
		for _, p := range parts {
			apart += math.Log(counts[p]+counts[id]) - sum
		}
		losers = append(losers, loser{id, within[id] / all * (alone - apart)})
	}
	slices.SortFunc(losers, func(a, b loser) int { return cmp.Or(cmp.Compare(b.loss, a.loss), cmp.Compare(a.id, b.id)) })
	losers = losers[:min(len(losers), max(0, keep-len(t.characters)))]
	slices.SortFunc(losers, func(a, b loser) int { return cmp.Compare(a.id, b.id) })
	kept := t.pieces[:len(t.characters):len(t.characters)]
	for _, l := range losers {
		kept = append(kept, t.pieces[l.id])
	}
	t.pieces = kept
	t.index()
}

// finish returns the characters and the likeliest pieces, n in all, ordered by
// score.
func (t *unigramTrainer) finish(n int) []piece {
	order := func(a, b piece) int { return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.text, b.text)) }
	longer := slices.Clone(t.pieces[len(t.characters):])
	slices.SortFunc(longer, order)
	pieces := append(slices.Clone(t.pieces[:len(t.characters)]), longer[:min(len(longer), n-len(t.characters))]...)
	slices.SortFunc(pieces, order)
	return pieces
}
