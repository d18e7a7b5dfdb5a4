package language

import (
	"context"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/mega-go/mega"
	"github.com/mega-go/mega/autograd"
	"github.com/mega-go/mega/data"
	"github.com/mega-go/mega/data/plaintext"
	"github.com/mega-go/mega/internal/cuda/device"
)

// A LineScore says how likely a line of a text is.
type LineScore struct {
	Line    int          `json:"line"`     // from 1
	LogProb float64      `json:"log_prob"` // of its tokens, that of its end included, in nats
	Text    string       `json:"text"`
	Bytes   int          `json:"bytes,omitempty"` // of text in pieces: how many it has, that of its end included
	Tokens  []TokenScore `json:"tokens"`
}

// A TokenScore says how likely a token is after all those before it.
type TokenScore struct {
	Token   string  `json:"token"`
	ID      int32   `json:"id"`
	LogProb float64 `json:"log_prob"` // in nats
}

// A Score says how likely a text is.
type Score struct {
	Lines           int     `json:"lines"`
	Tokens          int     `json:"tokens"`
	Unknown         int     `json:"unknown"` // words that the dictionary lacks
	LogProb         float64 `json:"log_prob"`
	Loss            float64 `json:"loss"` // in bits per token
	Perplexity      float64 `json:"ppl"`
	Bytes           int     `json:"bytes,omitempty"`         // of text in pieces
	BitsPerByte     float64 `json:"bits_per_byte,omitempty"` // the same
	Seconds         float64 `json:"seconds"`
	TokensPerSecond float64 `json:"tokens_per_s"`
}

// Line returns the score in a line.
func (s *Score) Line() string {
	return fmt.Sprintf("%d lines, %d tokens: log-probability %.3f, %.4f bits per token, perplexity %.2f%s; %.0f tokens/s",
		s.Lines, s.Tokens, s.LogProb, s.Loss, s.Perplexity, perByte(s.BitsPerByte), s.TokensPerSecond)
}

// ScoreOptions say how a text is scored.
type ScoreOptions struct {
	LinesApart bool // each line is a text of its own
}

// Score reads a text, in memory that does not grow with it, and calls each for
// its lines in turn. Of bytes, a line longer than 64 KiB comes in parts.
func (t *Model) Score(ctx context.Context, r io.Reader, o ScoreOptions, each func(LineScore) error) (_ *Score, err error) {
	s := &scoring{model: t, options: o, each: each, ctx: ctx, tape: t.Model.Params().NewTape()}
	defer device.Finish(&err, s.tape.Close)
	s.tape.SetBF16(t.Model.BF16())
	start := time.Now()
	unknown, err := t.Codec.Lines(r, s.add)
	if err == nil {
		err = s.flush()
	}
	if err != nil {
		return nil, err
	}
	sum := &s.sum
	if sum.Tokens == 0 {
		return nil, fmt.Errorf("the text is empty")
	}
	sum.Unknown, sum.Seconds = unknown, time.Since(start).Seconds()
	sum.Loss = -sum.LogProb / float64(sum.Tokens) / math.Ln2
	sum.Perplexity, sum.TokensPerSecond = math.Exp2(sum.Loss), float64(sum.Tokens)/sum.Seconds
	if sum.Bytes > 0 {
		sum.BitsPerByte = -sum.LogProb / float64(sum.Bytes) / math.Ln2
	}
	return sum, nil
}

// scoring is one call of Score. Lines are gathered until there are enough
// tokens to be read at once.
type scoring struct {
	model   *Model
	options ScoreOptions
	each    func(LineScore) error
	ctx     context.Context
	tape    *autograd.Tape
	session *mega.Session
	last    int32 // the last token of what was read
	lines   []plaintext.Line
	held    int // tokens of these
	number  int // the last line's
	sum     Score
}

// scoreTokens is how many tokens are read at once.
const scoreTokens = 1 << 13

func (s *scoring) add(line plaintext.Line) error {
	if s.options.LinesApart && line.Number != s.number {
		if err := s.flush(); err != nil {
			return err
		}
		s.session = nil
	}
	if line.Number != s.number {
		s.number = line.Number
		s.sum.Lines++
	}
	s.lines = append(s.lines, line)
	if s.held += len(line.IDs); s.held < scoreTokens {
		return nil
	}
	return s.flush()
}

// flush scores the lines that are held.
func (s *scoring) flush() error {
	if err := s.ctx.Err(); err != nil || s.held == 0 {
		return err
	}
	if s.session == nil {
		s.session, s.last = s.model.Model.NewSession(), data.EOS
	}
	var targets []int32
	for _, line := range s.lines {
		targets = append(targets, line.IDs...)
	}
	inputs := append([]int32{s.last}, targets[:len(targets)-1]...)
	x, err := s.session.Features(inputs)
	if err != nil {
		return err
	}
	scores, err := s.model.Model.TargetLogProbs(s.tape, x, targets, 0)
	if err != nil {
		return err
	}
	s.last = targets[len(targets)-1]
	for _, line := range s.lines {
		if err := s.tell(line, scores[:len(line.IDs)]); err != nil {
			return err
		}
		scores = scores[len(line.IDs):]
	}
	s.lines, s.held = s.lines[:0], 0
	return nil
}

// tell hands out the scores of a line.
func (s *scoring) tell(line plaintext.Line, scores []float64) error {
	out := LineScore{Line: line.Number, Text: line.Text}
	for i, id := range line.IDs {
		out.LogProb += scores[i]
		out.Tokens = append(out.Tokens, TokenScore{s.model.Codec.Symbol(id), id, scores[i]})
	}
	if s.model.Codec.Pieces() {
		out.Bytes = len(line.Text)
		if n := len(line.IDs); n > 0 && line.IDs[n-1] == data.EOS {
			out.Bytes++
		}
	}
	s.sum.Bytes += out.Bytes
	s.sum.Tokens += len(scores)
	s.sum.LogProb += out.LogProb
	return s.each(out)
}
