package blocks

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/mega-go/mega/data"
	"github.com/mega-go/mega/data/lines"
	"github.com/mega-go/mega/data/mt19937"
)

// Batching says how blocks are grouped into batches. NaturalOrder keeps the
// text's order; without it blocks of a size stand together, in a random order
// among themselves (data/monolingual_dataset.py:206).
type Batching struct {
	data.SamplerOptions
	// MaxPositions leaves out longer blocks; 0 means no limit. In training the
	// reference takes the smaller of --max-target-positions and --max-tokens.
	MaxPositions int
}

// Epochs says which blocks make up the batches of each epoch of a text, in the
// reference's very order. Its methods may be called from several goroutines.
type Epochs struct {
	text     *text
	options  Options
	batching Batching
}

// NewEpochs returns the epochs of a text. It fails if the first one cannot be
// made.
func NewEpochs(l lines.Lines, o Options, b Batching) (*Epochs, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	e := &Epochs{newText(l, o.Truncate), o, b}
	_, err := e.Epoch(1)
	return e, err
}

// Epoch returns the blocks and batches of an epoch, counted from 1. It is a pure
// function of the number.
func (e *Epochs) Epoch(n int) (*Epoch, error) {
	if n < 1 {
		return nil, fmt.Errorf("epoch %d: epochs are counted from 1", n)
	}
	blocks, err := e.text.blocks(e.options, n)
	if err != nil {
		return nil, err
	}
	epoch := &Epoch{Blocks: blocks}
	order := blocks.order(e.batching.SamplerOptions)
	if limit := e.batching.MaxPositions; limit > 0 {
		order = epoch.skip(order, limit)
	}
	if len(order) == 0 {
		return nil, fmt.Errorf("all %d blocks are longer than %d tokens, the longest that the model or a batch may take",
			blocks.Len(), e.batching.MaxPositions)
	}
	if epoch.Batches, err = data.BatchBySize(order, blocks.Size, e.batching.SamplerOptions); err != nil {
		return nil, fmt.Errorf("blocks: %w", err)
	}
	if e.batching.Shuffle {
		epoch.Batches = data.ShuffleBatches(epoch.Batches, e.batching.Seed, n)
	}
	return epoch, nil
}

// Epoch is one epoch: its blocks and their order.
type Epoch struct {
	Blocks  *Blocks
	Batches [][]int // the blocks of each batch; must not be modified
	Skipped []int   // blocks left out because of MaxPositions
}

// Len returns the number of batches.
func (e *Epoch) Len() int { return len(e.Batches) }

// Batch returns batch i. It may be called from several goroutines.
func (e *Epoch) Batch(i int) (*Batch, error) { return e.Blocks.Collate(e.Batches[i]) }

// skip removes the blocks beyond a limit from an order.
func (e *Epoch) skip(order []int, limit int) []int {
	return slices.DeleteFunc(order, func(i int) bool {
		tooLong := e.Blocks.Size(i) > limit
		if tooLong {
			e.Skipped = append(e.Skipped, i)
		}
		return tooLong
	})
}

// order returns the order in which blocks are cut into batches: by size, those
// of one size by a random permutation that only depends on the seed.
func (b *Blocks) order(o data.SamplerOptions) []int {
	order := make([]int, b.Len())
	if o.NaturalOrder {
		for i := range order {
			order[i] = i
		}
		return order
	}
	for i, place := range mt19937.New(o.Seed).Permutation(len(order)) {
		order[place] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(b.Size(i), b.Size(j)) })
	return order
}
