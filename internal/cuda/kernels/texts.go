package kernels

import "encoding/binary"

// A Piece is a matrix that is copied: Rows of Cols numbers, From to To.
type Piece struct {
	To, From         Address
	Rows, Cols       int32
	StrideTo, Stride int32 // of rows, of From
}

// CopyPieces copies pieces, none of which reads what another writes. table holds them as
// encoding/binary writes them, and so many are copied.
func CopyPieces(d Device, table Address, pieces []Piece) error {
	largest := 0
	for _, p := range pieces {
		largest = max(largest, int(p.Rows)*int(p.Cols))
	}
	if largest == 0 {
		return nil
	}
	const most = 64 // blocks for one piece
	across := min(most, ceilDiv(largest, threads))
	size := Address(binary.Size(Piece{}))
	for from := 0; from < len(pieces); from += mostBlocks {
		grid := [3]int{across, min(mostBlocks, len(pieces)-from), 1}
		if err := d.Launch("copy_pieces", grid, [3]int{threads, 1, 1}, table+Address(from)*size, int32(across)); err != nil {
			return err
		}
	}
	return nil
}

// A Text is the keys [N, Z] and values [N, H] that the queries of a text meet. Query i
// and key j have the bias of number Offset+j−i.
type Text struct {
	Keys, Values Address
	N, Offset    int32
}

// TextAttention is attention of texts that each have keys and values of their own: of
// Length queries each, which if Causal are at the last positions of the keys.
type TextAttention struct {
	Texts, Length int
	Most          int     // keys of a text
	Table         Address // of the texts, as encoding/binary writes them
	Function      int     // the number of ReLU2 or Laplace, negative for softmax
	Scale         float32
	Causal        bool
	Bias          Address // 0 for none
}

// mostScores bounds the scores that are in memory at a time, unless a row has more.
const mostScores = 1 << 24

// group returns how many rows are computed at a time.
func (a TextAttention) group() int {
	return min(a.Texts*a.Length, mostBlocks, max(1, mostScores/max(1, a.Most)))
}

// Scores returns how many numbers of memory Forward needs.
func (a TextAttention) Scores() int { return a.group() * a.Most }

// Forward sets dst [Texts·Length, h] to what queries q [Texts·Length, z] find. ReLU2 and
// Laplace divide Scale by the number of keys that a query sees. The order of sums depends
// on that number alone, not on the texts beside.
func (a TextAttention) Forward(d Device, dst, q, scores Address, z, h, ldd, ldq int) error {
	all, length, most, causal := a.Texts*a.Length, int32(a.Length), int32(a.Most), flag(a.Causal)
	if h == 0 || a.Most == 0 {
		return nil
	}
	block := [3]int{threads, 1, 1}
	for from := 0; from < all; from += a.group() {
		rows, first := min(a.group(), all-from), int32(from)
		err := d.Launch("text_scores", [3]int{ceilDiv(a.Most, warps), rows, 1}, block, scores, q, a.Table, first, length, most, int32(z), int32(ldq), causal)
		if err == nil {
			err = rowsOf(d, "text_weights", rows, int32(a.Function), scores, a.Table, a.Bias, first, int32(rows), length, most, a.Scale, causal)
		}
		if err == nil {
			err = d.Launch("text_values", [3]int{ceilDiv(h, 32), rows, 1}, block, dst, scores, a.Table, first, length, most, int32(h), int32(ldd), causal)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Kept returns how many averages the state of a text has room for, for each channel: those
// of a model with so many, in parts of EMAStates.
func Kept(states int) int { return ceilDiv(states, EMAStates) * EMAStates }

// Rest sets rest [EMAStates, Channels] to what rounding takes off the decays of p.
func (e EMA) Rest(d Device, rest Address, p EMAParameters, states int) error {
	return elements(d, "ema_rest", EMAStates*e.Channels, rest, p.Delta, p.Alpha, int32(e.Channels), int32(states), int32(e.First))
}

// ContinueCarries returns how many numbers of memory Continue needs: none for at most a chunk.
func (e EMA) ContinueCarries() int {
	chunks := ceilDiv(e.Length, chunkSteps)
	if chunks <= 1 {
		return 0
	}
	return e.Batch * chunks * EMAStates * e.Channels
}

// Continue is Forward for texts that go on from state [Batch, Kept(states), Channels], of
// which it moves its own averages past them. It is for averages from the left that reach
// back for ever, whose coefficients were made for chunks (Batch 0), and carry is memory of
// ContinueCarries numbers.
func (e EMA) Continue(d Device, s, state, x, mask, rest, omega, carry Address, states int) error {
	chunks, length, width := ceilDiv(e.Length, chunkSteps), int32(e.Length), int32(e.Channels)
	state += Address(4 * e.First * e.Channels)
	apart := int64(Kept(states) * e.Channels)
	if chunks <= 1 {
		carry = 0 // by which the kernel knows that chunks begin with the state
	} else {
		if err := e.launch(d, "ema_local", chunks, carry, x, mask, e.Decay, e.Lag, int32(0), length, width, int32(0)); err != nil {
			return err
		}
		if err := e.launch(d, "ema_enter", EMAStates, carry, state, apart, e.Power, int32(chunks), width); err != nil {
			return err
		}
	}
	return e.launch(d, "ema_continue", chunks, s, state, apart, x, mask, e.Decay, rest, e.Output, omega, carry, length, width)
}
