package mega

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/mega-go/mega/autograd"
	"github.com/mega-go/mega/nn"
	"github.com/mega-go/mega/tensor"
)

// readyWeights are a causal stack and a projection to a vocabulary with what
// sessions need of their parameters. Sessions share them and only read.
type readyWeights struct {
	stack      *stack
	projection *nn.Parameter       // nil with an adaptive softmax
	adaptive   *nn.AdaptiveSoftmax // nil with a projection
	source     *stack              // of a translator, nil for others

	summing  sync.Mutex // guards checksum
	checksum string     // of the parameters, for the files of sessions; "" until one asks
}

// A precision says in which form sessions hold weights.
type precision struct{ bf16, int8 bool }

// SetBF16 chooses whether sessions round the factors of products with weights to
// bfloat16, as autograd's Tape.SetBF16 says; a translator's also those of attention in
// the encoder. It is for sessions made afterwards, and comes before Freeze. Weights that
// SetInt8 rounds stay as that says.
func (p *precision) SetBF16(on bool) { p.bf16 = on }

// BF16 returns what SetBF16 chose.
func (p *precision) BF16() bool { return p.bf16 }

// SetInt8 chooses whether sessions read weights in eight bits, with a scale for each
// output of a layer: autograd.Int8. A step for one text, which takes the time of reading
// the weights, then reads a quarter of their bytes. A language model's sessions do so
// once it is frozen. It is for sessions made afterwards, and comes before Freeze. A
// checkpoint of such weights sets it.
func (p *precision) SetInt8(on bool) { p.int8 = on }

// ofWeights returns the form of the weights.
func (p *precision) ofWeights() autograd.Precision {
	switch {
	case p.int8:
		return autograd.Int8
	case p.bf16:
		return autograd.BFloat16
	}
	return autograd.Float32
}

// packWeights makes a stack and a projection, which may be nil, ready for many
// steps: linear layers are packed. Products with packed weights add in an order that
// does not depend on how many rows they have, so that no bit of what is said of a
// text depends on the texts beside it.
func packWeights(s *stack, projection *nn.Parameter, in autograd.Precision) *readyWeights {
	if projection != nil {
		projection = projection.Pack(in)
	}
	return &readyWeights{stack: s.ready(packed(in), packed(autograd.Float32)), projection: projection}
}

// packed returns the function that packs a linear layer.
func packed(in autograd.Precision) func(*nn.Linear) *nn.Linear {
	return func(l *nn.Linear) *nn.Linear { return l.Pack(in) }
}

// asItIs returns a linear layer that is not packed.
func asItIs(l *nn.Linear) *nn.Linear { return l }

// freeze sets frozen to what pack returns, unless it is set, until thaw is called.
func freeze(frozen **readyWeights, pack func() *readyWeights) (thaw func()) {
	before := *frozen
	if before == nil {
		*frozen = pack()
	}
	return func() { *frozen = before }
}

// A home is where the sessions of a model compute.
type home struct {
	workers  *autograd.Workers
	onDevice *autograd.Tape // where the parameters are on a device: of all sessions, nil until there is one
}

// SetWorkers says which threads compute for the sessions made afterwards.
func (h *home) SetWorkers(w *autograd.Workers) { h.workers = w }

// tape returns a tape for a new session of a model with these parameters.
func (h *home) tape(params *nn.Params) *autograd.Tape {
	if params.Device() == nil {
		return newTape(h.workers)
	}
	if h.onDevice == nil {
		h.onDevice = params.NewTape()
		h.onDevice.SetWorkers(h.workers)
	}
	return h.onDevice
}

// end gives a device back all memory of sessions, which are void.
func (h *home) end() {
	if h.onDevice != nil {
		h.onDevice.Close()
		h.onDevice = nil
	}
}

// newTape returns a tape that workers compute on.
func newTape(workers *autograd.Workers) *autograd.Tape {
	t := autograd.NewTape()
	t.SetWorkers(workers)
	return t
}

// A reader takes texts through a causal stack piece by piece, side by side as
// rows: what Session and TranslatorSession have in common. The layers are those
// of training, on a tape that does not record and with a state each.
type reader struct {
	*readyWeights
	states    []blockState
	positions []int // tokens read of each text

	tape     *autograd.Tape     // holds what the last window gave, until another session of a device reads
	features *autograd.Variable // of the last window, [rows, n, D]
	logProbs *tensor.Tensor     // [rows, V] of what comes next, nil before anything is read

	window  Input   // being read
	padding []bool  // memory of its mask
	ends    []int32 // the rows of features that are each text's last
}

// newReader returns a reader at the beginning of several texts.
func newReader(w *readyWeights, texts int, t *autograd.Tape) reader {
	r := reader{readyWeights: w, positions: make([]int, texts), tape: t}
	for _, b := range w.stack.blocks {
		r.states = append(r.states, blockState{gated: b.attention.begin(t, texts)})
	}
	return r
}

// Workers returns the threads that compute, as the model had them when the
// session was made.
func (s *reader) Workers() *autograd.Workers { return s.tape.Workers() }

