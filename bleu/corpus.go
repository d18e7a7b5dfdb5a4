package bleu

import (
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
)

// Options say how Score scores.
type Options struct {
	Tokeniser string // one of Tokenisers
	Lowercase bool
	ChrF      ChrFConfig
	Resamples int    // of the bootstrap, 0 for none
	Seed      uint64 // of the bootstrap
}

// DefaultOptions are sacreBLEU's.
func DefaultOptions() Options {
	return Options{Tokeniser: "13a", ChrF: DefaultChrF, Seed: 12345}
}

// A Score is a measure of a set of translations.
type Score struct {
	Name       string      `json:"name"`
	Signature  string      `json:"signature"` // how it was computed, in sacreBLEU's form
	Score      float64     `json:"score"`
	Details    string      `json:"details,omitempty"`
	Confidence *Confidence `json:"confidence,omitempty"` // nil without resampling
}

// A Confidence is what a score is over resampled sets of sentences: half the
// width of the interval that 95% of them fall in, around their mean.
type Confidence struct {
	Mean      float64 `json:"mean"`
	HalfWidth float64 `json:"half_width"`
}

// String writes a score as sacreBLEU does.
func (s Score) String() string {
	text := fmt.Sprintf("%s|%s = %.2f", s.Name, s.Signature, s.Score)
	if c := s.Confidence; c != nil {
		text += fmt.Sprintf(" (μ = %.2f ± %.2f)", c.Mean, c.HalfWidth)
	}
	if s.Details != "" {
		text += " " + s.Details
	}
	return text
}

// Corpus scores translations against one set of references or several, each with
// a line for every translation: BLEU and chrF.
func Corpus(hypotheses []string, references [][]string, o Options) ([]Score, error) {
	tokeniser, err := FindTokeniser(o.Tokeniser)
	if err != nil {
		return nil, err
	}
	switch {
	case len(hypotheses) == 0:
		return nil, errors.New("there are no translations")
	case len(references) == 0:
		return nil, errors.New("there are no references")
	case o.ChrF.CharOrder < 1 || o.ChrF.WordOrder < 0 || !(o.ChrF.Beta > 0):
		return nil, fmt.Errorf("chrF of %d characters, %d words and beta %g, want at least 1, 0 and more than 0",
			o.ChrF.CharOrder, o.ChrF.WordOrder, o.ChrF.Beta)
	case o.Resamples < 0:
		return nil, fmt.Errorf("%d resamples, want 0 or more", o.Resamples)
	}
	for i, r := range references {
		if len(r) != len(hypotheses) {
			return nil, fmt.Errorf("%d translations, but reference %d has %d lines: every line needs its counterpart", len(hypotheses), i+1, len(r))
		}
	}
	c := corpus{options: o, tokeniser: tokeniser, references: len(references)}
	for i, h := range hypotheses {
		c.add(h, references, i)
	}
	return []Score{c.bleu(), c.chrF()}, nil
}

// corpus holds the statistics of every sentence.
type corpus struct {
	options    Options
	tokeniser  Tokeniser
	references int
	words      []Stats
	chars      []ChrFStats
}

func (c *corpus) add(hypothesis string, references [][]string, i int) {
	prepare := func(line string) string {
		line = strings.TrimRight(line, " \t\r\n")
		if c.options.Lowercase {
			line = strings.ToLower(line)
		}
		return line
	}
	h := prepare(hypothesis)
	var lines []string
	var tokens [][]string
	for _, r := range references {
		line := prepare(r[i])
		lines, tokens = append(lines, line), append(tokens, c.tokeniser.Part(line))
	}
	c.words = append(c.words, Sentence(c.tokeniser.Part(h), tokens...))
	c.chars = append(c.chars, c.options.ChrF.Sentence(h, lines...))
}

func (c *corpus) bleu() Score {
	score := func(indices iter.Seq[int]) (Stats, float64) {
		var sum Stats
		for i := range indices {
			sum.Add(c.words[i])
		}
		return sum, sum.Score(maxOrder, true)
	}
	sum, value := score(c.all())
	var each []string
	for _, p := range sum.Precisions(true) {
		each = append(each, fmt.Sprintf("%.1f", p))
	}
	return Score{
		Name: "BLEU", Signature: c.signature("eff:no", "tok:"+c.tokeniser.Name, "smooth:exp"), Score: value,
		Details: fmt.Sprintf("%s (BP = %.3f ratio = %.3f hyp_len = %d ref_len = %d)",
			strings.Join(each, "/"), sum.BrevityPenalty(), sum.Ratio(), sum.Length, sum.RefLength),
		Confidence: c.bootstrap(func(indices iter.Seq[int]) float64 { _, s := score(indices); return s }),
	}
}

func (c *corpus) chrF() Score {
	o := c.options.ChrF
	score := func(indices iter.Seq[int]) float64 {
		sum := make(ChrFStats, o.CharOrder+o.WordOrder)
		for i := range indices {
			sum.Add(c.chars[i])
		}
		return o.Score(sum)
	}
	space := "no"
	if o.Whitespace {
		space = "yes"
	}
	return Score{
		Name:       fmt.Sprintf("chrF%g%s", o.Beta, strings.Repeat("+", o.WordOrder)),
		Signature:  c.signature("eff:yes", fmt.Sprintf("nc:%d", o.CharOrder), fmt.Sprintf("nw:%d", o.WordOrder), "space:"+space),
		Score:      score(c.all()),
		Confidence: c.bootstrap(score),
	}
}

// signature returns how a score was computed.
func (c *corpus) signature(parts ...string) string {
	all := []string{fmt.Sprintf("nrefs:%d", c.references)}
	if c.options.Resamples > 0 {
		all = append(all, fmt.Sprintf("bs:%d", c.options.Resamples), fmt.Sprintf("seed:%d", c.options.Seed))
	}
	letters := "case:mixed"
	if c.options.Lowercase {
		letters = "case:lc"
	}
	return strings.Join(append(append(all, letters), append(parts, "version:mega")...), "|")
}

// all yields every sentence once.
func (c *corpus) all() iter.Seq[int] {
	return func(yield func(int) bool) {
		for i := range c.words {
			if !yield(i) {
				return
			}
		}
	}
}

// bootstrap draws as many sentences as there are, with replacement, again and
// again. Its random numbers are not those of sacreBLEU, so that intervals differ
// a little from it.
func (c *corpus) bootstrap(score func(indices iter.Seq[int]) float64) *Confidence {
	n := c.options.Resamples
	if n == 0 {
		return nil
	}
	rng := rand.New(rand.NewPCG(c.options.Seed, 0))
	scores := make([]float64, n)
	sum := 0.0
	for k := range scores {
		scores[k] = score(func(yield func(int) bool) {
			for range c.words {
				if !yield(rng.IntN(len(c.words))) {
					return
				}
			}
		})
		sum += scores[k]
	}
	slices.Sort(scores)
	low := n / 40 // 2.5% on either side
	return &Confidence{Mean: sum / float64(n), HalfWidth: (scores[n-1-low] - scores[low]) / 2}
}
