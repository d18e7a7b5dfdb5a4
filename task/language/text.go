package language

import (
	"context"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/mega-go/mega"
	"github.com/mega-go/mega/checkpoint"
	"github.com/mega-go/mega/data"
	"github.com/mega-go/mega/data/plaintext"
	"github.com/mega-go/mega/generate"
	"github.com/mega-go/mega/internal/cuda/device"
)

// A Model is a language model together with the dictionary that it reads
// plain text by. It may be used by several goroutines, unless a device has it.
type Model struct {
	Model *mega.LanguageModel
	Codec *plaintext.Codec
}

// OpenOptions say what Open opens.
type OpenOptions struct {
	Overrides map[string]any // other values of the model's configuration
	Data      string         // directory of the dictionary; "" for the data that the model was trained on
	Dict      string         // the dictionary itself
	BF16      bool           // round the factors of products with weights to bfloat16
	Device    device.Device  // has the model and computes, nil for the host
}

// Open makes the language model of a checkpoint, and freezes it.
func Open(path string, o OpenOptions) (*Model, error) {
	c, err := checkpoint.Open(path)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	if err := c.Override(o.Overrides); err != nil {
		return nil, err
	}
	c.UseDevice(o.Device)
	if o.BF16 {
		if err := c.UseBF16(); err != nil {
			return nil, err
		}
	}
	d := DefaultDataConfig()
	if err := CheckpointData(c, &d); err != nil {
		return nil, err
	}
	if o.Data != "" {
		d.Data, d.Text, d.Dict, d.PieceModel = o.Data, "", "", nil
	}
	if o.Dict != "" {
		d.Dict, d.PieceModel = o.Dict, nil
	}
	return newModel(c, d)
}

// newModel makes the language model of a checkpoint. d says where its dictionary
// is. If that fails, nothing is left of the model on a device.
func newModel(c *checkpoint.Checkpoint, d DataConfig) (_ *Model, err error) {
	m, err := c.LanguageModel()
	if err != nil {
		return nil, err
	}
	defer device.Undo(&err, m.LeaveDevice)
	codec, err := d.codec()
	if err == nil {
		err = codec.Dictionary().Check(m.Config().VocabSize)
	}
	if err != nil {
		return nil, err
	}
	m.Freeze() // for good
	return &Model{m, codec}, nil
}

// A Prompt is a text that a model has read and can continue.
type Prompt struct {
	Session *mega.Session // of one row
	Recent  []int32       // the last tokens, as far as they are known
	Unknown []string      // words of the text that the dictionary lacks
	Read    int           // tokens read here
	Seconds float64       // that this took
}

// Begin returns an empty prompt: </s> has been read.
func (t *Model) Begin() (*Prompt, error) {
	r := &Prompt{Session: t.Model.NewSession()}
	return r, r.read([]int32{data.EOS})
}

// Clone returns an independent prompt that continues from the same place.
func (r *Prompt) Clone() *Prompt {
	c := *r
	c.Session = r.Session.Clone()
	c.Recent, c.Unknown = slices.Clone(r.Recent), slices.Clone(r.Unknown)
	return &c
}

// Resume returns the prompt that a saved session has read.
func (t *Model) Resume(from io.Reader) (*Prompt, error) {
	s, err := t.Model.LoadSession(from)
	if err != nil {
		return nil, err
	}
	if s.Rows() != 1 {
		return nil, fmt.Errorf("the saved state is of %d texts, want one", s.Rows())
	}
	return &Prompt{Session: s}, nil
}

// recentTokens bounds the tokens that a prompt remembers.
const recentTokens = 1 << 12

// prefillTokens is how many tokens are read before a context is asked.
const prefillTokens = 1 << 14

// Read reads more text, whole chunks in parallel. tick, if not nil, gets the number
// of tokens read so far and of all.
func (t *Model) Read(ctx context.Context, r *Prompt, text string, tick func(done, total int)) error {
	ids, unknown, err := t.Codec.Encode(text)
	if err != nil {
		return fmt.Errorf("the prompt: %w", err)
	}
	r.Unknown = append(r.Unknown, unknown...)
	for from := 0; from < len(ids); from += prefillTokens {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := r.read(ids[from:min(from+prefillTokens, len(ids))]); err != nil {
			return err
		}
		if tick != nil {
			tick(min(from+prefillTokens, len(ids)), len(ids))
		}
	}
	return nil
}

