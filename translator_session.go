package mega

import (
	"errors"
	"fmt"
	"slices"

	"github.com/mega-go/mega/autograd"
	"github.com/mega-go/mega/internal/parallel"
	"github.com/mega-go/mega/tensor"
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
	model      *Translator
	projection *autograd.PackedWeight
	source     sourceState
	logProbs   *tensor.Tensor // [rows, V], nil before anything is written
}

// sourceState is what the decoder's layers know of the sources.
type sourceState struct {
	of        []int // [rows], the source that a row translates
	layers    [][]autograd.Source
	attention []autograd.SourceAttention // by layer
}

// sessionWeights makes what sessions need of the parameters.
func (m *Translator) sessionWeights() *packedWeights {
	return packWeights(&m.target, m.projection, m.bf16)
}

// SetBF16 chooses whether sessions round the factors of products to bfloat16, as
// autograd's Tape.SetBF16 says: those with weights, and in the encoder those of
// attention. It is for sessions made afterwards, and comes before Freeze.
func (m *Translator) SetBF16(on bool) { m.bf16 = on }

// Freeze makes what sessions need of the parameters, in as much memory as the
// decoder's take, once for all sessions until thaw is called, instead of once
// for each: not a bit of what they say changes. Until then the parameters must not
// change. It is not to be called while another goroutine makes a session.
func (m *Translator) Freeze() (thaw func()) { return freeze(&m.frozen, m.sessionWeights) }

// NewSession reads sources [rows, length], padded with <pad> on either side, and
// returns a session of one translation of each, of which nothing is written. The
// first token to give to Step is by convention </s>, 2. With padding on the left
// the attention to the source counts it as positions, as in the reference
// (gated_cross_attention.py:114-122); on the right it makes no difference.
func (m *Translator) NewSession(sources []int32, rows, length int) (*TranslatorSession, error) {
	t := autograd.NewTape()
	t.SetBF16(m.bf16)
	defer parallel.Hot()()
	encoded, err := m.Encode(t, sources, rows, length)
	if err != nil {
		return nil, err
	}
	w := m.frozen
	if w == nil {
		w = m.sessionWeights()
	}
	s := &TranslatorSession{model: m, projection: w.projection, reader: newReader(&m.target, w.decoder, rows)}
	columns := make([][2]int, rows)
	for row := range rows {
		s.source.of = append(s.source.of, row)
		if columns[row], err = sourceColumns(sources[row*length:][:length]); err != nil {
			return nil, fmt.Errorf("source %d: %w", row, err)
		}
	}
	for _, b := range m.target.blocks {
		keys, values := b.cross.project(t, encoded.Output)
		s.source.layers = append(s.source.layers, splitSources(keys, values, columns))
		s.source.attention = append(s.source.attention, autograd.SourceAttention{
			Function: b.cross.config.Attention, Scale: b.cross.config.attentionScale(),
		})
		t.Release(keys)
		t.Release(values)
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

// splitSources copies each source's keys and values, without padding, from those
// of a batch.
func splitSources(keys, values *autograd.Variable, columns [][2]int) []autograd.Source {
	out := make([]autograd.Source, len(columns))
	length := keys.Shape()[1]
	for row, c := range columns {
		from, to := row*length+c[0], row*length+c[1]
		out[row] = autograd.Source{
			Keys:   autograd.RowRange(keys, from, to).Value().Clone(),
			Values: autograd.RowRange(values, from, to).Value().Clone(), Column: c[0],
		}
	}
	return out
}

// Model returns the model that the session writes with.
func (s *TranslatorSession) Model() *Translator { return s.model }

// LogProbs returns the log-probabilities of each translation's next token,
// [rows, V], nil before the first step. They are the session's memory, valid
// until it goes on.
func (s *TranslatorSession) LogProbs() []float32 {
	if s.logProbs == nil {
		return nil
	}
	return s.logProbs.Data()
}

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
	if err := s.reach(positions); err != nil {
		return nil, err
	}
	if err := s.reachSource(positions); err != nil {
		return nil, err
	}
	parallel.WhileHot(func() {
		s.readWindow(tokens, 0, 1, &s.source)
		s.score()
	})
	return s.logProbs.Data(), nil
}

// reachSource makes the biases of the attention to the source reach so many
// positions.
func (s *TranslatorSession) reachSource(positions int) error {
	defer s.tape.Reset()
	for i, b := range s.stack.blocks {
		a := &s.source.attention[i]
		need := positions
		for _, source := range s.source.layers[i] {
			need = max(need, source.Column+source.Keys.Rows())
		}
		if need <= a.Reach {
			continue
		}
		// Further than is needed, so that it is seldom done, if the bias has it.
		reach := max(need, 2*a.Reach, firstReach)
		bias, zero, err := b.cross.bias.Forward(s.tape, reach)
		if err != nil {
			reach = need
			if bias, zero, err = b.cross.bias.Forward(s.tape, reach); err != nil {
				return fmt.Errorf("attention to the source: %w", err)
			}
		}
		a.Bias, a.BiasZero, a.Reach = bias.Value().Clone(), zero, reach
	}
	return nil
}

func (s *TranslatorSession) score() {
	rows, vocab := s.Rows(), s.model.config.TargetVocabSize
	if s.logProbs == nil || s.logProbs.Rows() != rows {
		s.logProbs = tensor.New(rows, vocab)
	}
	s.projection.LinearInto(s.logProbs, s.last(), nil, autograd.Identity)
	autograd.LogSoftmaxInto(s.logProbs, s.logProbs)
}

// Reorder makes row i what row rows[i] was, for each i: it drops, repeats and
// exchanges translations. The number of rows becomes len(rows). LogProbs is of
// the rows before until the next step.
func (s *TranslatorSession) Reorder(rows ...int) error {
	if err := s.checkRows(rows); err != nil {
		return err
	}
	s.reader = s.reader.pick(rows, false)
	of := make([]int, len(rows))
	for i, r := range rows {
		of[i] = s.source.of[r]
	}
	s.source.of = of
	return nil
}

// Attention returns what the last layer paid to each token of its source, padding
// left out, when a row's last token was written; nil before the first step. It
// panics if there is no such row.
func (s *TranslatorSession) Attention(row int) []float32 {
	s.mustHave(row)
	if s.logProbs == nil || s.work.cross.Rows() <= row {
		return nil
	}
	last := len(s.source.layers) - 1
	source := s.source.layers[last][s.source.of[row]]
	return s.source.attention[last].Weights(s.work.cross.Row(row)[2*s.work.x.Cols():], source, s.positions[row]-1)
}

// read is Forward for a session: rows whose last tokens are at positions.
func (a *CrossAttention) read(w *workspace, l *layerState, s *sourceState, layer int, positions []int) {
	c, in := a.config, w.x
	if c.Prenorm {
		in = w.in
		a.norm.Into(in, w.x)
	}
	d := c.EmbedDim
	l.crossQ.Into(w.cross, in, autograd.Identity)
	u, r, q := w.cross.Columns(0, d), w.cross.Columns(d, 2*d), w.cross.Columns(2*d, 2*d+c.ZDim)
	s.attention[layer].Into(w.average, q, s.layers[layer], s.of, positions)
	autograd.SiLUMulInto(w.average, r, w.average)
	l.crossH.Into(w.in, w.average, c.Activation)
	autograd.GatedResidualInto(w.x, w.x, u, w.in)
	if !c.Prenorm {
		a.norm.Into(w.x, w.x)
	}
}
