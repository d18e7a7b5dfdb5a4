package generate

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/mega-go/mega/autograd"
	"github.com/mega-go/mega/data"
)

// The tokens that a search knows, the same in every dictionary
// (data/dictionary.py:34-41).
const (
	padToken = data.Pad
	eosToken = data.EOS
	unkToken = data.Unknown
)

// A Text says what to generate.
type Text struct {
	First  int32   // the token that the model reads first, by convention </s>
	MaxLen int     // most tokens, </s> not counted: see Options.MaxLen
	Source int     // tokens of the source, </s> not counted, for Options.MatchSourceLen
	Prefix []int32 // tokens that the text must begin with; from <pad> on it is free
	ID     int     // tells apart what is drawn for different texts
}

// A Hypothesis is a text that was made.
type Hypothesis struct {
	Tokens      []int32     // </s> at the end
	Score       float64     // the log-probability, divided by a power of the length
	TokenScores []float64   // the log-probability of each token
	Attention   [][]float32 // what was paid to each source token for each; nil unless wanted
}

// A Searcher makes texts.
type Searcher struct {
	Options   Options
	Attention bool // note what an Attentive model attends to
}

// Search generates the given texts with a model that has a row for each of them. It
// returns the hypotheses of each text that ended, best first: a beam of them unless
// the length ran out, or with NoEarlyStop at least NBest. The beam is at most the
// vocabulary less one, NBest at most the beam. The model cannot be used after.
func (s *Searcher) Search(ctx context.Context, m Model, texts []Text) ([][]Hypothesis, error) {
	if err := s.Options.Validate(); err != nil {
		return nil, err
	}
	r := &run{options: s.Options, model: Tempered(m, s.Options.Temperature), results: make([][]Hypothesis, len(texts))}
	if s.Attention {
		r.attentive, _ = m.(Attentive)
	}
	for i, t := range texts {
		if s.Options.MinLen > t.MaxLen {
			return nil, fmt.Errorf("min_len is %d, more than the %d tokens that a text may have", s.Options.MinLen, t.MaxLen)
		}
		r.active = append(r.active, &beam{text: t, index: i, slots: []slot{{node: &node{token: t.First}}}, chooser: newChooser(s.Options, t.ID)})
	}
	defer workersOf(m).Hot()()
	for step := 0; len(r.active) > 0; step++ {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := r.step(step); err != nil {
			return nil, err
		}
	}
	return r.results, nil
}

// A node is a token of a hypothesis, with those before it.
type node struct {
	before    *node // nil for the first token, which is not part of the text
	token     int32
	score     float32 // log-probability of all tokens so far
	attention []float32
}

// A slot is one of the unfinished hypotheses of a text.
type slot struct {
	*node
	ended bool // it goes on only to keep its place: what follows does not count
}

// A beam is a text being made.
type beam struct {
	text    Text
	index   int // among the texts
	slots   []slot
	row     int // of the model, of the first slot
	ended   []Hypothesis
	chooser chooser
	next    []candidate // chosen in this step
}

// A candidate is a token that may follow one of the slots.
type candidate struct {
	score float32 // log-probability of all tokens up to it
	token int32
	slot  int
}

// run is one search.
type run struct {
	options   Options
	model     Model
	attentive Attentive // nil if what is attended to is not wanted
	active    []*beam
	results   [][]Hypothesis
	tokens    []int32
}

// step adds one token to every hypothesis.
func (r *run) step(step int) error {
	r.tokens = r.tokens[:0]
	for _, b := range r.active {
		b.row = len(r.tokens)
		for _, s := range b.slots {
			r.tokens = append(r.tokens, s.token)
		}
	}
	scores, err := r.model.Step(r.tokens...)
	if err != nil {
		return err
	}
	vocab := len(scores) / len(r.tokens)
	if step == 0 {
		r.options.cap(vocab)
		if err := r.options.Validate(); err != nil {
			return fmt.Errorf("with %d symbols: %w", vocab, err)
		}
	}
	workersOf(r.model).Run(len(r.active), func(_, i int) {
		b := r.active[i]
		r.choose(b, step, scores[b.row*vocab:][:len(b.slots)*vocab])
	})
	return r.goOn(step)
}

// choose finds what may follow the hypotheses of a text, given scores [slots, V], the
// log-probabilities of the next token.
func (r *run) choose(b *beam, step int, scores []float32) {
	vocab := len(scores) / len(b.slots)
	for i, s := range b.slots {
		r.constrain(b, step, s, scores[i*vocab:][:vocab])
	}
	b.next = b.chooser.choose(b.slots, scores, r.options.Beam, step == 0)
}

// constrain changes the log-probabilities of a hypothesis's next token by what
// the options ask for (sequence_generator.py:285-318).
func (r *run) constrain(b *beam, step int, s slot, scores []float32) {
	if best := autograd.Max(scores); best != best { // some are not numbers
		for i, x := range scores {
			if x != x {
				scores[i] = negInf
			}
		}
	}
	scores[padToken] = negInf
	scores[unkToken] -= float32(r.options.UnkPen)
	forced := int32(-1)
	if step >= b.text.MaxLen {
		forced = eosToken
	} else if step < len(b.text.Prefix) && b.text.Prefix[step] != padToken {
		forced = b.text.Prefix[step]
	}
	if forced >= 0 {
		kept := scores[forced]
		for i := range scores {
			scores[i] = negInf
		}
		scores[forced] = kept
	} else if step < r.options.MinLen && step >= len(b.text.Prefix) {
		scores[eosToken] = negInf
	}
	if n := r.options.NoRepeatNgramSize; n > 0 {
		banRepeats(s.node, n, scores)
	}
}

