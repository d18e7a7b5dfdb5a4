package nn

import (
	"fmt"

	"github.com/mega-go/mega/autograd"
)

// biasStd is the standard deviation both biases start from (reference
// relative_positional_bias.py:23,58).
const biasStd = 0.02

// A PositionBias gives attention scores a term that depends on the distance
// between key and query alone, so that 2L−1 numbers stand for an L×L matrix.
type PositionBias interface {
	// Forward returns numbers and the index of distance zero among them: query
	// i and key j take element zero + j − i. length is the largest number of
	// positions in a chunk; a bias that cannot reach that far is an error.
	Forward(t *autograd.Tape, length int) (bias *autograd.Variable, zero int, err error)
}

// SimpleBias learns one number per distance (reference
// relative_positional_bias.py:14-43).
type SimpleBias struct {
	weight *Parameter // [2·max−1]
	max    int
}

// NewSimpleBias registers numbers for distances below max.
func NewSimpleBias(p Path, max int) *SimpleBias {
	return &SimpleBias{weight: p.Parameter("rel_pos_bias", Normal(0, biasStd), 2*max-1), max: max}
}

// Forward implements PositionBias.
func (b *SimpleBias) Forward(_ *autograd.Tape, length int) (*autograd.Variable, int, error) {
	if length > b.max {
		return nil, 0, fmt.Errorf("attention over %d positions, but the simple relative position bias was made for %d (chunk_size, or max_positions without chunks)", length, b.max)
	}
	return b.weight.Variable, b.max - 1, nil
}

// RotaryBias derives the bias from two vectors rotated by position; it reaches
// any distance (reference relative_positional_bias.py:46-91).
type RotaryBias struct {
	alpha, beta *Parameter // [1, Z], Z even
}

// NewRotaryBias registers the two vectors. It panics if z is odd, which
// configurations are checked for.
func NewRotaryBias(p Path, z int) *RotaryBias {
	if z%2 != 0 {
		panic(fmt.Sprintf("nn: rotary bias of odd width %d", z))
	}
	return &RotaryBias{
		alpha: p.Parameter("alpha", Normal(0, biasStd), 1, z),
		beta:  p.Parameter("beta", Normal(0, biasStd), 1, z),
	}
}

// Forward implements PositionBias.
func (b *RotaryBias) Forward(t *autograd.Tape, length int) (*autograd.Variable, int, error) {
	return t.RotaryBias(b.alpha.Variable, b.beta.Variable, length), length - 1, nil
}

// A KeptBias holds a position bias between the steps of a session, whose
// parameters do not change, so that it need not be computed at each. The zero
// value holds none.
type KeptBias struct {
	numbers *autograd.Variable
	zero    int
}

// firstReach is how far a bias is kept at first.
const firstReach = 256

// Forward is b's, for at least length positions. A nil KeptBias keeps nothing.
func (k *KeptBias) Forward(t *autograd.Tape, b PositionBias, length int) (bias *autograd.Variable, zero int, err error) {
	if k == nil {
		return b.Forward(t, length)
	}
	if k.numbers == nil || length > k.zero+1 {
		// Further than is needed, so that it is seldom done, if the bias has it.
		bias, zero, err := b.Forward(t, max(length, 2*k.zero, firstReach))
		if err != nil {
			bias, zero, err = b.Forward(t, length)
		}
		if err != nil {
			return nil, 0, err
		}
		*k = KeptBias{t.Keep(bias), zero}
	}
	return k.numbers, k.zero, nil
}
