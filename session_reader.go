package mega

import (
	"fmt"
	"slices"

	"github.com/mega-go/mega/autograd"
	"github.com/mega-go/mega/internal/parallel"
	"github.com/mega-go/mega/tensor"
)

// A reader takes texts through a causal stack piece by piece, side by side as
// rows: what Session and TranslatorSession have in common.
type reader struct {
	stack     *stack
	layers    []layerState
	positions []int // tokens read of each text
	reached   int   // positions that the biases are made for

	tokens []int32 // of the window being read, [rows, n]
	work   *workspace
	tape   *autograd.Tape
}

// newReader returns a reader of so many texts of which nothing has been read,
// with what has been made of the stack's parameters.
func newReader(s *stack, w *readerWeights, texts int) reader {
	r := reader{stack: s, positions: make([]int, texts), tape: autograd.NewTape()}
	for i, b := range s.blocks {
		r.layers = append(r.layers, b.attention.newState(&w.blocks[i], texts))
	}
	return r
}

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

// readWindow reads n columns of tokens [rows, L]. source, nil in a language
// model, is what the blocks attend to besides.
func (s *reader) readWindow(tokens []int32, from, n int, source *sourceState) {
	rows := s.Rows()
	length := len(tokens) / rows
	s.tokens = s.tokens[:0]
	for row := range rows {
		s.tokens = append(s.tokens, tokens[row*length+from:][:n]...)
		s.positions[row] += n
	}
	d := s.stack
	w := s.workspace(rows * n)
	d.embedInto(w, s.tokens)
	for i, b := range d.blocks {
		b.attention.read(w, &s.layers[i])
		if b.cross != nil {
			b.cross.read(w, &s.layers[i], source, i, s.positions)
		}
		if b.feedForward != nil {
			b.feedForward.read(w, &s.layers[i])
		}
	}
	if d.finalNorm != nil {
		d.finalNorm.Into(w.x, w.x)
	}
	for i, token := range s.tokens {
		if token == Pad {
			clear(w.x.Row(i)) // as in the reference (models/mega_lm.py:420)
		}
	}
}

// last returns the rows of w.x that belong to each text's last token.
func (s *reader) last() *tensor.Tensor {
	rows := s.Rows()
	n := s.work.x.Rows() / rows
	if n == 1 {
		return s.work.x
	}
	last := tensor.New(rows, s.work.x.Cols())
	for row := range rows {
		copy(last.Row(row), s.work.x.Row((row+1)*n-1))
	}
	return last
}

// checkRows reports rows that a reader does not have.
func (s *reader) checkRows(rows []int) error {
	if len(rows) == 0 {
		return errNoRows
	}
	for _, r := range rows {
		if r < 0 || r >= s.Rows() {
			return fmt.Errorf("reorder: no row %d in a session of %d", r, s.Rows())
		}
	}
	return nil
}

// pick returns a reader of the given rows. If s is not to stay usable, it takes
// over what it can.
func (s *reader) pick(rows []int, stay bool) reader {
	p := *s
	p.positions, p.layers, p.tokens = nil, slices.Clone(s.layers), nil
	for _, r := range rows {
		p.positions = append(p.positions, s.positions[r])
	}
	parallel.Run(len(p.layers), func(_, i int) { p.layers[i].pick(rows, stay) })
	if stay {
		p.work, p.tape = nil, autograd.NewTape()
	}
	return p
}