// Rows returns the number of texts.
func (s *reader) Rows() int { return len(s.positions) }

// Position returns how many tokens have been read of a text. It panics if there
// is no such row.
func (s *reader) Position(row int) int {
	s.mustHave(row)
	return s.positions[row]
}

func (s *reader) mustHave(row int) {
	if row < 0 || row >= s.Rows() {
		panic(fmt.Sprintf("mega: no row %d in a session of %d", row, s.Rows()))
	}
}

// LogProbs returns the log-probabilities of each text's next token, [rows, V],
// nil if nothing has been read. They are the session's memory, valid until it
// reads on.
func (s *reader) LogProbs() []float32 {
	if s.logProbs == nil {
		return nil
	}
	return s.logProbs.Host()
}

// reach reports whether the biases reach the next length positions of each text. It
// is called before anything is read, so that an error leaves no text between layers.
func (s *reader) reach(length int) error {
	for i, b := range s.stack.blocks {
		if _, _, _, err := b.attention.positionBias(s.tape, length, s.states[i].gated); err != nil {
			return err
		}
		if b.cross != nil {
			if _, _, err := b.cross.positionBias(s.tape, length, s.states[i].cross); err != nil {
				return err
			}
		}
	}
	return nil
}

// read reads n columns of tokens [rows, L] into features.
func (s *reader) read(tokens []int32, from, n int) error {
	s.tape.Reset()
	rows, in := s.Rows(), &s.window
	length := len(tokens) / rows
	in.Rows, in.Length, in.Tokens = rows, n, in.Tokens[:0]
	for row := range rows {
		in.Tokens = append(in.Tokens, tokens[row*length+from:][:n]...)
	}
	// Padding is not masked on the way: nothing of a text comes after it.
	x, err := s.stack.run(s.tape, in, nil, nil, s.states)
	if err != nil {
		return err
	}
	mask := in.mask(s.padding)
	if mask != nil {
		s.padding = mask
	}
	s.features = s.tape.Scope(func() *autograd.Variable { return s.stack.finished(s.tape, x, mask) })
	for row := range s.positions {
		s.positions[row] += n
	}
	return nil
}

// score computes the log-probabilities of what follows the last window.
func (s *reader) score() {
	s.ends = s.ends[:0]
	for row := range s.Rows() {
		s.ends = append(s.ends, int32((row+1)*s.window.Length-1))
	}
	last := s.tape.Rows(s.features, s.ends)
	if s.adaptive != nil {
		s.tell(s.adaptive.LogProbs(s.tape, last))
		return
	}
	scores := s.tape.Linear(last, s.projection.Variable, nil, autograd.Identity)
	s.tell(s.tape.LogSoftmax(scores))
}

// tell notes log-probabilities. They come to the host, where tokens are chosen.
func (s *reader) tell(logProbs *autograd.Variable) {
	s.logProbs = logProbs.Value()
	if s.logProbs.Device() != nil {
		s.logProbs = s.logProbs.Clone()
	}
}

// step reads one token of each text, which has been checked.
func (s *reader) step(tokens []int32) (logProbs []float32, err error) {
	if err := s.reach(1); err != nil {
		return nil, err
	}
	s.Workers().WhileHot(func() {
		if err = s.read(tokens, 0, 1); err == nil {
			s.score()
		}
	})
	return s.LogProbs(), err
}

// checkRows reports rows that a reader does not have.
func (s *reader) checkRows(rows []int) error {
	if len(rows) == 0 {
		return errors.New("reorder to no rows: a session has one at least")
	}
	for _, r := range rows {
		if r < 0 || r >= s.Rows() {
			return fmt.Errorf("reorder: no row %d in a session of %d", r, s.Rows())
		}
	}
	return nil
}

// pick returns a reader of the given rows. If s is not to stay usable, it takes
// over what it can. The log-probabilities are those of the rows before.
func (s *reader) pick(rows []int, stay bool) reader {
	p := *s
	p.positions, p.states = nil, slices.Clone(s.states)
	for _, r := range rows {
		p.positions = append(p.positions, s.positions[r])
	}
	each := func(_, i int) { p.states[i] = s.states[i].pick(rows, stay) }
	if s.tape.Device() == nil {
		s.Workers().Run(len(p.states), each)
	} else {
		for i := range p.states { // a device has one goroutine
			each(0, i)
		}
	}
	if stay {
		p.features, p.window, p.padding, p.ends = nil, Input{}, nil, nil
		if s.tape.Device() == nil {
			p.tape = newTape(s.Workers())
		}
	}
	return p
}

// pick returns the state of the given rows.
func (s blockState) pick(rows []int, stay bool) blockState {
	gated := *s.gated
	gated.average, gated.keys = s.gated.average.Pick(rows, stay), s.gated.keys.Pick(rows, stay)
	p := blockState{gated: &gated}
	if s.cross != nil {
		cross := *s.cross
		cross.sources = s.cross.sources.Share(rows)
		p.cross = &cross
	}
	return p
}
