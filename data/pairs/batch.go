package pairs

import (
	"slices"

	"github.com/mega-go/mega/data"
)

// Batch is what a translator reads and is to predict: B pairs in the order of
// falling source length. Padding is data.Pad.
type Batch struct {
	Rows, SourceLength, TargetLength int // B, S and T

	Source        []int32 // [B, S] source tokens
	SourceLengths []int32 // [B] tokens of each source
	PrevOutput    []int32 // [B, T] targets one step later, </s> first: what the decoder reads; nil without targets
	Targets       []int32 // [B, T] what is to be predicted; nil without targets
	TargetLengths []int32 // [B] tokens of each target; nil without targets
	IDs           []int   // [B] positions in the data set

	LeftPadSource, LeftPadTarget bool // on which side padding stands
}

// Padding says on which side short rows are padded. The zero value pads all on
// the right; the reference pads sources on the left (--left-pad-source,
// --left-pad-target).
type Padding struct{ LeftSource, LeftTarget bool }

// ReferencePadding is the reference's default.
var ReferencePadding = Padding{LeftSource: true}

// NumTokens returns the number of target tokens that are not padding, source
// tokens where there are no targets (the reference's ntokens).
func (b *Batch) NumTokens() int {
	lengths := b.TargetLengths
	if lengths == nil {
		lengths = b.SourceLengths
	}
	n := 0
	for _, l := range lengths {
		n += int(l)
	}
	return n
}

// SourceRow returns source i without its padding.
func (b *Batch) SourceRow(i int) []int32 {
	return row(b.Source, i, b.SourceLength, int(b.SourceLengths[i]), b.LeftPadSource)
}

// TargetRow returns target i without its padding, nil where there is none.
func (b *Batch) TargetRow(i int) []int32 {
	if b.Targets == nil {
		return nil
	}
	return row(b.Targets, i, b.TargetLength, int(b.TargetLengths[i]), b.LeftPadTarget)
}

// row returns the n tokens of a row among rows of a width.
func row(tokens []int32, i, width, n int, left bool) []int32 {
	from := i * width
	if left {
		from += width - n
	}
	return tokens[from : from+n : from+n]
}

// Collate returns the given pairs as one batch. It may be called from several
// goroutines.
func (d *Dataset) Collate(indices []int, p Padding) (*Batch, error) {
	if err := data.CheckIndices(indices, d.Len()); err != nil {
		return nil, err
	}
	b := &Batch{Rows: len(indices), IDs: slices.Clone(indices), LeftPadSource: p.LeftSource, LeftPadTarget: p.LeftTarget}
	byLengthDescending(b.IDs, func(i int) int32 { return int32(d.SourceSize(i)) })
	if err := d.collateSources(b); err != nil {
		return nil, err
	}
	if d.target == nil {
		return b, nil
	}
	return b, d.collateTargets(b)
}

func (d *Dataset) collateSources(b *Batch) error {
	b.SourceLengths, b.SourceLength = sizes(b.IDs, d.SourceSize)
	b.Source = padded(b.Rows, b.SourceLength)
	for i, id := range b.IDs {
		if err := d.readSource(b.SourceRow(i), id); err != nil {
			return err
		}
	}
	return nil
}

func (d *Dataset) collateTargets(b *Batch) error {
	b.TargetLengths, b.TargetLength = sizes(b.IDs, d.TargetSize)
	b.Targets = padded(b.Rows, b.TargetLength)
	b.PrevOutput = padded(b.Rows, b.TargetLength)
	for i, id := range b.IDs {
		target := b.TargetRow(i)
		if err := d.readTarget(target, id); err != nil {
			return err
		}
		prev := row(b.PrevOutput, i, b.TargetLength, len(target), b.LeftPadTarget)
		prev[0] = data.EOS
		copy(prev[1:], target)
	}
	return nil
}

// sizes returns the sizes of sentences and the greatest of them.
func sizes(ids []int, size func(i int) int) (lengths []int32, longest int) {
	lengths = make([]int32, len(ids))
	for row, i := range ids {
		lengths[row] = int32(size(i))
		longest = max(longest, size(i))
	}
	return lengths, longest
}

func padded(rows, length int) []int32 {
	tokens := make([]int32, rows*length)
	for i := range tokens {
		tokens[i] = data.Pad
	}
	return tokens
}
