package generate

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// ContinueOptions say how texts are continued.
type ContinueOptions struct {
	Filters
	MaxLen int    `json:"max_len_b" help:"most tokens to add"`
	MinLen int    `json:"min_len" help:"fewest tokens before a text may end"`
	Seed   uint64 `json:"seed" help:"fixes what is drawn"`

	Stop   []string `json:"-"` // strings before which a text ends
	End    int32    `json:"-"` // a token that ends a text; negative for none
	Banned []int32  `json:"-"` // tokens that are never chosen
	First  int      `json:"-"` // texts continued before these with the same seed
}

// DefaultContinueOptions returns the reference's defaults where it has such
// options.
func DefaultContinueOptions() ContinueOptions {
	return ContinueOptions{Filters: DefaultFilters(), MaxLen: 200, Seed: 1, End: -1}
}

// Validate reports options that are impossible.
func (o ContinueOptions) Validate() error {
	switch {
	case o.MaxLen < 0:
		return fmt.Errorf("max_len_b is %d, want 0 or more", o.MaxLen)
	case o.MinLen < 0 || o.MinLen > o.MaxLen:
		return fmt.Errorf("min_len is %d, want 0 to max_len_b, which is %d", o.MinLen, o.MaxLen)
	case slices.Contains(o.Stop, ""):
		return errors.New("a stop string is empty")
	}
	return o.Filters.Validate()
}

// A Reader is a model that has read texts and says what may come next of each.
// *mega.Session is one.
type Reader interface {
	Step(tokens ...int32) ([]float32, error)
	Reorder(rows ...int) error
	LogProbs() []float32
	Position(row int) int
}

// Why a text ended.
const (
	EndOfText  = "end"    // the model ended it
	StopString = "stop"   // before a stop string
	FullLength = "length" // it is as long as it may be
)

// A Continuation is what was added to a text.
type Continuation struct {
	Tokens  []int32 `json:"-"` // a token that ended it included
	Text    string  `json:"text"`
	LogProb float64 `json:"log_prob"` // of the tokens, as the model says, in nats
	Reason  string  `json:"reason"`
}

// Decode appends the text of a token that comes after another, −1 if that is not
// known.
type Decode func(dst []byte, before, token int32) []byte

// Continue continues the texts that a model has read. read holds their last tokens,
// as far as they are known. emit, if not nil, gets each piece of text as soon as it
// is certain. The model is left with the rows of the texts that did not end before
// the last one, and has read all of them.
func Continue(ctx context.Context, m Reader, read [][]int32, decode Decode, o ContinueOptions, emit func(row int, text []byte)) ([]Continuation, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	scores := m.LogProbs()
	if scores == nil {
		return nil, errors.New("nothing has been read yet that could be continued")
	}
	if err := o.fits(m, len(read), len(scores)); err != nil {
		return nil, err
	}
	c := &continuing{model: m, emit: emit, done: make([]Continuation, len(read))}
	for i, tokens := range read {
		c.active = append(c.active, NewStrand(o, decode, tokens, o.First+i))
	}
	defer workersOf(m).Hot()()
	for n := 0; n < o.MaxLen && len(c.active) > 0; n++ {
		if err := ctx.Err(); err != nil {
			return c.finish(), err
		}
		var err error
		if scores, err = c.step(scores); err != nil {
			return c.finish(), err
		}
	}
	return c.finish(), nil
}

// fits reports texts that the model has not read, and tokens that it does not have.
func (o ContinueOptions) fits(m Reader, texts, scores int) error {
	if s, ok := m.(interface{ Rows() int }); texts == 0 || scores%texts != 0 || ok && s.Rows() != texts {
		return fmt.Errorf("%d texts to continue, want as many as the model has read", texts)
	}
	vocab := scores / texts
	if int(o.End) >= vocab {
		return fmt.Errorf("the token %d that ends a text is outside the vocabulary of %d", o.End, vocab)
	}
	return checkTokens(o.Banned, vocab)
}

// checkTokens reports a token outside a vocabulary.
func checkTokens(tokens []int32, vocab int) error {
	for _, token := range tokens {
		if token < 0 || int(token) >= vocab {
			return fmt.Errorf("token %d is outside the vocabulary of %d", token, vocab)
		}
	}
	return nil
}

// continuing is one call of Continue.
type continuing struct {
	model  Reader
	emit   func(row int, text []byte)
	active []*Strand
	done   []Continuation
}

// step adds a token to every text, given the log-probabilities of it, and returns
// those of the next one.
func (c *continuing) step(scores []float32) ([]float32, error) {
	vocab := len(scores) / len(c.active)
	var tokens []int32
	var rows []int
	var active []*Strand
	last := int32(0)
	for i, s := range c.active {
		token, text, err := s.Add(scores[i*vocab:][:vocab], c.model.Position(i))
		if err != nil {
			return nil, err
		}
		c.tell(s, text)
		if last = token; !s.Ended() {
			tokens, rows, active = append(tokens, token), append(rows, i), append(active, s)
			continue
		}
		c.end(s)
	}
	was := len(c.active)
	if c.active = active; len(active) == 0 {
		return nil, c.readLast(was, last)
	}
	if len(active) < was {
		if err := c.model.Reorder(rows...); err != nil {
			return nil, err
		}
	}
	return c.model.Step(tokens...)
}

// readLast reads what ended the last text, if it is a single one, so that the
// model can be saved with the whole of it.
func (c *continuing) readLast(rows int, token int32) error {
	if rows > 1 {
		return nil
	}
	_, err := c.model.Step(token)
	return err
}

// tell hands out a piece of a text.
func (c *continuing) tell(s *Strand, text []byte) {
	if c.emit != nil && len(text) > 0 {
		c.emit(s.index-s.options.First, text)
	}
}

// end keeps a text that has ended, or ends it.
func (c *continuing) end(s *Strand) {
	c.tell(s, s.Cut())
	c.done[s.index-s.options.First] = s.Continuation
}

// finish ends what is not ended yet and returns all.
func (c *continuing) finish() []Continuation {
	for _, s := range c.active {
		c.end(s)
	}
	c.active = nil
	return c.done
}
