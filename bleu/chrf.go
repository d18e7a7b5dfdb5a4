package bleu

import (
	"strings"
	"unicode/utf8"

	"github.com/mega-go/mega/internal/textfile"
)

// ChrFConfig says what chrF counts.
type ChrFConfig struct {
	CharOrder  int     // longest n-gram of characters
	WordOrder  int     // longest n-gram of words; 2 for chrF++
	Beta       float64 // how much more recall counts than precision
	Whitespace bool    // count spaces as characters
}

// DefaultChrF is sacreBLEU's: six characters, recall twice as important (chrF2).
var DefaultChrF = ChrFConfig{CharOrder: 6, Beta: 2}

// A Count is of n-grams of one order: those of translation and reference, and
// what they share.
type Count struct{ Hypothesis, Reference, Match int }

// ChrFStats are counts by order: characters, then words.
type ChrFStats []Count

// Add adds the counts of other sentences.
func (s ChrFStats) Add(o ChrFStats) {
	for i, c := range o {
		s[i].Hypothesis += c.Hypothesis
		s[i].Reference += c.Reference
		s[i].Match += c.Match
	}
}

// Sentence returns the counts of a translation with the reference that it scores
// best with.
func (c ChrFConfig) Sentence(hypothesis string, references ...string) ChrFStats {
	var best ChrFStats
	score := -1.0
	for _, r := range references {
		stats := c.compare(c.grams(hypothesis), c.grams(r))
		if s := c.Score(stats); s > score {
			best, score = stats, s
		}
	}
	return best
}

func (c ChrFConfig) compare(hypothesis, reference []map[string]int) ChrFStats {
	stats := make(ChrFStats, len(hypothesis))
	for i, grams := range hypothesis {
		for gram, n := range grams {
			stats[i].Hypothesis += n
			stats[i].Match += min(n, reference[i][gram])
		}
		for _, n := range reference[i] {
			stats[i].Reference += n
		}
		if stats[i].Reference == 0 {
			stats[i].Hypothesis = 0 // as in sacreBLEU: no misses where nothing can be hit
		}
	}
	return stats
}

// grams counts the n-grams of a sentence by order.
func (c ChrFConfig) grams(sentence string) []map[string]int {
	chars := sentence
	if !c.Whitespace {
		chars = strings.Join(textfile.Fields(sentence), "")
	}
	var all []map[string]int
	letters := strings.Split(chars, "")
	for n := 1; n <= c.CharOrder; n++ {
		all = append(all, ngrams(letters, n))
	}
	words := partPunctuation(sentence)
	for n := 1; n <= c.WordOrder; n++ {
		all = append(all, ngrams(words, n))
	}
	return all
}

const punctuation = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"

// partPunctuation parts a mark at the end of a word from it, or else one at its
// beginning.
func partPunctuation(sentence string) []string {
	var words []string
	for _, w := range textfile.Fields(sentence) {
		n := len(w)
		switch {
		case utf8.RuneCountInString(w) == 1:
			words = append(words, w)
		case strings.IndexByte(punctuation, w[n-1]) >= 0:
			words = append(words, w[:n-1], w[n-1:])
		case strings.IndexByte(punctuation, w[0]) >= 0:
			words = append(words, w[:1], w[1:])
		default:
			words = append(words, w)
		}
	}
	return words
}

// Score returns chrF from 0 to 100: the F score of precision and recall, each the
// mean over the orders that both sides have n-grams of.
func (c ChrFConfig) Score(s ChrFStats) float64 {
	precision, recall, orders := 0.0, 0.0, 0.0
	for _, n := range s {
		if n.Hypothesis > 0 && n.Reference > 0 {
			precision += float64(n.Match) / float64(n.Hypothesis)
			recall += float64(n.Match) / float64(n.Reference)
			orders++
		}
	}
	if precision+recall == 0 {
		return 0
	}
	precision, recall = precision/orders, recall/orders
	factor := c.Beta * c.Beta
	return 100 * (1 + factor) * precision * recall / (factor*precision + recall)
}
