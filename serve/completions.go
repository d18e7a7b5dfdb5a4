package serve

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	mathrand "math/rand/v2"
	"net/http"
	"time"
	"unicode/utf8"

	"github.com/mega-go/mega"
	"github.com/mega-go/mega/data"
	"github.com/mega-go/mega/generate"
	"github.com/mega-go/mega/internal/config"
	"github.com/mega-go/mega/task/language"
)

// Bounds of a request for completions.
const (
	mostAlternatives = 20      // logprobs
	mostScores       = 1 << 22 // numbers, of echoed prompts
	mostStops        = 16
	mostPrompts      = 64
)

// completionRequest is a request to /v1/completions, as OpenAI has it, and what
// servers of open models add.
type completionRequest struct {
	Model         string         `json:"model"`
	Prompt        prompts        `json:"prompt"`
	MaxTokens     *int           `json:"max_tokens"`
	MinTokens     int            `json:"min_tokens"`
	Temperature   *float64       `json:"temperature"`
	TopP          *float64       `json:"top_p"`
	TopK          int            `json:"top_k"`
	MinP          float64        `json:"min_p"`
	Repetition    *float64       `json:"repetition_penalty"`
	N             *int           `json:"n"`
	BestOf        *int           `json:"best_of"`
	Stream        bool           `json:"stream"`
	StreamOptions *streamReports `json:"stream_options"`
	Logprobs      *int           `json:"logprobs"`
	Echo          bool           `json:"echo"`
	Stop          stops          `json:"stop"`
	Seed          *int64         `json:"seed"`
	State         string         `json:"state"` // base64, to go on from
	ReturnState   bool           `json:"return_state"`

	// Accepted where they ask for nothing.
	User      string             `json:"user"`
	Suffix    string             `json:"suffix"`
	Presence  float64            `json:"presence_penalty"`
	Frequency float64            `json:"frequency_penalty"`
	LogitBias map[string]float64 `json:"logit_bias"`
}

type streamReports struct {
	IncludeUsage bool `json:"include_usage"`
}

// prompts are a text, a list of texts, tokens, or a list of lists of tokens.
type prompts struct {
	texts  []string
	tokens [][]int32
}

// UnmarshalJSON reads a list once, by what its first element is: a prompt may be of a
// million tokens.
func (p *prompts) UnmarshalJSON(text []byte) error {
	var err error
	switch first := firstByte(text); {
	case first == 'n': // null
		return nil
	case first == '"' && bytes.IndexByte(text, '\\') < 0 && utf8.Valid(text): // as it is
		p.texts = []string{string(text[1 : len(text)-1])}
	case first != '[':
		p.texts = make([]string, 1)
		err = json.Unmarshal(text, &p.texts[0])
	default:
		switch first := firstByte(bytes.TrimSpace(text)[1:]); {
		case first == '[':
			err = json.Unmarshal(text, &p.tokens)
		case first == '-' || '0' <= first && first <= '9':
			p.tokens = make([][]int32, 1)
			err = json.Unmarshal(text, &p.tokens[0])
		default:
			err = json.Unmarshal(text, &p.texts)
		}
	}
	if err != nil {
		return fmt.Errorf("prompt is neither a text, a list of texts, a list of tokens nor a list of such lists")
	}
	return nil
}

// firstByte returns the first byte of JSON that is no space.
func firstByte(text []byte) byte {
	text = bytes.TrimLeft(text, " \t\r\n")
	return text[0] // of valid JSON, as Unmarshaler has it
}

func (p *prompts) count() int { return len(p.texts) + len(p.tokens) }

// stops are a text or a list of texts.
type stops []string

func (s *stops) UnmarshalJSON(text []byte) error {
	var one string
	if json.Unmarshal(text, &one) == nil {
		if *s = nil; one != "" {
			*s = stops{one}
		}
		return nil
	}
	return config.Decode(text, (*[]string)(s))
}

// completion is the answer, or an event of a stream.
type completion struct {
	ID      string             `json:"id"`
	Object  string             `json:"object"`
	Created int64              `json:"created"`
	Model   string             `json:"model"`
	Choices []completionChoice `json:"choices"`
	Usage   *completionUsage   `json:"usage,omitempty"`
}

type completionChoice struct {
	Index        int                 `json:"index"`
	Text         string              `json:"text"`
	FinishReason *string             `json:"finish_reason"`
	Logprobs     *completionLogprobs `json:"logprobs"`
	State        string              `json:"state,omitempty"`
}

type completionUsage struct {
	PromptTokens        int `json:"prompt_tokens"`
	CompletionTokens    int `json:"completion_tokens"`
	TotalTokens         int `json:"total_tokens"`
	PromptTokensDetails struct {
		CachedTokens int `json:"cached_tokens"`
	} `json:"prompt_tokens_details"`
}

// completionLogprobs is what the legacy shape says of tokens. An offset counts
// characters.
type completionLogprobs struct {
	Tokens        []string             `json:"tokens"`
	TokenIDs      []int32              `json:"token_ids"`
	TokenLogprobs []float64            `json:"token_logprobs"`
	TopLogprobs   []map[string]float64 `json:"top_logprobs"`
	TopTokens     [][]topToken         `json:"top_tokens"`
	TextOffset    []int                `json:"text_offset"`
}

