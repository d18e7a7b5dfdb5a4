package data

import (
	"errors"
	"fmt"
	"slices"

	"github.com/mega-go/mega/data/mt19937"
)

// BatchBySize cuts an order of samples into batches by the limits of o, as a
// [Sampler] does for its own order; size returns a sample's number of tokens
// (data/data_utils_fast.pyx:27-66). The batch that a sample no longer fits is
// cut down to a multiple of o.Multiple and the rest begins the next one. As in the
// reference, the rest is compared with MaxTokens only when one more sample comes. It
// fails on an empty order, without a limit, and on a sample that alone exceeds
// MaxTokens.
func BatchBySize(order []int, size func(i int) int, o SamplerOptions) ([][]int, error) {
	if err := o.check(len(order)); err != nil {
		return nil, err
	}
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

// check reports limits that cannot be kept on an order of n samples.
func (o SamplerOptions) check(n int) error {
	switch {
	case n == 0:
		return errors.New("there is no sample to batch")
	case o.BatchSize < 0 || o.MaxTokens < 0 || o.Multiple < 0:
		return fmt.Errorf("batch size %d, max tokens %d, batch size multiple %d: none may be negative", o.BatchSize, o.MaxTokens, o.Multiple)
	case o.BatchSize == 0 && o.MaxTokens == 0:
		return errors.New("neither a batch size nor a maximum of tokens is given")
	}
	return nil
}

// isFull reports whether a batch of n samples cannot take one more, with which it
// would have tokens.
func isFull(n, tokens int, o SamplerOptions) bool {
	return n > 0 && (o.BatchSize > 0 && n == o.BatchSize || o.MaxTokens > 0 && tokens > o.MaxTokens)
}

// ShuffleBatches returns the batches in the order of an epoch, counted from 1,
// as the reference shuffles them (data/iterators.py:344). The batches given
// stay as they are.
func ShuffleBatches(batches [][]int, seed uint32, epoch int) [][]int {
	batches = slices.Clone(batches)
	r := mt19937.New(seed + uint32(epoch))
	r.Shuffle(len(batches), func(i, j int) { batches[i], batches[j] = batches[j], batches[i] })
	return batches
}
