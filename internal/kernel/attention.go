package kernel

import (
	"fmt"
	"strings"

	"github.com/mega-go/mega/internal/parallel"
)

// An AttentionFunction turns scores into attention weights.
type AttentionFunction int

const (
	AttentionSoftmax AttentionFunction = iota // exp(s_j) / Σ_k exp(s_k)
	AttentionReLU2                            // max(s, 0)²
	AttentionLaplace                          // ½ (1 + erf((s − 0.707107) / (0.282095·√2)))
)

// attentionFunctions are the names, those of --attention-activation-fn.
var attentionFunctions = [...]string{"softmax", "relu2", "laplace"}

// String returns the function's name as the reference's command line has it.
func (f AttentionFunction) String() string { return attentionFunctions[f] }

// ParseAttentionFunction returns the function of that name.
func ParseAttentionFunction(name string) (AttentionFunction, error) {
	for f, s := range attentionFunctions {
		if s == name {
			return AttentionFunction(f), nil
		}
	}
	return 0, fmt.Errorf("attention function %q: want one of %s", name, strings.Join(attentionFunctions[:], ", "))
}

// Attention describes single-head attention within independent segments (a
// segment is one chunk of one sequence of the batch):
//
//	S[i,j] = scale_i q_i·k_j + bias[j−i]        for visible keys j
//	P[i,·] = softmax(S[i,·]) or f(S[i,·])       zero for the other keys
//	out_i  = Σ_j P[i,j] v_j
//
// with scale_i = Scale for softmax and Scale/length_i for relu2 and laplace
// (moving_average_gated_attention.py:103-161). Operands are [Segments, rows,
// width] in the layout of [Rows]: q and out have Queries rows in a segment, k
// and v Keys; q and k are Z wide, v and out H.
//
// No Queries×Keys matrix is built: scores live in blocks that fit a core's
// second-level cache, and a softmax over several blocks is rescaled as larger
// scores come in. Beside its operands a call needs, in float32s:
//
//	each worker                      70 000 + 640·(Z+H) + 2·Queries
//	Forward of fewer than 16 tiles   4000·(H+2), for keys split among tasks
//	Backward                         31·Queries·Z + 128·(Queries+Keys) + Segments·Queries
//
// All of it is the package's scratch memory, which calls share one after the
// other.
type Attention struct {
	Function AttentionFunction
	Segments int
	Queries  int // rows of q and out in a segment
	Keys     int // rows of k and v in a segment
	Z        int // width of q and k
	H        int // width of v and out

	// Causal hides key j from query i where j > i + Keys − Queries: the last
	// query sees every key, as when Keys − Queries of them were cached before.
	Causal bool
	// Scale multiplies q·k: Z^-½ for softmax, 1 for the others, in the paper.
	Scale float32
	// Bias holds what is added to the score of query i and key j at index
	// BiasZero + j − i; nil adds nothing. Every visible pair needs an element.
	Bias     []float32
	BiasZero int
	// KeyMask, [Segments, Keys], is true where a key is padding, which gets no
	// weight; nil means that none is. As in the reference, a segment of padding
	// alone is left unmasked under softmax (there to avoid NaN); unlike it, a
	// softmax row that sees only padding in a segment that has other keys gives
	// zeros, where the reference gives NaN.
	KeyMask []bool
	// KeyLengths, [Segments], overrides the lengths that relu2 and laplace
	// divide q·k by. Nil means what the reference does in self-attention: the
	// number of keys that are not padding, at least 1; if Causal, the number of
	// keys up to and including the query's own, i + 1 + Keys − Queries, be they
	// padding or not.
	KeyLengths []float32
	// Dropout is the probability with which a weight P[i,j] is zeroed, the
	// others being divided by 1 − Dropout. Which ones depends on Seed, the
	// segment, i and j alone, so that Backward finds the same.
	Dropout float32
	Seed    uint64
	// Workers compute; nil stands for the process's own.
	Workers *parallel.Workers
	// BF16 rounds the factors of all products to bfloat16, as GemmBF16 does:
	// queries, keys, values, weights, and the derivatives that these are
	// multiplied by.
	BF16 bool
}

// pack packs b for products of the kind that a wants.
func (a *Attention) pack(p *Packed, k, n int, b Matrix) {
	if a.BF16 {
		p.PackBF16(a.Workers, k, n, b)
	} else {
		p.PackOnce(a.Workers, k, n, b)
	}
}

// Rows is an operand of n rows in each segment: row i of segment s begins at
// Data[s·Segment + i·Stride]. Stride 0 means the operand's width and Segment 0
// means n·Stride, so that Rows{Data: x} is a dense tensor.
type Rows struct {
	Data    []float32
	Stride  int
	Segment int
}

// view returns r with its strides filled in, and panics if Data is too short
// for segments segments of rows rows of width numbers.
func (r Rows) view(name string, segments, rows, width int) Rows {
	if r.Stride == 0 {
		r.Stride = width
	}
	if r.Segment == 0 {
		r.Segment = rows * r.Stride
	}
	if segments == 0 || rows == 0 || width == 0 {
		return r
	}
	need := (segments-1)*r.Segment + (rows-1)*r.Stride + width
	if r.Stride < width || len(r.Data) < need {
		panic(fmt.Sprintf("kernel: attention's %s has %d numbers, rows %d apart; %d segments of %d rows of %d need %d",
			name, len(r.Data), r.Stride, segments, rows, width, need))
	}
	return r
}