// A topToken is an alternative: in a list, unlike in the legacy shape, they have an
// order, and no two are one.
type topToken struct {
	ID      int32   `json:"id"`
	Token   string  `json:"token"`
	Logprob float64 `json:"logprob"`
}

// options returns how texts are continued.
func (q *completionRequest) options(o Options) (generate.ContinueOptions, error) {
	g := generate.DefaultContinueOptions()
	const usual = 16 // OpenAI's
	g.MaxLen, g.MinLen = usual, q.MinTokens
	if q.MaxTokens != nil {
		g.MaxLen = *q.MaxTokens
	}
	g.Temperature = value(q.Temperature, g.Temperature)
	g.TopP = value(q.TopP, 0)
	if g.TopP == 1 {
		g.TopP = 0 // all of them
	}
	g.TopK, g.MinP = q.TopK, q.MinP
	g.RepetitionPenalty = value(q.Repetition, g.RepetitionPenalty)
	g.Stop = q.Stop
	g.Seed = mathrand.Uint64()
	if q.Seed != nil {
		g.Seed = uint64(*q.Seed)
	}
	if g.MaxLen > o.MaxTokens {
		return g, invalid("max_tokens", "max_tokens is %d, and the server makes at most %d", g.MaxLen, o.MaxTokens)
	}
	if err := g.Validate(); err != nil {
		return g, invalid("", "%v", inOpenAI.Replace(err.Error()))
	}
	return g, nil
}

// check reports what is not to be had.
func (q *completionRequest) check(o Options) error {
	n := value(q.N, 1)
	switch {
	case n < 1 || n > o.Rows:
		return invalid("n", "n is %d, want 1 to %d", n, o.Rows)
	case q.BestOf != nil && *q.BestOf != n:
		return invalid("best_of", "best_of is %d and n %d: the server does not choose, want them equal", *q.BestOf, n)
	case q.Logprobs != nil && (*q.Logprobs < 0 || *q.Logprobs > mostAlternatives):
		return invalid("logprobs", "logprobs is %d, want 0 to %d", *q.Logprobs, mostAlternatives)
	case len(q.Stop) > mostStops:
		return invalid("stop", "%d stop texts, want %d at most", len(q.Stop), mostStops)
	case q.Prompt.count() > mostPrompts || q.Prompt.count()*n > mostPrompts*2:
		return invalid("prompt", "%d prompts, %d texts for each, want %d prompts and %d texts at most", q.Prompt.count(), n, mostPrompts, 2*mostPrompts)
	case q.Prompt.count() == 0 && q.State == "":
		return invalid("prompt", "there is no prompt")
	case q.Prompt.count() > 1 && q.State != "":
		return invalid("state", "a state goes with one prompt, and there are %d", q.Prompt.count())
	case q.StreamOptions != nil && !q.Stream:
		return invalid("stream_options", "stream_options is for a stream")
	case q.Suffix != "" || q.Presence != 0 || q.Frequency != 0 || len(q.LogitBias) > 0:
		return invalid("", "suffix, presence_penalty, frequency_penalty and logit_bias are not to be had (repetition_penalty is)")
	}
	return nil
}

func value[T any](p *T, otherwise T) T {
	if p == nil {
		return otherwise
	}
	return *p
}

// completions continues texts.
func (s *Server) completions(w http.ResponseWriter, r *http.Request) error {
	var q completionRequest
	if err := readJSON(r, &q); err != nil {
		return err
	}
	o, err := q.options(s.options)
	if err == nil {
		err = q.check(s.options)
	}
	if err != nil {
		return err
	}
	m, err := s.use(q.Model, textKind)
	if err != nil {
		return err
	}
	defer m.release()
	ctx, stop := context.WithCancel(r.Context())
	defer stop() // of the other prompts, after an error
	c := &completing{request: &q, engine: m.text, w: w, ctx: ctx}
	c.head = completion{ID: "cmpl-" + rand.Text(), Object: "text_completion", Created: time.Now().Unix(), Model: m.info.ID}
	if err := c.prepare(o); err != nil {
		return err
	}
	for _, j := range c.jobs {
		if err := m.text.start(j); err != nil {
			return err
		}
	}
	if q.Stream {
		return c.stream()
	}
	return c.whole()
}

// completing is one request.
type completing struct {
	request *completionRequest
	engine  *textEngine
	w       http.ResponseWriter
	ctx     context.Context
	head    completion
	jobs    []*textJob
	choices []*choiceWriter
	usage   completionUsage
}

