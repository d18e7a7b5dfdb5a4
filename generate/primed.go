package generate

import (
	"errors"
	"math"
)

// Primed returns a model for a [Searcher] of a single text that a reader has read
// already: the first token is not read again. Texts end after length tokens at no
// cost, for a text that is cut there has not come to its end; banned tokens have
// no probability.
func Primed(r Reader, length int, banned []int32) Model {
	return &primed{Reader: r, length: length, banned: banned}
}

type primed struct {
	Reader
	length, step int
	banned       []int32
}

// Step implements Model.
func (p *primed) Step(tokens ...int32) (scores []float32, err error) {
	if scores = p.LogProbs(); p.step > 0 {
		if scores, err = p.Reader.Step(tokens...); err != nil {
			return nil, err
		}
	}
	if scores == nil {
		return nil, errors.New("nothing has been read yet that could be continued")
	}
	vocab := len(scores) / len(tokens)
	if err := checkTokens(p.banned, vocab); err != nil {
		return nil, err
	}
	for row := range tokens {
		for _, token := range p.banned {
			scores[row*vocab+int(token)] = float32(math.Inf(-1))
		}
		if p.step >= p.length {
			scores[row*vocab+int(eosToken)] = 0
		}
	}
	p.step++
	return scores, nil
}