// at returns the numbers from row i of segment s on.
func (r Rows) at(s, i int) []float32 { return r.Data[s*r.Segment+i*r.Stride:] }

// matrix returns the rows of segment s from row i on.
func (r Rows) matrix(s, i int) Matrix { return Matrix{Data: r.at(s, i), Stride: r.Stride} }

// row returns row i of segment s, which is width wide.
func (r Rows) row(s, i, width int) []float32 { return r.at(s, i)[:width:width] }

// check panics if the description contradicts itself.
func (a *Attention) check() {
	low, high := a.BiasZero-(a.Queries-1), a.BiasZero+a.Keys-1
	if a.Causal {
		high = a.BiasZero + a.Keys - a.Queries
	}
	switch {
	case a.Bias != nil && (low < 0 || high >= len(a.Bias)):
		panic(fmt.Sprintf("kernel: attention's bias has %d numbers, %d queries and %d keys need [%d, %d]",
			len(a.Bias), a.Queries, a.Keys, low, high))
	case a.KeyMask != nil && len(a.KeyMask) != a.Segments*a.Keys:
		panic(fmt.Sprintf("kernel: attention's key mask has %d elements, %d segments of %d keys need %d",
			len(a.KeyMask), a.Segments, a.Keys, a.Segments*a.Keys))
	case a.KeyLengths != nil && len(a.KeyLengths) != a.Segments:
		panic(fmt.Sprintf("kernel: attention has %d key lengths for %d segments", len(a.KeyLengths), a.Segments))
	case a.Dropout < 0 || a.Dropout >= 1:
		panic(fmt.Sprintf("kernel: attention dropout %v is not in [0, 1)", a.Dropout))
	}
}

// visible returns the number of keys that query i sees, masks aside.
func (a *Attention) visible(i int) int {
	if !a.Causal {
		return a.Keys
	}
	return max(0, i+1+a.Keys-a.Queries)
}

// firstQuery returns the first query that sees key j, masks aside.
func (a *Attention) firstQuery(j int) int {
	if !a.Causal {
		return 0
	}
	return max(0, j+a.Queries-a.Keys)
}

// heights returns the heights of blocks of queries that the kernels of a's products fill.
func (a *Attention) heights() attentionHeights {
	if a.BF16 && implementationOf(1) == AMX || !a.BF16 && chosen == AMX {
		return attentionHeights{tile: 128, diagonal: 32, step: 32}
	}
	return attentionHeights{tile: 126, diagonal: 42, step: 1}
}

// cut returns where a block of queries that begins with i and reaches to at
// most ends, if its keys end at end: under Causal, as long as not all of these
// are visible, blocks are low, since half of what lies on the diagonal is lost.
func (a *Attention) cut(i, to, end int) int {
	if a.visible(i) >= end {
		return to
	}
	return min(to, i+a.heights().diagonal)
}

// biasRow returns the bias of query i for n keys from the given one on.
func (a *Attention) biasRow(i, key, n int) []float32 {
	if a.Bias == nil || n == 0 {
		return noBias[:n]
	}
	return a.Bias[a.BiasZero+key-i:][:n]
}

// noBias is the bias of a block's row where there is none.
var noBias [attentionKeys]float32

// drop applies the dropout to the weights of query i of segment s and the keys
// from the given one on.
func (a *Attention) drop(s, i, key int, row []float32) {
	index := (uint64(s)*uint64(a.Queries)+uint64(i))*uint64(a.Keys) + uint64(key)
	Dropout(row, row, a.Seed, index, a.Dropout)
}

// mask returns the mask of segment s, nil if nothing in it is masked.
func (a *Attention) mask(s int) []bool {
	if a.KeyMask == nil {
		return nil
	}
	m := a.KeyMask[s*a.Keys : (s+1)*a.Keys]
	masked := countTrue(m)
	if masked == 0 || masked == a.Keys && a.Function == AttentionSoftmax {
		return nil
	}
	return m
}

// scale returns what the product of query i of segment s with a key is
// multiplied by, given the segment's length.
func (a *Attention) scale(length float32, i int) float32 {
	switch {
	case a.Function == AttentionSoftmax:
		return a.Scale
	case a.Causal && a.KeyLengths == nil:
		return a.Scale / float32(a.visible(i))
	}
	return a.Scale / length
}

// length returns what q·k of segment s is divided by, for relu2 and laplace.
func (a *Attention) length(s int) float32 {
	switch {
	case a.KeyLengths != nil:
		return a.KeyLengths[s]
	case a.KeyMask != nil:
		m := a.KeyMask[s*a.Keys : (s+1)*a.Keys]
		return float32(max(1, a.Keys-countTrue(m)))
	}
	return float32(max(1, a.Keys))
}

// countTrue returns how many elements of x are true.
func countTrue(x []bool) int {
	n := 0
	for _, b := range x {
		if b {
			n++
		}
	}
	return n
}
