package serve

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/mega-go/mega/data/plaintext"
	"github.com/mega-go/mega/internal/cuda/device"
)

// inOpenAI puts names of options in OpenAI's words.
var inOpenAI = strings.NewReplacer("max_len_b", "max_tokens", "min_len", "min_tokens", "sampling_topp", "top_p", "sampling_topk", "top_k")

// A choiceWriter puts the tokens of one continuation together as a choice of an answer,
// or as those of several events.
type choiceWriter struct {
	codec  *plaintext.Codec
	device *device.Loop // that has states, nil for the host
	choice completionChoice
	before int32  // the token before the next one
	offset int    // of the next token's text, in characters
	held   []byte // bytes of a character that is not whole
	text   []byte
	want   bool // scores
	any    bool // something is new
}

func newChoiceWriter(e *textEngine, index int, before int32, ids []int32, text string, q *completionRequest) *choiceWriter {
	c := &choiceWriter{codec: e.model.Codec, device: e.device, before: before, want: q.Logprobs != nil}
	c.choice.Index = index
	c.clear()
	if q.Echo {
		c.text, c.any = []byte(text), true
	}
	if len(ids) == 0 {
		return c
	}
	if !q.Echo || !c.want { // else their tokens come
		c.before = ids[len(ids)-1]
		if q.Echo {
			c.offset = utf8.RuneCountInString(text)
		}
	}
	return c
}

// clear begins the next event.
func (c *choiceWriter) clear() {
	c.choice.Text, c.choice.Logprobs, c.choice.State, c.any, c.text = "", nil, "", false, nil
	if c.want {
		c.choice.Logprobs = &completionLogprobs{Tokens: []string{}, TokenIDs: []int32{}, TokenLogprobs: []float64{}, TopLogprobs: []map[string]float64{}, TopTokens: [][]topToken{}, TextOffset: []int{}}
	}
}

// fresh reports whether something is new since take.
func (c *choiceWriter) fresh() bool { return c.any }

// add takes a token in.
func (c *choiceWriter) add(t madeToken) error {
	if t.token >= 0 {
		own := c.codec.Append(nil, c.before, t.token)
		if c.want {
			c.addScore(t, own)
			c.any = true
		}
		c.offset += starts(own)
		c.before = t.token
	}
	if len(t.piece) > 0 {
		c.addText(t.piece)
	}
	if t.reason != "" {
		c.text = append(c.text, c.held...)
		c.held = nil
		reason := finishReasons[t.reason]
		c.choice.FinishReason, c.any = &reason, true
	}
	if t.state == nil {
		return nil
	}
	var file bytes.Buffer
	var err error
	c.device.Do(func() { err = t.state.Save(&file) })
	c.choice.State = base64.StdEncoding.EncodeToString(file.Bytes())
	return err
}

// addText adds bytes of text; those of a character that is not whole are held back.
func (c *choiceWriter) addText(piece []byte) {
	text := append(c.held, piece...)
	keep := incomplete(text)
	c.text = append(c.text, text[:len(text)-keep]...)
	c.held = bytes.Clone(text[len(text)-keep:])
	c.any = c.any || len(text) > keep
}

// take returns the choice with what was added since the last time.
func (c *choiceWriter) take() completionChoice {
	out := c.choice
	out.Text = string(c.text)
	c.clear()
	return out
}

// addScore adds a token's log-probability and the alternatives.
func (c *choiceWriter) addScore(t madeToken, text []byte) {
	l := c.choice.Logprobs
	l.Tokens, l.TokenIDs = append(l.Tokens, c.name(t.token, text)), append(l.TokenIDs, t.token)
	l.TokenLogprobs = append(l.TokenLogprobs, number(t.logProb))
	offset := c.offset
	if starts(text) == 0 && len(text) > 0 {
		offset-- // within a character
	}
	l.TextOffset = append(l.TextOffset, max(offset, 0))
	list := make([]topToken, len(t.best))
	for i, a := range t.best {
		list[i] = topToken{a.token, c.name(a.token, c.codec.Append(nil, c.before, a.token)), number(a.logProb)}
	}
	l.TopTokens, l.TopLogprobs = append(l.TopTokens, list), append(l.TopLogprobs, legacyTop(list, l))
}

// legacyTop returns alternatives by their names, and the token itself, as the legacy
// shape has them; nil if none are wanted.
func legacyTop(list []topToken, l *completionLogprobs) map[string]float64 {
	if len(list) == 0 {
		return nil
	}
	last := len(l.Tokens) - 1
	top := map[string]float64{l.Tokens[last]: l.TokenLogprobs[last]}
	for _, a := range list {
		if _, there := top[a.Token]; !there {
			top[a.Token] = a.Logprob
		}
	}
	return top
}

// name returns what a token is called: its text, its symbol where it has none, or
// bytes that are no text by themselves, as OpenAI writes them.
func (c *choiceWriter) name(token int32, text []byte) string {
	switch {
	case len(text) == 0:
		return c.codec.Symbol(token)
	case utf8.Valid(text):
		return string(text)
	}
	name := "bytes:"
	for _, b := range text {
		name += fmt.Sprintf(`\x%02x`, b)
	}
	return name
}

// number returns a log-probability for JSON, which has no infinity.
func number(x float32) float64 {
	const impossible = -9999
	if x-x != 0 {
		return impossible
	}
	return math.Max(float64(x), impossible)
}

// starts returns how many characters begin in bytes of a text.
func starts(text []byte) int {
	n := 0
	for _, b := range text {
		if utf8.RuneStart(b) {
			n++
		}
	}
	return n
}

// incomplete returns how many bytes at the end of a text begin a character that is not
// whole.
func incomplete(text []byte) int {
	for n := 1; n <= min(utf8.UTFMax-1, len(text)); n++ {
		if tail := text[len(text)-n:]; utf8.RuneStart(tail[0]) {
			if tail[0] >= utf8.RuneSelf && !utf8.FullRune(tail) {
				return n
			}
			return 0
		}
	}
	return 0
}