// prepare makes a job of each prompt.
func (c *completing) prepare(o generate.ContinueOptions) error {
	q, n := c.request, value(c.request.N, 1)
	state, err := c.state()
	if err != nil {
		return err
	}
	count := max(q.Prompt.count(), 1)
	for i := range count {
		ids, text, err := c.read(i)
		if err != nil {
			return err
		}
		if state == nil && len(ids) == 0 && o.MaxLen == 0 && q.Echo {
			return invalid("prompt", "the prompt is empty: there is nothing to echo")
		}
		j := &textJob{ctx: c.ctx, state: state, tokens: promptTokens(ids, state), options: c.engine.model.Options(o), texts: n, scores: -1, keep: q.ReturnState}
		j.options.First = i * n
		if q.Logprobs != nil {
			j.scores = *q.Logprobs
			j.echo = q.Echo && len(ids) > 0
		}
		if j.echo && len(ids)*(j.scores+1) > mostScores {
			return invalid("echo", "%d tokens with %d alternatives of each are too much to echo with their scores", len(ids), j.scores)
		}
		c.jobs = append(c.jobs, j)
		c.usage.PromptTokens += len(ids)
		before := int32(data.EOS)
		if state != nil {
			before = -1
		}
		for k := range n {
			c.choices = append(c.choices, newChoiceWriter(c.engine, i*n+k, before, ids, text, q))
		}
	}
	return nil
}

// read returns the tokens and the text of a prompt.
func (c *completing) read(i int) ([]int32, string, error) {
	p, m := &c.request.Prompt, c.engine.model
	switch {
	case i < len(p.texts):
		ids, _, err := m.Codec.Encode(p.texts[i])
		if err != nil {
			return nil, "", invalid("prompt", "the prompt: %v", err)
		}
		return ids, p.texts[i], nil
	case i < len(p.tokens):
		ids := p.tokens[i]
		if err := checkIDs(ids, m); err != nil {
			return nil, "", invalid("prompt", "the prompt: %v", err)
		}
		return ids, m.Codec.Decode(data.EOS, ids), nil
	}
	return nil, "", nil
}

// state returns the state that the request goes on from, nil for none.
func (c *completing) state() (*mega.Session, error) {
	if c.request.State == "" {
		return nil, nil
	}
	file, err := base64.StdEncoding.DecodeString(c.request.State)
	if err != nil {
		return nil, invalid("state", "state is not base64: %v", err)
	}
	c.request.State = ""
	var p *language.Prompt
	c.engine.device.Do(func() { p, err = c.engine.model.Resume(bytes.NewReader(file)) })
	if err != nil {
		return nil, invalid("state", "state: %v", err)
	}
	return p.Session, nil
}

// each calls use with what the engine says, as it comes, job after job.
func (c *completing) each(use func(job int, tokens []madeToken) error) error {
	for i, j := range c.jobs {
		for ended := false; !ended; {
			tokens, end, err := j.out.take(c.ctx)
			if err != nil {
				return err
			}
			if err := use(i, tokens); err != nil {
				return err
			}
			ended = end
		}
		c.usage.PromptTokensDetails.CachedTokens += max(0, j.out.cached-1) // </s> is not the client's
	}
	return nil
}

// add takes tokens in.
func (c *completing) add(job int, tokens []madeToken) error {
	n := value(c.request.N, 1)
	for _, t := range tokens {
		if t.text == prompt {
			for k := range n {
				c.choices[job*n+k].add(t)
			}
			continue
		}
		if t.token >= 0 {
			c.usage.CompletionTokens++
		}
		if err := c.choices[job*n+t.text].add(t); err != nil {
			return err
		}
	}
	return nil
}

// whole answers once everything is there.
func (c *completing) whole() error {
	if err := c.each(c.add); err != nil {
		return err
	}
	for _, choice := range c.choices {
		c.head.Choices = append(c.head.Choices, choice.take())
	}
	c.usage.TotalTokens = c.usage.PromptTokens + c.usage.CompletionTokens
	c.head.Usage = &c.usage
	writeJSON(c.w, http.StatusOK, c.head)
	return nil
}

// stream answers by events as texts grow.
func (c *completing) stream() error {
	events := &events{w: c.w}
	n := value(c.request.N, 1)
	err := c.each(func(job int, tokens []madeToken) error {
		if err := c.add(job, tokens); err != nil {
			return err
		}
		event := c.head
		for _, choice := range c.choices[job*n:][:n] {
			if choice.fresh() {
				event.Choices = append(event.Choices, choice.take())
			}
		}
		if len(event.Choices) == 0 {
			return nil
		}
		return events.send("", event)
	})
	if err != nil {
		if events.begun {
			_ = events.send("", openAI(asFailure(err))) // and no [DONE]
			return nil
		}
		return err
	}
	if o := c.request.StreamOptions; o != nil && o.IncludeUsage {
		c.usage.TotalTokens = c.usage.PromptTokens + c.usage.CompletionTokens
		c.head.Choices, c.head.Usage = []completionChoice{}, &c.usage
		if err := events.send("", c.head); err != nil {
			return nil
		}
	}
	_ = events.raw("data: [DONE]\n\n")
	return nil
}

// finishReasons are OpenAI's words for why texts end.
var finishReasons = map[string]string{generate.EndOfText: "stop", generate.StopString: "stop", generate.FullLength: "length"}
