package nn

import "github.com/mega-go/mega/autograd"

// A Section is the parameters of one part of a model, which no other part uses. A
// backward pass is done with them as soon as it has come to where the part's forward
// pass began, so that their gradients can be sent while it goes on.
type Section struct {
	From, To int // in the order of Params.All

	params *Params
	passes int // forward passes that no backward pass has come back from
}

// Section registers the parameters of a part of a model by calling register.
func (p Path) Section(register func()) *Section {
	s := &Section{From: len(p.params.list), params: p.params}
	register()
	s.To = len(p.params.list)
	p.params.sections = append(p.params.sections, s)
	return s
}

// Sections returns the sections in the order in which they were registered.
func (p *Params) Sections() []*Section { return p.sections }

// OnFinal makes the next backward pass call f for each section whose gradients are
// final, nil for none. Forward passes without a backward pass are forgotten.
func (p *Params) OnFinal(f func(s *Section)) {
	p.final = f
	for _, s := range p.sections {
		s.passes = 0
	}
}

// Enter is called where a forward pass of the part begins. A model may pass through a
// part more than once.
func (s *Section) Enter(t *autograd.Tape) {
	if s == nil || s.params.final == nil || !t.Recording() {
		return
	}
	s.passes++
	t.OnBackward(func() {
		if s.passes--; s.passes == 0 {
			s.params.final(s)
		}
	})
}
