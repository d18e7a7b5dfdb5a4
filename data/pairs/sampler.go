package pairs

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/mega-go/mega/data"
	"github.com/mega-go/mega/data/mt19937"
)

// SamplerOptions says how pairs are grouped into batches. MaxTokens holds for
// sources and for targets, each with its padding. NaturalOrder keeps pairs of
// the same lengths in the data set's order, as the reference does for the split
// "test"; without it they stand in a random order that depends on the seed
// alone.
type SamplerOptions struct {
	data.SamplerOptions
	// MaxSource and MaxTarget are the longest sentences that may be used, in
	// tokens; 0 means no limit. In training the reference takes the smaller of
	// --max-source-positions (--max-target-positions) and --max-tokens.
	MaxSource, MaxTarget int
	// SkipTooLong leaves longer pairs out, as the reference always does in
	// training, and otherwise with --skip-invalid-size-inputs-valid-test.
	// Without it they are an error.
	SkipTooLong bool
	// SourceChunk and TargetChunk are the chunk sizes of encoder and decoder,
	// which longer sentences are padded to; not positive: none.
	SourceChunk, TargetChunk int
}

// Sampler cuts pairs into batches of about the same lengths once, and shuffles
// whole batches from epoch to epoch (data/language_pair_dataset.py:374,
// data/data_utils_fast.pyx:27, data/iterators.py:344).
type Sampler struct {
	frozen  [][]int
	skipped []int
	seed    uint32
	shuffle bool
}

// NewSampler returns the batches of a data set.
func NewSampler(d *Dataset, o SamplerOptions) (*Sampler, error) {
	s := &Sampler{seed: o.Seed, shuffle: o.Shuffle}
	order, err := s.filter(d, d.order(o.SamplerOptions), o)
	if err != nil {
		return nil, err
	}
	size := func(i int) int {
		return max(toChunks(d.SourceSize(i), o.SourceChunk), toChunks(d.TargetSize(i), o.TargetChunk))
	}
	s.frozen, err = data.BatchBySize(order, size, o.SamplerOptions)
	return s, err
}

// toChunks rounds a size that is more than a chunk up to whole chunks.
func toChunks(size, chunk int) int {
	if chunk <= 0 || size <= chunk {
		return size
	}
	return (size + chunk - 1) / chunk * chunk
}

// order returns the pairs by source length, those of the same by target length,
// and those of the same again in random or natural order.
func (d *Dataset) order(o data.SamplerOptions) []int {
	var order []int
	if o.NaturalOrder {
		order = make([]int, d.Len())
		for i := range order {
			order[i] = i
		}
	} else {
		order = mt19937.New(o.Seed).Permutation(d.Len())
	}
	slices.SortStableFunc(order, func(i, j int) int {
		return cmp.Or(cmp.Compare(d.SourceSize(i), d.SourceSize(j)), cmp.Compare(d.TargetSize(i), d.TargetSize(j)))
	})
	return order
}

// filter takes pairs that are too long out of an order.
func (s *Sampler) filter(d *Dataset, order []int, o SamplerOptions) ([]int, error) {
	tooLong := func(i int) bool {
		return o.MaxSource > 0 && d.SourceSize(i) > o.MaxSource || o.MaxTarget > 0 && d.TargetSize(i) > o.MaxTarget
	}
	for _, i := range order {
		if tooLong(i) {
			s.skipped = append(s.skipped, i)
		}
	}
	if len(s.skipped) > 0 && !o.SkipTooLong {
		return nil, d.tooLongError(slices.Min(s.skipped), len(s.skipped), o)
	}
	if len(s.skipped) == len(order) {
		return nil, fmt.Errorf("all %d pairs are longer than the %d and %d tokens that source and target may have",
			len(order), o.MaxSource, o.MaxTarget)
	}
	return slices.DeleteFunc(order, tooLong), nil
}

// tooLongError reports the first of n pairs that are too long.
func (d *Dataset) tooLongError(i, n int, o SamplerOptions) error {
	side, text, size, limit := "source", d.source, d.SourceSize(i), o.MaxSource
	if limit <= 0 || size <= limit {
		side, text, size, limit = "target", d.target, d.TargetSize(i), o.MaxTarget
	}
	err := fmt.Errorf("%s: the %s has %d tokens, more than the %d that the model may take; shorten it or skip what is too long (skip_invalid_size_inputs_valid_test)",
		text.Name(i), side, size, limit)
	if n > 1 {
		err = fmt.Errorf("%w; %d more pairs are too long", err, n-1)
	}
	return err
}

// Batches returns the batches of an epoch, counted from 1. It is a pure function
// of the number; its error is always nil.
func (s *Sampler) Batches(epoch int) ([][]int, error) {
	if !s.shuffle {
		return s.frozen, nil
	}
	return data.ShuffleBatches(s.frozen, s.seed, epoch), nil
}

// Skipped returns the pairs that were left out as too long, in no order.
func (s *Sampler) Skipped() []int { return s.skipped }
