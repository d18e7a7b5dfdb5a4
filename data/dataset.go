package data

import (
	"errors"
	"fmt"
	"slices"
)

// Dataset is a set of samples that can be collated in any order. Implement it
// to train on data of your own, or put them in [Samples].
type Dataset interface {
	// Len returns the number of samples.
	Len() int
	// Size returns the number of tokens of sample i as the model will see it
	// (pixels of an image, samples of a recording; of a pair, the first text).
	Size(i int) int
	// Collate returns the given samples as one batch, in the given order. It
	// may be called from another goroutine than the other methods.
	Collate(indices []int) (*Batch, error)
}

// Sample is one labelled sequence held in memory.
type Sample struct {
	Tokens   []int32   // token ids, ending in EOS by the reference's custom; nil for real-valued input
	Pair     []int32   // the second text of a pair, or nil
	Values   []float32 // pixels or audio, the channels of a step side by side; nil for tokens
	Channels int       // of Values; 0 means 1
	Label    int32     // class index
}

// Samples is a data set in memory.
type Samples []Sample

// Len returns the number of samples.
func (s Samples) Len() int { return len(s) }

// Size returns the number of tokens or steps of sample i.
func (s Samples) Size(i int) int { return max(len(s[i].Tokens), len(s[i].Values)/s[i].channels()) }

func (s *Sample) channels() int { return max(1, s.Channels) }

// Labels returns every sample's class.
func (s Samples) Labels() []int32 {
	labels := make([]int32, len(s))
	for i := range s {
		labels[i] = s[i].Label
	}
	return labels
}

// Collate implements [Dataset]. All samples of a batch must be of one kind:
// tokens, pairs of tokens, or values; none may be empty.
func (s Samples) Collate(indices []int) (*Batch, error) {
	if err := CheckIndices(indices, len(s)); err != nil {
		return nil, err
	}
	for _, i := range indices {
		if err := s[i].sameKind(&s[indices[0]]); err != nil {
			return nil, fmt.Errorf("sample %d: %w", i, err)
		}
	}
	b := s.collateFirst(indices)
	if s[indices[0]].Pair != nil {
		b.Pair = s.collatePair(indices)
	}
	b.IDs = slices.Clone(indices)
	b.Labels = make([]int32, len(indices))
	for row, i := range indices {
		b.Labels[row] = s[i].Label
	}
	return b, nil
}

// sameKind reports an empty sample and one that cannot share a batch with first.
func (s *Sample) sameKind(first *Sample) error {
	switch {
	case len(s.Tokens) == 0 && len(s.Values) == 0:
		return errors.New("empty: it has neither tokens nor values")
	case len(s.Tokens) > 0 && len(s.Values) > 0:
		return errors.New("has both tokens and values; want one of them")
	case s.channels() != first.channels() || len(s.Values)%s.channels() != 0:
		return fmt.Errorf("%d values of %d channels beside %d channels", len(s.Values), s.channels(), first.channels())
	case s.Pair != nil && (len(s.Pair) == 0 || len(s.Tokens) == 0):
		return errors.New("a pair needs two texts that are not empty")
	case (s.Tokens == nil) != (first.Tokens == nil) || (s.Pair == nil) != (first.Pair == nil):
		return errors.New("tokens, pairs and values cannot share a batch")
	}
	return nil
}

func (s Samples) collateFirst(indices []int) *Batch {
	lengths := make([]int32, len(indices))
	for row, i := range indices {
		lengths[row] = int32(s.Size(i))
	}
	if s[indices[0]].Tokens == nil {
		b := newSampleBatch(lengths, s[indices[0]].channels())
		for row, i := range indices {
			copy(b.sampleRow(row), s[i].Values)
		}
		return b
	}
	b := newTokenBatch(lengths)
	for row, i := range indices {
		copy(b.tokenRow(row), s[i].Tokens)
	}
	return b
}

func (s Samples) collatePair(indices []int) *Batch {
	lengths := make([]int32, len(indices))
	for row, i := range indices {
		lengths[row] = int32(len(s[i].Pair))
	}
	b := newTokenBatch(lengths)
	for row, i := range indices {
		copy(b.tokenRow(row), s[i].Pair)
	}
	return b
}

// CheckIndices reports an empty batch and an index outside a data set of n
// samples. Collate methods begin with it.
func CheckIndices(indices []int, n int) error {
	if len(indices) == 0 {
		return errors.New("a batch needs at least one sample")
	}
	for _, i := range indices {
		if i < 0 || i >= n {
			return fmt.Errorf("sample %d is out of range: the data set has %d", i, n)
		}
	}
	return nil
}
