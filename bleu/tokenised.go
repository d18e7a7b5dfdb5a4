package bleu

import (
	"fmt"
	"strings"

	"github.com/mega-go/mega/internal/textfile"
)

// Unknown is the word that never matches, as fairseq has it.
const Unknown = "<unk>"

// Tokens parts a line at white space, as fairseq does (tokenizer.py). An empty
// line is one token, for </s> is never taken off the last one
// (clib/libbleu/libbleu.cpp, bleu_rtrim).
func Tokens(line string) []string {
	tokens := textfile.Fields(line)
	if len(tokens) == 0 {
		return []string{"</s>"}
	}
	return tokens
}

// Tokenised returns the statistics of a sentence that is in tokens, parted by
// spaces, as fairseq's scorer computes them: no smoothing, and <unk> in a
// reference matches nothing (fairseq/scoring/bleu.py).
func Tokenised(hypothesis, reference string) Stats {
	ref := Tokens(reference)
	for i, word := range ref {
		if word == Unknown {
			ref[i] = "\x01" + word
		}
	}
	return Sentence(Tokens(hypothesis), ref)
}

// SmoothedSentence returns the statistics with one match more of every order
// above the first, for the score of a single sentence (--sentence-bleu).
func (s Stats) SmoothedSentence() Stats {
	for n := 1; n < maxOrder; n++ {
		s.Matches[n]++
		s.Totals[n]++
	}
	return s
}

// Tokenised writes the statistics as fairseq does: "BLEU4 = 99.78,
// 99.9/99.9/99.8/99.7 (BP=0.999, ratio=0.999, syslen=1905, reflen=1906)".
func (s Stats) Tokenised(order int) string {
	precisions := s.Precisions(false)
	var each []string
	for _, p := range precisions[:order] {
		each = append(each, fmt.Sprintf("%.1f", p))
	}
	return fmt.Sprintf("BLEU%d = %.2f, %s (BP=%.3f, ratio=%.3f, syslen=%d, reflen=%d)", order,
		s.Score(order, false), strings.Join(each, "/"), s.BrevityPenalty(), s.Ratio(), s.Length, s.RefLength)
}
