package mega

import (
	"errors"
	"slices"

	"github.com/mega-go/mega/autograd"
	"github.com/mega-go/mega/tensor"
)

var errNoRows = errors.New("reorder to no rows: a session has one at least")

// Clone returns a session that goes on from the same place by itself.
func (s *Session) Clone() *Session {
	rows := make([]int, s.Rows())
	for i := range rows {
		rows[i] = i
	}
	return s.pick(rows, true)
}

// Reorder makes row i what row rows[i] was, for each i: it drops, repeats and
// exchanges texts. The number of rows becomes len(rows).
func (s *Session) Reorder(rows ...int) error {
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

func (l *layerState) pick(rows []int, stay bool) {
	if stay {
		l.spare = nil
	}
	into := l.spare
	if into == nil || into.Rows() != len(rows) {
		into = tensor.New(len(rows), l.averages.Cols())
	}
	for i, r := range rows {
		copy(into.Row(i), l.averages.Row(r))
	}
	if !stay {
		l.spare = l.averages
	}
	l.averages, l.caches = into, l.pickCaches(rows, stay)
}

// pickCaches returns the caches of the given rows. If the layer's own are not to
// stay usable it takes them over, and those of rows that are dropped hold what
// others hold twice.
func (l *layerState) pickCaches(rows []int, stay bool) []*autograd.KeyValueCache {
	caches := make([]*autograd.KeyValueCache, len(rows))
	taken := make([]bool, len(l.caches))
	for i, r := range rows {
		if !stay && !taken[r] {
			caches[i], taken[r] = l.caches[r], true
		}
	}
	free := 0
	for i, r := range rows {
		for free < len(taken) && taken[free] {
			free++
		}
		switch {
		case caches[i] != nil:
		case stay || free == len(taken):
			caches[i] = l.caches[r].Clone()
		default:
			caches[i] = l.caches[free]
			caches[i].Copy(l.caches[r])
			free++
		}
	}
	return caches
}

// pickRows returns the given rows of x.
func pickRows(x *tensor.Tensor, rows []int) *tensor.Tensor {
	y := tensor.New(len(rows), x.Cols())
	for i, r := range rows {
		copy(y.Row(i), x.Row(r))
	}
	return y
}

// Join returns a session of the texts of several sessions of one model, which it
// takes over: they are not to be used any more. The texts may be at different
// positions, and can then Step but not Prefill.
func Join(sessions ...*Session) (*Session, error) {
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
	for _, s := range sessions[1:] {
		joined.join(s)
	}
	return joined, nil
}

func (s *Session) join(o *Session) {
	s.positions = append(s.positions, o.positions...)
	s.reached = min(s.reached, o.reached)
	for i := range s.layers {
		l := &s.layers[i]
		l.caches = append(l.caches, o.layers[i].caches...)
		l.averages = stackRows(l.averages, o.layers[i].averages)
	}
	if s.logProbs != nil {
		s.logProbs = stackRows(s.logProbs, o.logProbs)
	}
}

// stackRows returns the rows of a followed by those of b.
func stackRows(a, b *tensor.Tensor) *tensor.Tensor {
	return tensor.FromSlice(slices.Concat(a.Data(), b.Data()), a.Rows()+b.Rows(), a.Cols())
}
