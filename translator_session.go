package mega

import (
	"errors"
	"fmt"
	"slices"

	"github.com/mega-go/mega/autograd"
)

// A TranslatorSession writes translations of sources that have been read, side
// by side as rows, token by token: it says what may come next in each, given
// what has been written. Each step takes the time of one position, for the
// states of the moving averages and the keys and values of source and target
// are carried along. The decoder's moving averages are not truncated, as in the
// reference's incremental decoding.
//
// A session belongs to one goroutine; any number of sessions of one model may
// run at once. The model's parameters must not change while it has sessions; see
// Translator.Freeze where there are many.
type TranslatorSession struct {
	reader
	model *Translator
}

// sessionWeights makes what sessions need of the parameters.
func (m *Translator) sessionWeights() *readyWeights {
	return packWeights(&m.target, m.projection, m.ofWeights())
}

// SetWorkers says which threads compute for the sessions made afterwards.
func (m *Translator) SetWorkers(w *autograd.Workers) { m.workers = w }

// Freeze makes what sessions need of the parameters, in as much memory as the
// decoder's take, once for all sessions until thaw is called, instead of once
// for each: not a bit of what they say changes. Until then the parameters must not
// change. It is not to be called while another goroutine makes a session.
func (m *Translator) Freeze() (thaw func()) { return freeze(&m.frozen, m.sessionWeights) }

// NewSession reads sources [rows, length], padded with <pad> on either side, and
// returns a session at the beginning of one translation of each. The first token to
// give to Step is by convention </s>, 2. With padding on the left
// the attention to the source counts it as positions, as in the reference
// (gated_cross_attention.py:114-122); on the right it makes no difference.
func (m *Translator) NewSession(sources []int32, rows, length int) (*TranslatorSession, error) {
	t := newTape(m.workers)
	t.SetBF16(m.bf16)
	defer m.workers.Hot()()
	encoded, err := m.Encode(t, sources, rows, length)
	if err != nil {
		return nil, err
	}
	w := m.frozen
	if w == nil {
		w = m.sessionWeights()
	}
	s := &TranslatorSession{model: m, reader: newReader(w, rows, m.workers)}
	columns := make([][2]int, rows)
	for row := range rows {
		if columns[row], err = sourceColumns(sources[row*length:][:length]); err != nil {
			return nil, fmt.Errorf("source %d: %w", row, err)
		}
	}
	for i, b := range s.stack.blocks {
		s.states[i].cross = b.cross.begin(t, encoded.Output, columns)
	}
	return s, nil
}

// sourceColumns returns where the tokens of a padded source begin and end.
func sourceColumns(tokens []int32) ([2]int, error) {
	from, to := 0, len(tokens)
	for from < to && tokens[from] == Pad {
		from++
	}
	for to > from && tokens[to-1] == Pad {
		to--
	}
	if from == to {
		return [2]int{}, errors.New("it has no tokens")
	}
	return [2]int{from, to}, nil
}

// Model returns the model that the session writes with.
func (s *TranslatorSession) Model() *Translator { return s.model }

// Step writes one token of each translation and returns LogProbs.
func (s *TranslatorSession) Step(tokens ...int32) ([]float32, error) {
	if len(tokens) != s.Rows() {
		return nil, fmt.Errorf("a step of %d tokens in a session of %d translations", len(tokens), s.Rows())
	}
	c := s.model.config
	if err := checkTokens(tokens, 1, c.TargetVocabSize); err != nil {
		return nil, err
	}
	positions := slices.Max(s.positions) + 1
	if positions > c.MaxTargetPositions {
		return nil, fmt.Errorf("a translation of %d tokens, but the model takes at most %d", positions, c.MaxTargetPositions)
	}
	return s.step(tokens)
}

// Reorder makes row i what row rows[i] was, for each i: it drops, repeats and
// exchanges translations. The number of rows becomes len(rows). LogProbs is of
// the rows before until the next step.
func (s *TranslatorSession) Reorder(rows ...int) error {
	if err := s.checkRows(rows); err != nil {
		return err
	}
	s.reader = s.reader.pick(rows, false)
	return nil
}

// Attention returns what the last layer paid to each token of its source, padding
// left out, when a row's last token was written; nil before the first step. It
// panics if there is no such row.
func (s *TranslatorSession) Attention(row int) []float32 {
	s.mustHave(row)
	last := len(s.states) - 1
	state := s.states[last].cross
	if state.queries == nil || row >= state.queries.Rows() {
		return nil
	}
	return s.stack.blocks[last].cross.weights(s.tape, row, state)
}
