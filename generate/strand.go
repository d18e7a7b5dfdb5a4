package generate

import (
	"fmt"
	"math"
	"slices"
	"sync"
)

// A Strand is one text that is being continued: it picks its tokens, given what a
// model says, and knows when it ends. Strands that share a model do not depend on
// each other.
type Strand struct {
	Continuation

	options ContinueOptions
	index   int // tells apart what is drawn for different texts
	decode  Decode
	read    []int32
	stopper stopper
	bytes   []byte
}

// A scratch is memory for one choice, as large as a vocabulary.
type scratch struct {
	row  []float32
	from []weighted
}

// scratches are those that no choice uses.
var scratches = sync.Pool{New: func() any { return new(scratch) }}

// NewStrand begins to continue a text. The options must be valid and fit the model's
// vocabulary. read holds the last tokens of the text, as far as they are known;
// index tells apart what is drawn for different texts with the same seed.
func NewStrand(o ContinueOptions, decode Decode, read []int32, index int) *Strand {
	return &Strand{options: o, index: index, decode: decode, read: slices.Clone(o.recent(read)), stopper: stopper{stops: o.Stop}}
}

// Ended reports whether the text has ended by itself. One that reaches the length that
// the options allow has not: Cut ends it.
func (s *Strand) Ended() bool { return s.Reason != "" }

// Add picks the next token, given the log-probabilities of all, [V], and how many
// tokens of the text the model has read. It returns the token and the text that is
// now certain, which is valid until the next call.
func (s *Strand) Add(scores []float32, position int) (token int32, text []byte, err error) {
	if token, err = s.choose(scores, position); err != nil {
		return 0, nil, err
	}
	s.LogProb += float64(scores[token])
	before := int32(-1)
	if len(s.read) > 0 {
		before = s.read[len(s.read)-1]
	}
	s.read = append(s.options.recent(s.read), token)
	s.Tokens = append(s.Tokens, token)
	if token == s.options.End {
		return token, s.end(EndOfText, nil), nil
	}
	sure, stopped := s.stopper.add(s.decode(nil, before, token))
	if stopped {
		return token, s.end(StopString, sure), nil
	}
	s.bytes = append(s.bytes, sure...)
	return token, sure, nil
}

// choose picks the next token.
func (s *Strand) choose(scores []float32, position int) (int32, error) {
	memory := scratches.Get().(*scratch)
	defer scratches.Put(memory)
	row := append(memory.row[:0], scores...)
	for _, token := range s.options.Banned {
		row[token] = float32(math.Inf(-1))
	}
	if end := s.options.End; end >= 0 && len(s.Tokens) < s.options.MinLen {
		row[end] = float32(math.Inf(-1))
	}
	from := s.options.apply(row, s.read, memory.from)
	memory.row, memory.from = row, from
	if len(from) == 0 {
		return 0, fmt.Errorf("no token has a probability at position %d of text %d: the model's scores are not numbers", position, s.index+1)
	}
	return draw(from, s.options.Seed, s.index, position), nil
}

// Cut ends a text that has not ended by itself, and returns the rest of it.
func (s *Strand) Cut() []byte {
	if s.Ended() {
		return nil
	}
	return s.end(FullLength, nil)
}

// end ends the text after a last piece, and returns that and what was held back.
func (s *Strand) end(reason string, sure []byte) []byte {
	last := append(sure, s.stopper.rest()...)
	s.bytes = append(s.bytes, last...)
	s.Text, s.Reason = string(s.bytes), reason
	return last
}
