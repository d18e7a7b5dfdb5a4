package bleu

import (
	"math"
	"strings"
)

// maxOrder is the longest n-gram that BLEU counts.
const maxOrder = 4

// Stats are what BLEU is computed from: sums over sentences.
type Stats struct {
	Matches   [maxOrder]int `json:"matches"`    // n-grams that a reference has too
	Totals    [maxOrder]int `json:"totals"`     // all n-grams
	Length    int           `json:"length"`     // tokens of the translations
	RefLength int           `json:"ref_length"` // tokens of the references
}

// Add adds the sums of other sentences.
func (s *Stats) Add(o Stats) {
	for n := range maxOrder {
		s.Matches[n] += o.Matches[n]
		s.Totals[n] += o.Totals[n]
	}
	s.Length += o.Length
	s.RefLength += o.RefLength
}

// Sentence returns the statistics of a translation in tokens. An n-gram counts as
// often as in the reference where it is most frequent; of the references' lengths
// the nearest counts, the shorter one of two.
func Sentence(hypothesis []string, references ...[]string) Stats {
	s := Stats{Length: len(hypothesis)}
	nearest := math.MaxInt
	for _, r := range references {
		distance := max(len(r)-len(hypothesis), len(hypothesis)-len(r))
		if distance < nearest || distance == nearest && len(r) < s.RefLength {
			nearest, s.RefLength = distance, len(r)
		}
	}
	for n := 1; n <= maxOrder; n++ {
		most := make(map[string]int)
		for _, r := range references {
			for gram, count := range ngrams(r, n) {
				most[gram] = max(most[gram], count)
			}
		}
		for gram, count := range ngrams(hypothesis, n) {
			s.Totals[n-1] += count
			s.Matches[n-1] += min(count, most[gram])
		}
	}
	return s
}

// ngrams counts the runs of n tokens.
func ngrams(tokens []string, n int) map[string]int {
	counts := make(map[string]int)
	for i := 0; i+n <= len(tokens); i++ {
		counts[strings.Join(tokens[i:i+n], "\x00")]++
	}
	return counts
}

// BrevityPenalty returns exp(1 − r/c) for translations of c tokens, shorter than
// the references of r, and 1 for longer ones.
func (s Stats) BrevityPenalty() float64 {
	switch {
	case s.Length >= s.RefLength:
		return 1
	case s.Length == 0:
		return 0
	}
	return math.Exp(1 - float64(s.RefLength)/float64(s.Length))
}

// Ratio returns the length of the translations as a share of the references'.
func (s Stats) Ratio() float64 {
	if s.RefLength == 0 {
		return 0
	}
	return float64(s.Length) / float64(s.RefLength)
}

// Precisions returns the share of n-grams that match, in percent. With smoothing
// the first order without a match counts half a match, the next a quarter, and so
// on, as in mteval-v13a and sacreBLEU (smooth_method exp).
func (s Stats) Precisions(smooth bool) [maxOrder]float64 {
	var p [maxOrder]float64
	if s.Matches == [maxOrder]int{} {
		return p
	}
	share := 1.0
	for n := range p {
		if s.Totals[n] == 0 {
			break
		}
		matches := float64(s.Matches[n])
		if s.Matches[n] == 0 && smooth {
			share /= 2
			matches = share
		}
		p[n] = 100 * matches / float64(s.Totals[n])
	}
	return p
}

// Score returns BLEU from 0 to 100: the geometric mean of the first so many
// precisions times the brevity penalty.
func (s Stats) Score(order int, smooth bool) float64 {
	sum, precisions := 0.0, s.Precisions(smooth)
	for _, p := range precisions[:order] {
		if p == 0 {
			return 0
		}
		sum += math.Log(p)
	}
	return s.BrevityPenalty() * math.Exp(sum/float64(order))
}
