package data

import (
	"errors"
	"fmt"
	"slices"

	"github.com/mega-go/mega/data/mt19937"
)

// Epochs says which samples make up the batches of an epoch. Batches is a pure
// function of the epoch's number, counted from 1, so a run that stopped before
// batch k of an epoch goes on with Batches(epoch)[k:]. The result must not be
// modified.
type Epochs interface {
	Batches(epoch int) ([][]int, error)
}

// SamplerOptions says how samples are grouped into batches. The names are
// those of the reference's arguments.
type SamplerOptions struct {
	// BatchSize is the most samples a batch has (--batch-size), MaxTokens the
	// most tokens, padding included (--max-tokens). 0 means no limit; one of
	// the two must be given.
	BatchSize, MaxTokens int
	// Multiple makes a batch that is full a multiple of so many samples if it
	// has as many (--required-batch-size-multiple; 0 means 1).
	Multiple int
	// Seed orders the samples and shuffles the batches.
	Seed uint32
	// NaturalOrder keeps the samples in the data set's order before they are
	// cut into batches (--no-shuffle; always so for speech commands). Without
	// it they stand in one random order, the same in every epoch.
	NaturalOrder bool
	// Shuffle shuffles the batches of each epoch with Seed + epoch. It is on
	// for training and off for evaluation.
	Shuffle bool
}

// Sampler cuts a data set into batches once and shuffles whole batches from
// epoch to epoch, in the reference's very order (tasks/long_range_arena.py:132,
// data/data_utils_fast.pyx:27, data/iterators.py:344).
type Sampler struct {
	frozen  [][]int
	seed    uint32
	shuffle bool
}

// NewSampler returns the batches of a data set. It fails if the data set is
// empty or a sample alone exceeds MaxTokens.
func NewSampler(ds Dataset, o SamplerOptions) (*Sampler, error) {
	switch {
	case ds.Len() == 0:
		return nil, errors.New("the data set is empty")
	case o.BatchSize < 0 || o.MaxTokens < 0 || o.Multiple < 0:
		return nil, fmt.Errorf("batch size %d, max tokens %d, batch size multiple %d: none may be negative", o.BatchSize, o.MaxTokens, o.Multiple)
	case o.BatchSize == 0 && o.MaxTokens == 0:
		return nil, errors.New("neither a batch size nor a maximum of tokens is given")
	}
	frozen, err := batchBySize(sampleOrder(ds.Len(), o), ds.Size, o)
	if err != nil {
		return nil, err
	}
	return &Sampler{frozen: frozen, seed: o.Seed, shuffle: o.Shuffle}, nil
}

// NumBatches returns the number of batches in every epoch.
func (s *Sampler) NumBatches() int { return len(s.frozen) }

// Batches implements [Epochs]; its error is always nil.
func (s *Sampler) Batches(epoch int) ([][]int, error) {
	if !s.shuffle {
		return s.frozen, nil
	}
	batches := slices.Clone(s.frozen)
	r := mt19937.New(s.seed + uint32(epoch))
	r.Shuffle(len(batches), func(i, j int) { batches[i], batches[j] = batches[j], batches[i] })
	return batches, nil
}

// sampleOrder returns the order in which samples are cut into batches. The
// reference sorts by a random permutation, which gives its inverse
// (data/sort_dataset.py:21).
func sampleOrder(n int, o SamplerOptions) []int {
	order := make([]int, n)
	if o.NaturalOrder {
		for i := range order {
			order[i] = i
		}
		return order
	}
	for i, p := range mt19937.New(o.Seed).Permutation(n) {
		order[p] = i
	}
	return order
}

// batchBySize cuts an order into batches (data/data_utils_fast.pyx:27-66). The
// batch that a sample no longer fits is cut down to a multiple of o.Multiple
// and the rest begins the next one, which as in the reference is not held
// against MaxTokens again until one more sample comes.
func batchBySize(order []int, size func(i int) int, o SamplerOptions) ([][]int, error) {
	multiple := max(o.Multiple, 1)
	var batches [][]int
	var batch, sizes []int // sizes is one ahead of batch
	longest := 0
	for _, i := range order {
		n := size(i)
		if o.MaxTokens > 0 && n > o.MaxTokens {
			return nil, fmt.Errorf("sample %d has %d tokens, more than the maximum of %d tokens a batch", i, n, o.MaxTokens)
		}
		sizes = append(sizes, n)
		longest = max(longest, n)
		if isFull(len(batch), (len(batch)+1)*longest, o) {
			cut := max(len(batch)/multiple*multiple, len(batch)%multiple)
			batches = append(batches, batch[:cut:cut])
			batch, sizes = slices.Clone(batch[cut:]), sizes[cut:]
			longest = slices.Max(sizes)
		}
		batch = append(batch, i)
	}
	return append(batches, batch), nil
}

// isFull tells whether a batch of n samples cannot take one more, with which
// it would have so many tokens.
func isFull(n, tokens int, o SamplerOptions) bool {
	return n > 0 && (o.BatchSize > 0 && n == o.BatchSize || o.MaxTokens > 0 && tokens > o.MaxTokens)
}
