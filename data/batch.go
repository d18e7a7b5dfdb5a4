package data

import "fmt"

// The ids that every dictionary begins with (fairseq data/dictionary.py:34-41).
const (
	BOS     int32 = iota // <s>
	Pad                  // <pad>
	EOS                  // </s>
	Unknown              // <unk>
	NumSpecial
)

// Batch is what a classifier reads: B sequences, right-padded to one length.
// Either Tokens or Samples is set.
type Batch struct {
	Rows, Length int       // B and L
	Tokens       []int32   // [B, L] token ids, Pad after the end; nil for real-valued input
	Samples      []float32 // [B, L] pixels or audio, [B, L, C] of C channels, 0 after the end; nil for tokens
	Lengths      []int32   // [B] true lengths, the trailing </s> included
	Pair         *Batch    // the second text of a pair, or nil; it has no labels
	Labels       []int32   // [B] class indices; nil where they are not known
	IDs          []int     // [B] positions in the data set
}

// NumTokens returns the number of tokens or samples that are not padding, the
// second text of a pair not counted (the reference's ntokens).
func (b *Batch) NumTokens() int {
	n := 0
	for _, l := range b.Lengths {
		n += int(l)
	}
	return n
}

// Check reports the first token outside a vocabulary of that many ids and the
// first label outside that many classes, naming the sample; nil if all fit.
// A model looks ids up unchecked, so call Check first on data of unknown origin.
func (b *Batch) Check(vocabulary, classes int) error {
	for i, label := range b.Labels {
		if label < 0 || int(label) >= classes {
			return fmt.Errorf("sample %d: label %d is out of range: the model has %d classes", b.id(i), label, classes)
		}
	}
	for _, text := range []*Batch{b, b.Pair} {
		if text == nil {
			continue
		}
		for i, token := range text.Tokens {
			if token < 0 || int(token) >= vocabulary {
				return fmt.Errorf("sample %d: token %d is beyond the vocabulary of %d", b.id(i/text.Length), token, vocabulary)
			}
		}
	}
	return nil
}

// id returns the position of row i in its data set, or i where none was given.
func (b *Batch) id(i int) int {
	if b.IDs == nil {
		return i
	}
	return b.IDs[i]
}

// newTokenBatch returns a batch of the given lengths, all padding.
func newTokenBatch(lengths []int32) *Batch {
	b := newBatch(lengths)
	b.Tokens = make([]int32, b.Rows*b.Length)
	for i := range b.Tokens {
		b.Tokens[i] = Pad
	}
	return b
}

// newSampleBatch returns a batch of the given lengths, all zero.
func newSampleBatch(lengths []int32, channels int) *Batch {
	b := newBatch(lengths)
	b.Samples = make([]float32, b.Rows*b.Length*channels)
	return b
}

func newBatch(lengths []int32) *Batch {
	b := &Batch{Rows: len(lengths), Lengths: lengths}
	for _, l := range lengths {
		b.Length = max(b.Length, int(l))
	}
	return b
}

// tokenRow returns row i without its padding.
func (b *Batch) tokenRow(i int) []int32 {
	return b.Tokens[i*b.Length:][:b.Lengths[i]]
}

// sampleRow returns row i without its padding.
func (b *Batch) sampleRow(i int) []float32 {
	channels := len(b.Samples) / (b.Rows * b.Length)
	return b.Samples[i*b.Length*channels:][:int(b.Lengths[i])*channels]
}
