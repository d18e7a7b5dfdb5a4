package torchfile

import (
	"fmt"

	"github.com/mega-go/mega/format/dtype"
)

// A StateDict gives access to a dict of tensors, such as a model's state_dict,
// by name.
type StateDict struct {
	names   []string
	tensors map[string]*Tensor
}

// NewStateDict returns the tensors of v, which must be a *Dict with string keys
// and nothing but tensors as values.
func NewStateDict(v any) (*StateDict, error) {
	d, ok := v.(*Dict)
	if !ok {
		return nil, fmt.Errorf("%s, want a dict of tensors", TypeName(v))
	}
	s := &StateDict{tensors: make(map[string]*Tensor, d.Len())}
	for key, value := range d.All() {
		name, ok := key.(string)
		if !ok {
			return nil, fmt.Errorf("%v is not the name of a tensor", key)
		}
		t, ok := value.(*Tensor)
		if !ok {
			return nil, fmt.Errorf("%.*q is %s, want a tensor", maxGlobal, name, TypeName(value))
		}
		s.names = append(s.names, name)
		s.tensors[name] = t
	}
	return s, s.checkSharing()
}

// checkSharing refuses tensors that share their storages so often that a small
// file would stand for a large model. Tied weights are there twice or thrice.
func (s *StateDict) checkSharing() error {
	const most = 16
	elements, held := 0, 0
	seen := make(map[*Storage]bool)
	for _, t := range s.tensors {
		elements += t.Elements()
		if !seen[t.Storage] {
			seen[t.Storage] = true
			held += t.Storage.Elements
		}
	}
	if elements > most*held {
		return fmt.Errorf("the tensors have %d elements in all and their storages %d: they are shared far too often", elements, held)
	}
	return nil
}

// Names lists the tensors in the order of the dict.
func (s *StateDict) Names() []string { return append([]string(nil), s.names...) }

// Tensor returns a tensor, and false if there is none of that name.
func (s *StateDict) Tensor(name string) (*Tensor, bool) {
	t, ok := s.tensors[name]
	return t, ok
}

// Shape returns a tensor's dimensions, and false if there is none of that name.
func (s *StateDict) Shape(name string) ([]int, bool) {
	t, ok := s.tensors[name]
	if !ok {
		return nil, false
	}
	return append([]int(nil), t.Shape...), true
}

// DType returns the type of a tensor's elements, and false if there is no such
// tensor.
func (s *StateDict) DType(name string) (dtype.DType, bool) {
	t, ok := s.tensors[name]
	if !ok {
		return dtype.Invalid, false
	}
	return t.DType(), true
}

// Float32Into converts a tensor's numbers to float32 in row-major order; dst
// has as many elements as the tensor.
func (s *StateDict) Float32Into(name string, dst []float32) error {
	return s.with(name, func(t *Tensor) error { return t.Float32Into(dst) })
}

// Int64Scalar returns the value of an integer tensor of one element, whatever
// its dimensions.
func (s *StateDict) Int64Scalar(name string) (int64, error) {
	var one [1]int64
	err := s.with(name, func(t *Tensor) error { return t.Int64Into(one[:]) })
	return one[0], err
}

func (s *StateDict) with(name string, use func(*Tensor) error) error {
	t, ok := s.tensors[name]
	if !ok {
		return fmt.Errorf("no tensor %.*q", maxGlobal, name)
	}
	if err := use(t); err != nil {
		return fmt.Errorf("tensor %.*q: %w", maxGlobal, name, err)
	}
	return nil
}
