package kernels

// SquareBlock is how many numbers SquareSums adds up for each sum, and how many an AdamPiece
// has at most.
const SquareBlock = 32 * threads

// adamShares is how many blocks update a piece (optimiser.cu).
const adamShares = 8

// SquareParts returns how many sums SquareSums makes of n numbers.
func SquareParts(n int) int { return ceilDiv(n, SquareBlock) }

// SquareSums sets sums, float64s, to Σ x² of each SquareBlock of n numbers; the last may
// have fewer.
func SquareSums(d Device, sums, x Address, n int) error {
	if n == 0 {
		return nil
	}
	return d.Launch("square_parts", [3]int{SquareParts(n), 1, 1}, [3]int{threads, 1, 1}, sums, x, int64(n))
}

// An AdamPiece is N weights that Adam updates, at most SquareBlock, with their gradient, 0 if
// none has reached them, and the means of it and of its square. Decays is 0 if the weights
// do not decay. Functions that take a table of pieces read it on the device, as
// encoding/binary writes them.
type AdamPiece struct {
	Weights, Grad, Mean, Square Address
	N, Decays                   int32
}

// AdamSquares sets sums, float64s, to Σ grad² of each of so many pieces.
func AdamSquares(d Device, sums, table Address, pieces int) error {
	if pieces == 0 {
		return nil
	}
	return d.Launch("square_pieces", [3]int{pieces, 1, 1}, [3]int{threads, 1, 1}, sums, table)
}

// AdamParams are those of kernel.AdamParams.
type AdamParams struct{ StepSize, Beta1, Beta2, Eps, Decay, GradScale float64 }

// AdamNumbers is how many numbers Adam reads of a step.
const AdamNumbers = 8

// Numbers returns what Adam reads from memory.
func (p AdamParams) Numbers() [AdamNumbers]float32 {
	return [...]float32{float32(p.GradScale), float32(p.Beta1), float32(1 - p.Beta1), float32(p.Beta2), float32(1 - p.Beta2),
		float32(p.Eps), float32(p.StepSize), float32(p.Decay)}
}

// Adam updates so many pieces as kernel.AdamStep does, by the parameters whose Numbers are
// at an address.
func Adam(d Device, table Address, pieces int, numbers Address) error {
	if pieces == 0 {
		return nil
	}
	return d.Launch("adam", [3]int{pieces * adamShares, 1, 1}, [3]int{threads, 1, 1}, table, numbers)
}
