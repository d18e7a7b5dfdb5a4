package mega

import (
	"errors"
	"fmt"
	"slices"

	"github.com/mega-go/mega/autograd"
	"github.com/mega-go/mega/internal/cuda/device"
)

// A TranslatorSession writes translations of sources that have been read, side
// by side as rows, token by token: it says what may come next in each, given
// what has been written. Each step takes the time of one position, for the
// states of the moving averages and the keys and values of source and target
// are carried along. The decoder's moving averages are not truncated, as in the
// reference's incremental decoding.
//
// A session belongs to one goroutine; any number of sessions of one model may
// run at once, but where the parameters are on a device: all of them belong to the
// goroutine of the device, which has their state. The model's parameters must not
// change while it has sessions; see Translator.Freeze where there are many.
type TranslatorSession struct {
	reader
	model *Translator
}

// sessionWeights makes what sessions need of the parameters.
func (m *Translator) sessionWeights() *readyWeights {
	w := packWeights(&m.target, m.projection, m.ofWeights())
	in := autograd.Float32
	if m.bf16 {
		in = autograd.BFloat16
	}
	w.source = m.source.ready(packed(in), packed(in))
	for i, b := range w.stack.blocks {
		b.cross.kProj, b.cross.vProj = m.target.blocks[i].cross.kProj.Pack(in), m.target.blocks[i].cross.vProj.Pack(in)
	}
	return w
}

// Freeze makes what sessions need of the parameters, in as much memory as these
// take, once for all sessions until thaw is called, instead of once
// for each: not a bit of what they say changes. Until then the parameters must not
// change. It is not to be called while another goroutine makes a session.
func (m *Translator) Freeze() (thaw func()) { return freeze(&m.frozen, m.sessionWeights) }

// LeaveDevice moves the parameters from a device to the host, and gives the device back
// all memory of the model's sessions, which are void. The model is not frozen then.
func (m *Translator) LeaveDevice() {
	m.EndSessions()
	m.params.Move(nil)
}

// EndSessions gives a device back all memory of the model's sessions, which are void. The
// model stays there, and is not frozen then. On the host it does nothing.
func (m *Translator) EndSessions() {
	if m.params.Device() == nil {
		return
	}
	m.end()
	m.frozen = nil
}

// NewSession reads sources [rows, length], padded with <pad> on either side, and
// returns a session at the beginning of one translation of each. The first token to
// give to Step is by convention </s>, 2. With padding on the left
// the attention to the source counts it as positions, as in the reference
// (gated_cross_attention.py:114-122); on the right it makes no difference, and then
// no bit of a translation depends on the sources beside it.
func (m *Translator) NewSession(sources []int32, rows, length int) (session *TranslatorSession, err error) {
	defer device.Catch(&err)
	c := m.config
	if err := checkText("source", sources, rows, length, c.SourceVocabSize, c.MaxSourcePositions); err != nil {
		return nil, err
	}
	groups, err := sourceGroups(sources, rows, length)
	if err != nil {
		return nil, err
	}
	w := m.frozen
	if w == nil {
		w = m.sessionWeights()
	}
	s := &TranslatorSession{model: m, reader: newReader(w, rows, m.tape(m.params))}
	for i := range s.states {
		s.states[i].cross = newCrossState(rows)
	}
	t := m.tape(m.params) // that of the session, if a device has it
	t.SetBF16(m.bf16)
	defer t.SetBF16(false)
	defer m.workers.Hot()()
	for _, g := range groups {
		if err := s.readSources(t, g, sources, length); err != nil {
			return nil, err
		}
		t.Reset()
	}
	return s, nil
}

// readSources reads the sources of a group among all, which are padded to a length.
func (s *TranslatorSession) readSources(t *autograd.Tape, g sourceGroup, sources []int32, length int) error {
	in := Input{Rows: len(g.rows), Length: g.length}
	for _, row := range g.rows {
		in.Tokens = append(in.Tokens, sources[row*length:][:g.length]...)
	}
	encoded, _, err := s.source.forward(t, &in, nil)
	if err != nil {
		return fmt.Errorf("source: %w", err)
	}
	for i, b := range s.stack.blocks {
		b.cross.read(t, encoded, g, s.states[i].cross)
	}
	return nil
}

// A sourceGroup is sources that are read at once.
type sourceGroup struct {
	rows    []int    // of the session
	columns [][2]int // where the tokens of each begin and end
	length  int      // columns that are read
}

// shortSource is the length up to which sources of one length are read together. The
// sums over a longer one may be cut in another way where it has others beside it.
const shortSource = 64

// sourceGroups cuts sources [rows, length] into groups: those of the same length, so
// that none is read with padding that would not be there if it were alone, but for
// those that are padded on the left, which are as long as the longest.
func sourceGroups(sources []int32, rows, length int) ([]sourceGroup, error) {
	var groups []sourceGroup
	at := map[int]int{} // the place among groups of those that a source may join, by its length
	for row := range rows {
		columns, err := sourceColumns(sources[row*length:][:length])
		if err != nil {
			return nil, fmt.Errorf("source %d: %w", row, err)
		}
		n, key := columns[1], columns[1]
		if columns[0] > 0 {
			n, key = length, -1
		}
		i, found := at[key]
		if !found || n > shortSource && key >= 0 {
			i, groups = len(groups), append(groups, sourceGroup{length: n})
			at[key] = i
		}
		groups[i].rows, groups[i].columns = append(groups[i].rows, row), append(groups[i].columns, columns)
	}
	return groups, nil
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
func (s *TranslatorSession) Step(tokens ...int32) (logProbs []float32, err error) {
	defer device.Catch(&err)
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
func (s *TranslatorSession) Reorder(rows ...int) (err error) {
	defer device.Catch(&err)
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
