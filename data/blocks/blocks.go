package blocks

import (
	"errors"
	"fmt"
	"math"

	"github.com/mega-go/mega/data"
	"github.com/mega-go/mega/data/lines"
	"github.com/mega-go/mega/data/mt19937"
)

// Options says how a text is cut into blocks. The names are those of the
// reference's arguments.
type Options struct {
	// Vocabulary is the number of ids of the dictionary. A token beyond is an
	// error.
	Vocabulary int
	// OutputVocabulary, where it is not 0, makes targets beyond it <unk>
	// (--output-dictionary-size).
	OutputVocabulary int
	// Break says where the text may be cut (--sample-break-mode).
	Break Break
	// Size is the unit of a block's size in tokens. The reference takes the
	// chunk size of the model for it in training (--decoder-chunk-size), and
	// --tokens-per-sample for models without chunks.
	Size int
	// MinMultiple and MaxMultiple bound the length of a block in units. The number is
	// drawn anew for each block and epoch (--variant-block-multiple-min, -max; 0 stands
	// for 1).
	MinMultiple, MaxMultiple int
	// Seed draws the sizes (--seed).
	Seed uint32
	// Truncate is the number of tokens to which lines are cut; 0 cuts none
	// (--shorten-method truncate).
	Truncate int
	// AddBOS puts <s> before every block, as input and as target
	// (--add-bos-token). Sizes do not count it.
	AddBOS bool
	// Context is the most tokens before a block that it begins with. They are read and
	// not predicted (--context-window).
	Context int
}

// maxSize is the greatest block size, far from where sums would overflow.
const maxSize = math.MaxInt >> 4

// validate reports what is missing or cannot be, and fills in defaults.
func (o *Options) validate() error {
	if o.MinMultiple == 0 {
		o.MinMultiple = 1
	}
	if o.MaxMultiple == 0 {
		o.MaxMultiple = max(o.MinMultiple, 1)
	}
	switch {
	case o.Vocabulary <= 0:
		return fmt.Errorf("blocks: vocabulary of %d, want the size of the dictionary", o.Vocabulary)
	case o.Break < None || o.Break > Stream:
		return fmt.Errorf("blocks: unknown break mode %d", o.Break)
	case o.Size <= 0 && o.Break != EOS:
		return fmt.Errorf("block size of %d tokens, want 1 at least", o.Size)
	case o.MinMultiple < 1 || o.MaxMultiple < o.MinMultiple:
		return fmt.Errorf("blocks of %d to %d times the block size: want 1 at least, and the smaller number first", o.MinMultiple, o.MaxMultiple)
	case o.Size > maxSize/o.MaxMultiple:
		return fmt.Errorf("blocks of %d times %d tokens, want at most %d", o.MaxMultiple, o.Size, maxSize)
	case o.Truncate < 0 || o.Context < 0 || o.OutputVocabulary < 0:
		return fmt.Errorf("truncation to %d tokens, context of %d, output dictionary of %d: none may be negative", o.Truncate, o.Context, o.OutputVocabulary)
	}
	return nil
}

// epochKey is the first word of the seeds of epochs after the first
// (data/token_block_dataset.py:138).
const epochKey = 42

// sizes returns a function that draws the limits of the sizes of an epoch's
// blocks, one by one.
//
// The reference draws those of the first epoch from numpy's global generator,
// right after train.py has seeded it: no other draw comes before in a run of a
// Mega model, so they are those of RandomState(seed). Later epochs use
// RandomState([42, seed, epoch]); there the reference draws half as many sizes
// as there are lines and fails with an IndexError on a text that needs more,
// where this goes on drawing.
func (o Options) sizes(epoch int) func() int {
	if o.MaxMultiple == 1 {
		return func() int { return o.Size }
	}
	r := mt19937.New(o.Seed)
	if epoch > 1 {
		r = mt19937.NewArray([]uint32{epochKey, o.Seed, uint32(epoch)})
	}
	return func() int { return (o.MinMultiple + r.Intn(o.MaxMultiple-o.MinMultiple+1)) * o.Size }
}

// Blocks are the blocks of one epoch.
type Blocks struct {
	text    *text
	spans   []span
	options Options
}

// Cut cuts a text into the blocks of an epoch, counted from 1.
func Cut(l lines.Lines, o Options, epoch int) (*Blocks, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	return newText(l, o.Truncate).blocks(o, epoch)
}

// errEmpty says that a text yields no block.
var errEmpty = errors.New("the text is empty: there is nothing to make blocks of")

func (t *text) blocks(o Options, epoch int) (*Blocks, error) {
	spans := t.cut(o.Break, o.Size, o.sizes(epoch))
	if len(spans) == 0 {
		return nil, errEmpty
	}
	return &Blocks{text: t, spans: spans, options: o}, nil
}

// Len returns the number of blocks.
func (b *Blocks) Len() int { return len(b.spans) }

// Size returns the number of tokens that block i predicts, <s> not counted.
func (b *Blocks) Size(i int) int { return b.spans[i].len() }

// Span returns where block i lies in the text: the tokens [from, to), counted
// through all lines.
func (b *Blocks) Span(i int) (from, to int) { return b.spans[i].from, b.spans[i].to }

// Total returns the number of tokens of the text.
func (b *Blocks) Total() int { return b.text.total() }

// Collate returns the given blocks as one batch, in the given order. It may be
// called from several goroutines.
func (b *Blocks) Collate(indices []int) (*Batch, error) {
	if err := data.CheckIndices(indices, b.Len()); err != nil {
		return nil, err
	}
	lengths := make([]int32, len(indices))
	for row, i := range indices {
		lengths[row] = int32(b.width(i))
	}
	batch := newBatch(lengths, indices)
	for row, i := range indices {
		tokens, targets := batch.row(row)
		if err := b.fill(tokens, targets, b.spans[i]); err != nil {
			return nil, err
		}
	}
	return batch, nil
}

// width returns the number of columns of block i.
func (b *Blocks) width(i int) int {
	n := b.spans[i].len() + b.context(b.spans[i])
	if b.options.AddBOS {
		n++
	}
	return n
}

// context returns how many tokens before a block are read with it.
func (b *Blocks) context(s span) int { return min(b.options.Context, s.from) }

// fill writes one block to a row of its width. Targets of the context stay Pad.
func (b *Blocks) fill(tokens, targets []int32, s span) error {
	if b.options.AddBOS {
		tokens[0], targets[0] = data.BOS, data.BOS
		tokens, targets = tokens[1:], targets[1:]
	}
	context := b.context(s)
	if err := b.text.readShifted(tokens, s.from-context, b.options.Vocabulary); err != nil {
		return err
	}
	targets = targets[context:]
	if err := b.text.read(targets, s.from, b.options.Vocabulary); err != nil {
		return err
	}
	if limit := int32(b.options.OutputVocabulary); limit > 0 {
		for i, token := range targets {
			if token >= limit {
				targets[i] = data.Unknown
			}
		}
	}
	return nil
}
