package mega

import (
	"fmt"
	"slices"

	"github.com/mega-go/mega/autograd"
	"github.com/mega-go/mega/internal/cuda/device"
)

// A Session reads texts with a LanguageModel, token by token or in longer pieces, and
// says what may come next. Its state is that of the moving averages and the keys and
// values of the current chunk, so memory and the time of a step do not grow with what
// was read. The moving averages are not truncated, as in the reference's incremental
// decoding: truncation would need the last inputs again.
//
// A session holds one text, or several side by side as rows. It belongs to one
// goroutine; any number of sessions of one model may run at once. Where the parameters are
// on a device, all sessions of the model belong to the goroutine of the device, which has
// their state, and errors of the device are those of the session. The model's
// parameters must not change while it has sessions: what is derived from them
// is computed once, by NewSession or Freeze, and shared with clones.
type Session struct {
	reader
	model *LanguageModel
}

// maxTexts bounds the texts of a session: far more than memory holds, and no size
// that follows from it overflows.
const maxTexts = 1 << 24

// windowTokens is about how many tokens, of all texts together, are read at
// once: enough for products of matrices to be at their best, few enough for
// memory.
const windowTokens = 4096

// Freeze packs the decoder's and the output's weights for products with a few rows,
// in as much memory again (half as much in bfloat16, a quarter in int8), for the sessions that are made
// until thaw is called. A step reads every weight once and is bounded by how fast
// memory delivers them, which is faster when they are packed. Until thaw the parameters must
// not change. Do not call it while another goroutine makes a session.
//
// Products with packed weights add in another order, so log-probabilities differ in
// their last bits from those of a model that is not frozen: by 2e-6 at most in the
// models of the tests. Sessions of a frozen model agree bit for bit with each other,
// whatever texts are side by side in them.
func (m *LanguageModel) Freeze() (thaw func()) {
	return freeze(&m.frozen, func() *readyWeights {
		w := packWeights(&m.decoder, m.projection, m.ofWeights())
		if m.adaptive != nil {
			w.adaptive = m.adaptive.Pack(autograd.Float32)
		}
		return w
	})
}

// LeaveDevice moves the parameters from a device to the host, and gives the device back
// all memory of the model's sessions, which are void. The model is not frozen then.
func (m *LanguageModel) LeaveDevice() {
	m.end()
	m.params.Move(nil)
	m.frozen = nil
}

// NewSession returns a session at the beginning of one text. The first token of a
// text is by convention </s>, 2. To make many sessions, clone one.
func (m *LanguageModel) NewSession() *Session { return m.NewBatch(1) }

// NewBatch returns a session at the beginning of several texts side by side. It
// panics unless there is a text, and memory for the state of each.
func (m *LanguageModel) NewBatch(texts int) *Session {
	if texts < 1 || texts > maxTexts {
		panic(fmt.Sprintf("mega: a session of %d texts, want 1 to %d", texts, maxTexts))
	}
	w := m.frozen
	if w == nil {
		w = &readyWeights{stack: m.decoder.ready(asItIs, asItIs), projection: m.projection, adaptive: m.adaptive}
	}
	return &Session{model: m, reader: newReader(w, texts, m.tape(m.params))}
}

// Model returns the model that the session reads with.
func (s *Session) Model() *LanguageModel { return s.model }

// Step reads one token of each text and returns LogProbs. With plain embeddings
// and softmax it allocates nothing, but for the memory of a chunk that is longer
// than those before.
func (s *Session) Step(tokens ...int32) (logProbs []float32, err error) {
	defer device.Catch(&err)
	if len(tokens) != s.Rows() {
		return nil, fmt.Errorf("a step of %d tokens in a session of %d texts", len(tokens), s.Rows())
	}
	if err := checkTokens(tokens, 1, s.model.config.VocabSize); err != nil {
		return nil, err
	}
	return s.step(tokens)
}

// Prefill reads the next tokens of all texts, [rows, L] with L at least 1, whole
// chunks in parallel. It is Step for each of them, only faster.
func (s *Session) Prefill(tokens []int32) error {
	return s.readAll(tokens, func(int, int) {})
}

// Features reads the next tokens of all texts, [rows, L], and returns the
// decoder's output for every one of them, [rows, L, D], for the model's Scores,
// FeatureLoss and TargetLogProbs. Texts that have ended are padded with <pad>, whose
// features are zero; no token may follow it.
func (s *Session) Features(tokens []int32) (features *autograd.Variable, err error) {
	defer device.Catch(&err)
	rows := s.Rows()
	length := len(tokens) / rows
	out := s.tape.NewKept(rows, length, s.model.config.DecoderEmbedDim)
	err = s.readAll(tokens, func(from, n int) { s.tape.Place(out, s.features, from) })
	return out, err
}

// SideBySide returns the most texts that Prefill reads n tokens of as it reads those of
// one: cut at the same places, so that, once the model is frozen, no bit of what is said
// of a text depends on those beside it.
func SideBySide(n int) int { return max(1, windowTokens/max(1, n)) }

// readAll reads tokens [rows, L] window by window and calls each after each, with
// its first column and their number.
func (s *Session) readAll(tokens []int32, each func(from, n int)) (err error) {
	defer device.Catch(&err)
	rows := s.Rows()
	length := len(tokens) / rows
	if length == 0 || len(tokens) != rows*length {
		return fmt.Errorf("%d tokens for a session of %d texts, want as many of each, and one at least", len(tokens), rows)
	}
	if length > 1 && slices.ContainsFunc(s.positions, func(p int) bool { return p != s.positions[0] }) {
		return fmt.Errorf("several tokens at once for texts at positions %v, want all at one", s.positions)
	}
	if err := checkTokens(tokens, length, s.model.config.VocabSize); err != nil {
		return err
	}
	if err := s.reach(length); err != nil {
		return err
	}
	defer s.Workers().Hot()()
	for from := 0; from < length; {
		n := s.window(length - from)
		if err := s.read(tokens, from, n); err != nil {
			return err
		}
		each(from, n)
		from += n
	}
	s.score()
	return nil
}

// window returns how many of the next tokens of each text to read at once: whole
// chunks, or the rest of the current chunk.
func (s *Session) window(tokens int) int {
	most := max(1, windowTokens/s.Rows())
	chunk := s.stack.chunk
	if chunk < 0 {
		return min(tokens, most)
	}
	filled := s.positions[0] % chunk
	if filled > 0 || min(tokens, most) < chunk {
		return min(tokens, most, chunk-filled)
	}
	return min(tokens, most) / chunk * chunk
}