func (r *Prompt) read(ids []int32) error {
	start := time.Now()
	if err := r.Session.Prefill(ids); err != nil {
		return err
	}
	r.Seconds += time.Since(start).Seconds()
	r.Read += len(ids)
	r.Recent = append(r.Recent, ids...)
	if n := len(r.Recent) - recentTokens; n > 0 {
		r.Recent = append(r.Recent[:0], r.Recent[n:]...)
	}
	return nil
}

// Continue generates n continuations of each text and returns them one after
// another. It uses up the prompts; if there is one continuation of one text, its
// session has then read the whole.
func (t *Model) Continue(ctx context.Context, texts []*Prompt, n int, o generate.ContinueOptions, emit func(row int, text []byte)) ([]generate.Continuation, error) {
	sessions := make([]*mega.Session, len(texts))
	var recent [][]int32
	var rows []int
	for i, r := range texts {
		sessions[i] = r.Session
		for range n {
			recent, rows = append(recent, r.Recent), append(rows, i)
		}
	}
	s, err := mega.Join(sessions...)
	if err != nil {
		return nil, err
	}
	if n > 1 {
		if err := s.Reorder(rows...); err != nil {
			return nil, err
		}
	}
	o = t.Options(o)
	made, err := generate.Continue(ctx, s, recent, t.Codec.Append, o, emit)
	if len(made) == 1 {
		texts[0].Recent = append(texts[0].Recent, made[0].Tokens...)
	}
	return made, err
}

// Options returns options with what the dictionary says: which tokens stand for no
// text, and whether </s> ends one.
func (t *Model) Options(o generate.ContinueOptions) generate.ContinueOptions {
	o.Banned = t.Codec.Banned()
	if t.Codec.Newline() != data.EOS {
		o.End = data.EOS
	}
	return o
}

// Text reads a prompt and yields what the model adds to it, each piece of text as
// soon as it is certain. It stops when its reader does. An error, that of ctx among
// them, is the last that it yields.
func (t *Model) Text(ctx context.Context, prompt string, o generate.ContinueOptions) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		ctx, stop := context.WithCancel(ctx)
		defer stop()
		wanted := true
		r, err := t.Begin()
		if err == nil {
			err = t.Read(ctx, r, prompt, nil)
		}
		if err == nil {
			_, err = t.Continue(ctx, []*Prompt{r}, 1, o, func(_ int, piece []byte) {
				if wanted = wanted && yield(string(piece), nil); !wanted {
					stop()
				}
			})
		}
		if err != nil && wanted {
			yield("", err)
		}
	}
}

// Search continues a text by beam search, where </s> ends a text, and returns the
// continuations that the options ask for, the best first. Each is cut before the
// first stop string. It uses up the prompt.
func (t *Model) Search(ctx context.Context, r *Prompt, o generate.Options, stop []string) ([]generate.Continuation, error) {
	searcher := generate.Searcher{Options: o}
	m := generate.Primed(r.Session, o.MaxLenB, t.Codec.Banned())
	found, err := searcher.Search(ctx, m, []generate.Text{{First: data.EOS, MaxLen: o.MaxLenB}})
	if err != nil {
		return nil, err
	}
	var out []generate.Continuation
	for _, h := range found[0][:min(o.NBest, len(found[0]))] {
		out = append(out, t.continuation(r, h, o.MaxLenB, stop))
	}
	return out, nil
}

// continuation returns what a search found as a continuation of a text.
func (t *Model) continuation(r *Prompt, h generate.Hypothesis, length int, stop []string) generate.Continuation {
	c := generate.Continuation{Tokens: h.Tokens, Reason: generate.EndOfText}
	for _, p := range h.TokenScores {
		c.LogProb += p
	}
	if len(h.Tokens) > length { // </s> is not the model's
		c.Tokens, c.Reason = h.Tokens[:length], generate.FullLength
	}
	before := int32(-1)
	if n := len(r.Recent); n > 0 {
		before = r.Recent[n-1]
	}
	c.Text = t.Codec.Decode(before, c.Tokens)
	for _, s := range stop {
		if head, _, found := strings.Cut(c.Text, s); found {
			c.Text, c.Reason = head, generate.StopString
		}
	}
	return c
}
