package mega

import (
	"errors"
	"slices"

	"github.com/mega-go/mega/autograd"
	"github.com/mega-go/mega/internal/cuda/device"
	"github.com/mega-go/mega/tensor"
)

// Clone returns an independent session that continues from the same place.
func (s *Session) Clone() *Session {
	rows := make([]int, s.Rows())
	for i := range rows {
		rows[i] = i
	}
	return s.pick(rows, true)
}

// CloneRow returns an independent session of one of the texts. It panics if there
// is no such row.
func (s *Session) CloneRow(row int) *Session {
	s.mustHave(row)
	return s.pick([]int{row}, true)
}

// Bytes returns how much memory the state of the texts takes: at the boundary of a
// chunk it does not depend on how much was read. Weights and scratch memory are
// left out. On a device it is the device's memory, but for the log-probabilities.
func (s *Session) Bytes() int {
	numbers := 0
	if s.logProbs != nil {
		numbers = s.logProbs.Len()
	}
	for _, b := range s.states {
		numbers += b.gated.average.Len()
		for _, c := range b.gated.keys.Texts {
			numbers += c.Room()
		}
	}
	const float32Bytes = 4
	return numbers * float32Bytes
}

// Reorder makes row i what row rows[i] was, for each i: it drops, repeats and
// exchanges texts. The number of rows becomes len(rows).
func (s *Session) Reorder(rows ...int) (err error) {
	defer device.Catch(&err)
	if err := s.checkRows(rows); err != nil {
		return err
	}
	*s = *s.pick(rows, false)
	return nil
}

// pick returns a session of the given rows. If s is not to stay usable, it takes
// over what it can.
func (s *Session) pick(rows []int, stay bool) *Session {
	p := *s
	p.reader = s.reader.pick(rows, stay)
	if s.logProbs != nil {
		p.logProbs = pickRows(s.logProbs, rows)
	}
	return &p
}

// pickRows returns the given rows of x.
func pickRows(x *tensor.Tensor, rows []int) *tensor.Tensor {
	y := tensor.New(len(rows), x.Cols())
	for i, r := range rows {
		y.CopyRow(i, x, r)
	}
	return y
}

// Join returns a session of the texts of several sessions of one model, which it
// takes over: they are not to be used any more. The texts may be at different
// positions, and can then Step but not Prefill.
func Join(sessions ...*Session) (all *Session, err error) {
	defer device.Catch(&err)
	if len(sessions) == 0 {
		return nil, errors.New("join: no sessions")
	}
	joined := sessions[0]
	for i, s := range sessions[1:] {
		if slices.Contains(sessions[:i+1], s) {
			return nil, errors.New("join: the same session twice, want a Clone of it")
		}
		if s.model != joined.model {
			return nil, errors.New("join: sessions of different models")
		}
		if (s.logProbs == nil) != (joined.logProbs == nil) {
			return nil, errors.New("join: of some of the texts nothing has been read")
		}
	}
	joined.join(sessions[1:])
	return joined, nil
}

// join adds the texts of other sessions, copying the state of each once.
func (s *Session) join(others []*Session) {
	for _, o := range others {
		s.positions = append(s.positions, o.positions...)
	}
	for i, b := range s.states {
		var averages []*autograd.EMAState
		for _, o := range others {
			averages = append(averages, o.states[i].gated.average)
			b.gated.keys.Texts = append(b.gated.keys.Texts, o.states[i].gated.keys.Texts...)
		}
		b.gated.average.Join(averages...)
	}
	if s.logProbs != nil {
		all := [][]float32{s.logProbs.Host()}
		for _, o := range others {
			all = append(all, o.logProbs.Host())
		}
		s.logProbs = tensor.FromSlice(slices.Concat(all...), s.Rows(), s.logProbs.Cols())
	}
}
