package blocks

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/mega-go/mega/data/lines"
)

// ValidBlock says how a text is cut into documents for evaluation (--valid-block):
// into Splits documents, or into documents of Size tokens. The other is 0.
type ValidBlock struct{ Splits, Size int }

// DefaultValidBlock is the reference's. It makes one document of all texts but
// enormous ones.
var DefaultValidBlock = ValidBlock{Size: 100_000_000}

// ParseValidBlock reads "splits:N" or "size:N".
func ParseValidBlock(s string) (ValidBlock, error) {
	kind, number, _ := strings.Cut(s, ":")
	n, err := strconv.Atoi(number)
	if err == nil && n > 0 {
		switch kind {
		case "splits":
			return ValidBlock{Splits: n}, nil
		case "size":
			return ValidBlock{Size: n}, nil
		}
	}
	return ValidBlock{}, fmt.Errorf("valid block %q, want splits:N for N documents or size:N for documents of N tokens", s)
}

// String returns what ParseValidBlock reads.
func (v ValidBlock) String() string {
	if v.Splits > 0 {
		return fmt.Sprintf("splits:%d", v.Splits)
	}
	return fmt.Sprintf("size:%d", v.Size)
}

// size returns the most tokens of a document, given those of the text
// (tasks/language_modeling.py:207).
func (v ValidBlock) size(total int) int {
	if v.Splits > 0 {
		return max((total+v.Splits-1)/v.Splits, 1)
	}
	return v.Size
}

// When there is no other limit, a batch in the reference has room for this many
// documents of the greatest size (tasks/language_modeling.py:215, :241).
const (
	splitsABatch = 10
	sizesABatch  = 5
)

// Documents returns the documents of a text and their batches, as the reference
// evaluates and validates on them. Options' Size and multiples are v's; without
// a limit in b a batch has room for ten documents, or for five where v gives a
// size. Read each batch by [Batch.Windows].
func Documents(l lines.Lines, v ValidBlock, o Options, b Batching) (*Epoch, error) {
	if v.Splits <= 0 && v.Size <= 0 {
		return nil, fmt.Errorf("valid block of %d splits and size %d: one must be given", v.Splits, v.Size)
	}
	t := newText(l, o.Truncate)
	o.Size, o.MinMultiple, o.MaxMultiple = v.size(t.total()), 1, 1
	if err := o.validate(); err != nil {
		return nil, err
	}
	if b.BatchSize == 0 && b.MaxTokens == 0 {
		blocks, err := t.blocks(o, 1)
		if err != nil {
			return nil, err
		}
		b.MaxTokens = v.room(blocks)
	}
	return (&Epochs{t, o, b}).Epoch(1)
}

// room returns the most tokens of a batch.
func (v ValidBlock) room(b *Blocks) int {
	longest := 0
	for i := range b.Len() {
		longest = max(longest, b.Size(i))
	}
	if v.Splits > 0 {
		return max(splitsABatch*b.options.Size, longest)
	}
	return sizesABatch * longest
}
