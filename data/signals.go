package data

import (
	"fmt"
	"slices"
)

// Signals is a set of labelled sequences of real numbers, all of one length,
// that lie one after the other in a block of memory, such as a tensor [N, L].
type Signals struct {
	values []float32
	length int
	labels []int32
}

// NewSignals returns the sequences of length numbers in values, one for each
// label. The set keeps both slices.
func NewSignals(values []float32, length int, labels []int32) (*Signals, error) {
	if length < 1 || len(values) != length*len(labels) {
		return nil, fmt.Errorf("%d numbers for %d labels and sequences of %d; want their product", len(values), len(labels), length)
	}
	return &Signals{values: values, length: length, labels: labels}, nil
}

// Len returns the number of sequences.
func (s *Signals) Len() int { return len(s.labels) }

// Size returns the length of every sequence.
func (s *Signals) Size(int) int { return s.length }

// Labels returns every sequence's class; it must not be modified.
func (s *Signals) Labels() []int32 { return s.labels }

// Collate implements [Dataset].
func (s *Signals) Collate(indices []int) (*Batch, error) {
	if err := CheckIndices(indices, s.Len()); err != nil {
		return nil, err
	}
	b := newSampleBatch(slices.Repeat([]int32{int32(s.length)}, len(indices)), 1)
	b.Labels = make([]int32, len(indices))
	for row, i := range indices {
		copy(b.sampleRow(row), s.values[i*s.length:])
		b.Labels[row] = s.labels[i]
	}
	b.IDs = slices.Clone(indices)
	return b, nil
}
