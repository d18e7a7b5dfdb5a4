package autograd

import (
	"github.com/mega-go/mega/internal/kernel"
	"github.com/mega-go/mega/tensor"
)

// This file and cache.go are the state that Tape.EMA and Tape.Attention carry for texts
// that are read piece by piece, side by side as rows. A window of positions is the
// general case; one token of each text is the smallest window. The state is where the
// tape computes that it was made for: what is on a device stays there.

// An EMAState is what a causal moving average carries of each text.
type EMAState struct {
	averages *tensor.Tensor // [B, size], as what computes has them; zeros at the beginning
	average  *keptAverage   // read only, and shared by all states of an average
	spare    *tensor.Tensor // memory of averages before the last reordering, or nil
	on       *deviceTape    // that has the averages, nil for the host
}

// A keptAverage is what states of an average share.
type keptAverage struct {
	parameters   EMAParameters
	config       EMAConfig
	coefficients *kernel.EMACoefficients // of the host, nil where a device computes
	onDevice     []deviceAverage         // in the order of averages, nil until a device computes
}

func (a *keptAverage) shape() kernel.EMAShape { return a.config.shape(a.parameters.Omega.Cols()) }

// NewEMAState returns the state of no texts, of which Begin makes others. What it
// computes from the parameters is shared with these, and does not see them change. It
// panics if the average runs from the right too.
func NewEMAState(p EMAParameters, c EMAConfig) *EMAState {
	if c.Bidirectional {
		panic("autograd: a bidirectional average carries no state")
	}
	c.Truncation = 0
	a := &keptAverage{parameters: p, config: c}
	if p.Omega.Value().Device() == nil {
		a.coefficients = new(kernel.EMACoefficients)
		a.coefficients.Set(nil, a.shape(), p.numbers())
	}
	return &EMAState{average: a}
}

// Begin returns the state at the beginning of several texts, which t reads.
func (s *EMAState) Begin(t *Tape, texts int) *EMAState {
	b := &EMAState{average: s.average, on: t.device}
	if b.on == nil {
		b.averages = tensor.New(texts, s.Size())
	} else {
		b.averages = b.on.beginAverages(texts, s.average)
	}
	return b
}

// Size returns how many numbers Host gives of a text.
func (s *EMAState) Size() int { return s.average.shape().StateSize() }

// Len returns how many numbers the state has memory for.
func (s *EMAState) Len() int { return s.averages.Len() }

// Host returns the averages of each text, [B, Size], in the order in which the host
// computes. It may be the state's own memory.
func (s *EMAState) Host() *tensor.Tensor {
	if s.on == nil {
		return s.averages
	}
	x := tensor.New(s.averages.Rows(), s.Size())
	s.arrange(x, s.averages.Host(), func(to, from *float32) { *to = *from })
	return x
}

// SetHost makes the averages those that Host gave, [B, Size] for the same number of
// texts. The state may take over x.
func (s *EMAState) SetHost(x *tensor.Tensor) {
	if s.on == nil {
		s.averages = x
		return
	}
	_ = s.averages.WriteHost(func(numbers []float32) error { // which gives back what the function does
		s.arrange(x, numbers, func(from, to *float32) { *to = *from })
		return nil
	})
}

// arrange calls f for each average in the host's order and in that of a device.
func (s *EMAState) arrange(host *tensor.Tensor, device []float32, f func(host, device *float32)) {
	shape, cols := s.average.shape(), s.averages.Cols()
	for text := range host.Rows() {
		row := host.Row(text)
		for channel := range shape.Channels {
			for n := range shape.States {
				f(&row[shape.StateAt(channel, n)], &device[text*cols+n*shape.Channels+channel])
			}
		}
	}
}

// Pick returns the state of the given rows' texts. Unless s is to stay usable
// its memory serves the next Pick.
func (s *EMAState) Pick(rows []int, stay bool) *EMAState {
	p := &EMAState{average: s.average, on: s.on}
	if !stay {
		p.averages, p.spare = s.spare, s.averages
	}
	if p.averages == nil || p.averages.Rows() != len(rows) {
		p.averages = newRows(s.on, len(rows), s.averages.Cols())
	}
	copies := make([]rowCopy, len(rows))
	for i, r := range rows {
		copies[i] = rowCopy{p.averages, i, s.averages, r, 1}
	}
	copyRows(s.on, copies)
	return p
}

// Join adds the texts of other states of the same average.
func (s *EMAState) Join(others ...*EMAState) {
	rows := s.averages.Rows()
	for _, o := range others {
		rows += o.averages.Rows()
	}
	joined, at := newRows(s.on, rows, s.averages.Cols()), 0
	var copies []rowCopy
	for i := range len(others) + 1 {
		from := s.averages
		if i > 0 {
			from = others[i-1].averages
		}
		copies = append(copies, rowCopy{joined, at, from, 0, from.Rows()})
		at += from.Rows()
	}
	copyRows(s.on, copies)
	s.averages = joined
}

// newRows returns memory for the rows of a state, on a device if that is not nil.
func newRows(on *deviceTape, rows, cols int) *tensor.Tensor {
	if on == nil {
		return tensor.New(rows, cols)
	}
	return on.keep(rows, cols)
}

// A rowCopy is n rows that are copied to a tensor from a row on, from another one of the
// same width.
type rowCopy struct {
	to   *tensor.Tensor
	row  int
	from *tensor.Tensor
	at   int
	n    int
}

// copyRows copies rows of states; none of the copies reads what another writes.
func copyRows(on *deviceTape, copies []rowCopy) {
	if on != nil {
		on.copyPieces(copies)
		return
	}
	for _, c := range copies {
		for i := range c.n {
			c.to.CopyRow(c.row+i, c.from, c.at+i)
		}
	}
}
