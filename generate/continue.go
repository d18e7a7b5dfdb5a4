package generate

import (
	"context"
	"errors"
	"fmt"
	"math"
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
	c := &continuing{options: o, model: m, decode: decode, emit: emit, done: make([]Continuation, len(read))}
	for i, tokens := range read {
		c.active = append(c.active, &strand{index: i, read: slices.Clone(o.recent(tokens)), stopper: stopper{stops: o.Stop}})
	}
	defer workersOf(m).Hot()()
	for n := 0; n < o.MaxLen && len(c.active) > 0; n++ {
		if err := ctx.Err(); err != nil {
			return c.finish(), err
		}
		var err error
		if scores, err = c.step(scores, n); err != nil {
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
	options ContinueOptions
	model   Reader
	decode  Decode
	emit    func(row int, text []byte)
	active  []*strand
	done    []Continuation
	last    int32 // the token chosen last
	row     []float32
	from    []weighted
}

// A strand is a text being continued.
type strand struct {
	index int // among the texts
	read  []int32
	Continuation
	stopper stopper
	bytes   []byte
}

// step adds a token to every text, given the log-probabilities of it, and returns
// those of the next one.
func (c *continuing) step(scores []float32, n int) ([]float32, error) {
	vocab := len(scores) / len(c.active)
	var tokens []int32
	var rows []int
	var active []*strand
	for i, s := range c.active {
		token, err := c.choose(scores[i*vocab:][:vocab], s, i, n)
		if err != nil {
			return nil, err
		}
		c.last = token
		if s.LogProb += float64(scores[i*vocab+int(token)]); c.add(s, token) {
			tokens, rows, active = append(tokens, token), append(rows, i), append(active, s)
		}
	}
	was := len(c.active)
	if c.active = active; len(active) == 0 {
		return nil, c.readLast(was)
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
func (c *continuing) readLast(rows int) error {
	if rows > 1 {
		return nil
	}
	_, err := c.model.Step(c.last)
	return err
}

// choose picks the next token of a text.
func (c *continuing) choose(scores []float32, s *strand, row, n int) (int32, error) {
	c.row = append(c.row[:0], scores...)
	for _, token := range c.options.Banned {
		c.row[token] = float32(math.Inf(-1))
	}
	if end := c.options.End; end >= 0 && n < c.options.MinLen {
		c.row[end] = float32(math.Inf(-1))
	}
	c.from = c.options.apply(c.row, s.read, c.from)
	if len(c.from) == 0 {
		return 0, fmt.Errorf("no token has a probability at position %d of text %d: the model's scores are not numbers", c.model.Position(row), c.options.First+s.index+1)
	}
	return draw(c.from, c.options.Seed, c.options.First+s.index, c.model.Position(row)), nil
}

// add adds a token to a text and reports whether it goes on.
func (c *continuing) add(s *strand, token int32) bool {
	before := int32(-1)
	if len(s.read) > 0 {
		before = s.read[len(s.read)-1]
	}
	s.read = append(c.options.recent(s.read), token)
	s.Tokens = append(s.Tokens, token)
	if token == c.options.End {
		return c.end(s, EndOfText)
	}
	sure, stopped := s.stopper.add(c.decode(nil, before, token))
	c.tell(s, sure)
	if stopped {
		return c.end(s, StopString)
	}
	return true
}

// tell hands out a piece of a text.
func (c *continuing) tell(s *strand, text []byte) {
	s.bytes = append(s.bytes, text...)
	if c.emit != nil && len(text) > 0 {
		c.emit(s.index, text)
	}
}

// end ends a text.
func (c *continuing) end(s *strand, reason string) bool {
	c.tell(s, s.stopper.rest())
	s.Text, s.Reason = string(s.bytes), reason
	c.done[s.index] = s.Continuation
	return false
}

// finish ends what is not ended yet and returns all.
func (c *continuing) finish() []Continuation {
	for _, s := range c.active {
		c.end(s, FullLength)
	}
	c.active = nil
	return c.done
}
