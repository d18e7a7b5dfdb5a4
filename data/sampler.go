package data

import (
	"errors"

	"github.com/mega-go/mega/data/mt19937"
)

// SamplerOptions says how samples are grouped into batches. The names are
// those of the reference's arguments.
type SamplerOptions struct {
	// BatchSize is the most samples a batch has (--batch-size), MaxTokens the
	// most tokens, padding included (--max-tokens). 0 means no limit; one of
	// the two must be given.
	BatchSize, MaxTokens int
	// Multiple is what the number of samples in a full batch is a multiple of, unless
	// it is smaller (--required-batch-size-multiple; 0 means 1).
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
	if ds.Len() == 0 {
		return nil, errors.New("the data set is empty")
	}
	frozen, err := BatchBySize(sampleOrder(ds.Len(), o), ds.Size, o)
	if err != nil {
		return nil, err
	}
	return &Sampler{frozen: frozen, seed: o.Seed, shuffle: o.Shuffle}, nil
}

// Batches returns the batches of an epoch, counted from 1, as indices of samples:
// a pure function of its number. Its error is always nil.
func (s *Sampler) Batches(epoch int) ([][]int, error) {
	if !s.shuffle {
		return s.frozen, nil
	}
	return ShuffleBatches(s.frozen, s.seed, epoch), nil
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