var negInf = float32(math.Inf(-1))

// goOn ends hypotheses whose candidate is </s>, lets the best others go on, and
// reorders the model's rows accordingly.
func (r *run) goOn(step int) error {
	var rows []int
	var active []*beam
	for _, b := range r.active {
		r.finish(b, step)
		if step >= b.text.MaxLen || r.settled(b, step) {
			if len(b.ended) == 0 {
				return fmt.Errorf("text %d: no token has a probability at position %d: the model's scores are not numbers, or the constraints leave nothing", b.index+1, step+1)
			}
			b.sort()
			r.results[b.index] = b.ended[:min(len(b.ended), r.options.Beam)]
			continue
		}
		rows = r.advance(b, rows)
		active = append(active, b)
	}
	r.active = active
	if len(active) == 0 {
		return nil
	}
	return r.model.Reorder(rows...)
}

// sort puts the best hypothesis first.
func (b *beam) sort() {
	slices.SortStableFunc(b.ended, func(x, y Hypothesis) int { return compare(y.Score, x.Score) })
}

// patient reports whether a search continues as long as it may find better texts.
func (r *run) patient() bool { return r.options.NoEarlyStop && !r.options.Sampling }

// settled reports whether a text is done: a full beam of hypotheses has ended, as in
// the reference. This can lose the best text: with label smoothing </s> is as likely
// as any wrong word, so short, unlikely texts may end before a long, likely one. A
// patient search is done when enough have ended and no unfinished one would be
// better if it ended now at no cost.
func (r *run) settled(b *beam, step int) bool {
	if !r.patient() {
		return len(b.ended) == r.options.Beam
	}
	if len(b.ended) < r.options.NBest {
		return false
	}
	b.sort()
	best := negInf
	for i, c := range b.next {
		if !r.ends(b, i) {
			best = max(best, c.score)
		}
	}
	return b.ended[r.options.NBest-1].Score >= r.normalised(b, best, step)
}

// normalised returns the score of a hypothesis of step+1 tokens. Too long a one,
// which other sources of the batch have left room for, is the worst
// (sequence_generator.py:566).
func (r *run) normalised(b *beam, score float32, step int) float64 {
	if r.options.MatchSourceLen && step > b.text.Source {
		return math.Inf(-1)
	}
	if r.options.Unnormalized {
		return float64(score)
	}
	return float64(score) / math.Pow(float64(step+1), r.options.LenPen)
}

func compare(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// ends reports whether candidate i of a text ends it. Only the first candidates, a
// beam of them, count.
func (r *run) ends(b *beam, i int) bool {
	c := b.next[i]
	return c.token == eosToken && c.score != negInf && !(i < r.options.Beam && b.ignored(i))
}

// ignored reports whether candidate i stands in the place of a hypothesis that
// has ended.
func (b *beam) ignored(i int) bool { return i < len(b.slots) && b.slots[i].ended }

// finish notes the hypotheses that have ended.
func (r *run) finish(b *beam, step int) {
	for i := range min(r.options.Beam, len(b.next)) {
		if c := b.next[i]; r.ends(b, i) && (len(b.ended) < r.options.Beam || r.patient()) {
			b.ended = append(b.ended, r.hypothesis(b, c, step))
		}
	}
}

// hypothesis returns the text that ends with a candidate.
func (r *run) hypothesis(b *beam, c candidate, step int) Hypothesis {
	h := Hypothesis{Score: r.normalised(b, c.score, step)}
	for n := r.node(b, c); n.before != nil; n = n.before {
		h.Tokens = append(h.Tokens, n.token)
		h.TokenScores = append(h.TokenScores, float64(n.score-n.before.score))
		if r.attentive != nil {
			h.Attention = append(h.Attention, n.attention)
		}
	}
	slices.Reverse(h.Tokens)
	slices.Reverse(h.TokenScores)
	slices.Reverse(h.Attention)
	return h
}

func (r *run) node(b *beam, c candidate) *node {
	n := &node{before: b.slots[c.slot].node, token: c.token, score: c.score}
	if r.attentive != nil {
		n.attention = r.attentive.Attention(b.row + c.slot)
	}
	return n
}

// advance fills the slots with the first candidates that do not end the text,
// and appends the rows that they follow from. Where there are too few, others
// keep the places (sequence_generator.py:426-449).
func (r *run) advance(b *beam, rows []int) []int {
	var kept, rest []int
	for i := range b.next {
		if r.ends(b, i) || i < r.options.Beam && b.ignored(i) {
			rest = append(rest, i)
		} else {
			kept = append(kept, i)
		}
	}
	n := min(r.options.Beam, len(b.next))
	alive := min(n, len(kept))
	slots := make([]slot, 0, n)
	for k, i := range append(kept, rest...)[:n] {
		c := b.next[i]
		slots = append(slots, slot{r.node(b, c), k >= alive})
		rows = append(rows, b.row+c.slot)
	}
	b.slots = slots
	return rows
}

// banRepeats forbids the tokens that would complete a run of n tokens for the
// second time.
func banRepeats(last *node, n int, scores []float32) {
	var text []int32 // from the end
	for x := last; x != nil; x = x.before {
		text = append(text, x.token)
	}
	if len(text) < n {
		return
	}
	for i := 1; i+n-1 <= len(text); i++ {
		if slices.Equal(text[i:i+n-1], text[:n-1]) {
			scores[text[i-1]] = negInf
		}
	}
}
