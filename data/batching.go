package data

import (
	"errors"
	"fmt"
	"slices"

	"github.com/mega-go/mega/data/mt19937"
)

// BatchBySize cuts an order of samples into batches by the limits of o, as a
// [Sampler] does for its own order; size returns a sample's number of tokens.
// It fails on an empty order, without a limit, and on a sample that alone
// exceeds MaxTokens.
func BatchBySize(order []int, size func(i int) int, o SamplerOptions) ([][]int, error) {
	if len(order) == 0 {
		return nil, errors.New("there is no sample to batch")
	}
	if o.BatchSize < 0 || o.MaxTokens < 0 || o.Multiple < 0 || o.BatchSize == 0 && o.MaxTokens == 0 {
		return nil, fmt.Errorf("batch size %d, max tokens %d, batch size multiple %d: none may be negative, and one of the first two must be given",
			o.BatchSize, o.MaxTokens, o.Multiple)
	}
	return batchBySize(order, size, o)
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
