package mega

import (
	"fmt"
	"slices"
)

// Pad is the id of <pad> in every dictionary of the reference.
const Pad = 1

// Input is a batch of sequences for a Classifier.
type Input struct {
	Rows, Length int       // B and L, the length of the longest
	Tokens       []int32   // [B·L] ids, padded at the end with 1 (<pad>); nil for real numbers
	Samples      []float32 // [B·L] pixels or audio samples, [B·L·C] of C channels; nil for ids
	Lengths      []int32   // [B] true lengths; nil if all rows are full
	Pair         *Input    // the second text of each pair, or nil
}

// check reports what is wrong with an input for configuration c.
func (in *Input) check(c ClassifierConfig) error {
	n := len(in.Tokens) + len(in.Samples)
	step := 1
	if !c.Tokens() {
		step = c.Channels()
	}
	switch {
	case in.Rows < 1 || in.Length < 1:
		return fmt.Errorf("input of %d rows of length %d, want at least one of each", in.Rows, in.Length)
	case c.Tokens() && (in.Tokens == nil || in.Samples != nil):
		return fmt.Errorf("input has no tokens, and the model reads %s", c.InputType)
	case !c.Tokens() && (in.Samples == nil || in.Tokens != nil):
		return fmt.Errorf("input has no samples, and the model reads %s", c.InputType)
	case n%in.Length != 0 || n/in.Length%step != 0 || n/in.Length/step != in.Rows: // their product might overflow
		return fmt.Errorf("input holds %d values, want %d rows × %d × %d channels", n, in.Rows, in.Length, step)
	case in.Lengths != nil && len(in.Lengths) != in.Rows:
		return fmt.Errorf("input has %d lengths for %d rows", len(in.Lengths), in.Rows)
	}
	for i, l := range in.Lengths {
		if l < 1 || int(l) > in.Length {
			return fmt.Errorf("row %d has length %d, want 1 to %d", i, l, in.Length)
		}
	}
	return checkTokens(in.Tokens, in.Length, c.VocabSize)
}

// checkPadding reports padding within the lengths and tokens beyond them: the mean
// over positions would otherwise be taken over too many or too few.
func (in *Input) checkPadding() error {
	for i := range in.Rows {
		n := in.length(i)
		row := in.Tokens[i*in.Length:][:in.Length]
		for j, tok := range row[n:] {
			if tok != Pad {
				return fmt.Errorf("row %d has length %d, but token %d at position %d, want padding (%d)", i, n, tok, n+j, Pad)
			}
		}
		if in.Lengths == nil && row[n-1] == Pad {
			return fmt.Errorf("row %d ends in padding (%d), but the input has no lengths", i, Pad)
		}
	}
	return nil
}

// checkTokens reports the first token outside the vocabulary.
func checkTokens(tokens []int32, length, vocab int) error {
	for i, tok := range tokens {
		if tok < 0 || int(tok) >= vocab {
			return fmt.Errorf("token %d at row %d, position %d, is outside the vocabulary of %d", tok, i/length, i%length, vocab)
		}
	}
	return nil
}

// length returns the true length of row i.
func (in *Input) length(i int) int {
	if in.Lengths == nil {
		return in.Length
	}
	return int(in.Lengths[i])
}

// floatLengths returns the true lengths of all rows.
func (in *Input) floatLengths() []float32 {
	lengths := make([]float32, in.Rows)
	for i := range lengths {
		lengths[i] = float32(in.length(i))
	}
	return lengths
}

// padded returns the input with every row padded to length l.
func (in *Input) padded(l int) *Input {
	out := &Input{Rows: in.Rows, Length: l, Lengths: in.Lengths}
	if in.Tokens != nil {
		out.Tokens = padRows(in.Tokens, in.Rows, in.Length, l, Pad)
	} else {
		step := len(in.Samples) / (in.Rows * in.Length)
		out.Samples = padRows(in.Samples, in.Rows, in.Length*step, l*step, 0)
	}
	if out.Lengths == nil {
		out.Lengths = make([]int32, in.Rows)
		for i := range out.Lengths {
			out.Lengths[i] = int32(in.Length)
		}
	}
	return out
}

func padRows[T any](x []T, rows, from, to int, pad T) []T {
	out := make([]T, rows*to)
	for i := range rows {
		n := copy(out[i*to:], x[i*from:(i+1)*from])
		for j := n; j < to; j++ {
			out[i*to+j] = pad
		}
	}
	return out
}

// mask returns [B·L], true at padding, or nil if there is none. Tokens are
// padding where they are <pad>, as in the reference; real numbers beyond a
// row's length. It is in memory if that is enough.
func (in *Input) mask(memory []bool) []bool {
	var mask []bool
	for i := range in.Rows {
		for j := range in.Length {
			pad := j >= in.length(i)
			if in.Tokens != nil {
				pad = in.Tokens[i*in.Length+j] == Pad
			}
			if pad {
				if mask == nil {
					mask = slices.Grow(memory[:0], in.Rows*in.Length)[:in.Rows*in.Length]
					clear(mask)
				}
				mask[i*in.Length+j] = true
			}
		}
	}
	return mask
}
