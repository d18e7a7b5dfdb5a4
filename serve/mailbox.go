package serve

import (
	"context"
	"sync"

	"github.com/mega-go/mega"
)

// A madeToken is what an engine says of a token: of the prompt, or of a text that it
// makes.
type madeToken struct {
	text    int // which continuation, or prompt
	token   int32
	logProb float32
	best    []alternative
	piece   []byte        // text that is now certain
	reason  string        // why the text ends with it, "" if it goes on
	state   *mega.Session // after the token, where the text ends and it is wanted
}

// An alternative is a token that could have come, and its log-probability.
type alternative struct {
	token   int32
	logProb float32
}

// prompt is the text of tokens of the prompt.
const prompt = -1

// A mailbox holds what an engine has to say until the client's goroutine takes it, so
// that a slow client holds up nobody. What it can hold is bounded by what was asked
// for.
type mailbox struct {
	ready  chan struct{} // of one
	cached int           // tokens of the prompt that were not read; set before the first token

	mu    sync.Mutex
	held  []madeToken
	ended bool
	err   error
}

// put adds a token.
func (m *mailbox) put(t ...madeToken) {
	m.mu.Lock()
	m.held = append(m.held, t...)
	m.mu.Unlock()
	m.signal()
}

// end says that nothing follows.
func (m *mailbox) end(err error) {
	m.mu.Lock()
	if !m.ended {
		m.ended, m.err = true, err
	}
	m.mu.Unlock()
	m.signal()
}

func (m *mailbox) signal() {
	select {
	case m.ready <- struct{}{}:
	default:
	}
}

// take waits until there is something and returns it. At the end it returns what is
// left, and that it ended.
func (m *mailbox) take(ctx context.Context) (tokens []madeToken, ended bool, err error) {
	for {
		m.mu.Lock()
		tokens, m.held = m.held, nil
		ended, err = m.ended, m.err
		m.mu.Unlock()
		if len(tokens) > 0 || ended {
			return tokens, ended, err
		}
		select {
		case <-m.ready:
		case <-ctx.Done():
			return nil, true, context.Cause(ctx)
		}
	}
}
