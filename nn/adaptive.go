package nn

import (
	"fmt"
	"math"

	"github.com/mega-go/mega/autograd"
)

// Bands cuts a vocabulary, sorted by frequency, into bands: band b holds the
// words from its start to its end.
type Bands []int // the end of each band; the last is the size of the vocabulary

// NewBands checks cutoffs against a vocabulary and closes the last band.
func NewBands(cutoffs []int, vocab int) (Bands, error) {
	b := append(Bands(nil), cutoffs...)
	if len(b) == 0 || b[len(b)-1] < vocab {
		b = append(b, vocab)
	}
	for i := range b {
		if b[i] <= b.start(i) || b[i] > vocab {
			return nil, fmt.Errorf("adaptive cutoffs %v must rise and not exceed the vocabulary of %d", cutoffs, vocab)
		}
	}
	return b, nil
}

func (b Bands) start(band int) int {
	if band == 0 {
		return 0
	}
	return b[band-1]
}

// Size returns the number of words in a band.
func (b Bands) Size(band int) int { return b[band] - b.start(band) }

// BandWidth returns the dimensions of the words in a band when those of the
// first have dim.
func BandWidth(dim int, factor float64, band int) int {
	return int(float64(dim) / math.Pow(factor, float64(band)))
}

// split returns, for a band, which positions of words lie in it and their
// numbers within it.
func (b Bands) split(band int, words []int32) (positions, inner []int32) {
	for i, w := range words {
		if int(w) >= b.start(band) && int(w) < b[band] {
			positions = append(positions, int32(i))
			inner = append(inner, w-int32(b.start(band)))
		}
	}
	return positions, inner
}

// AdaptiveInput embeds frequent words in more dimensions than rare ones: band i
// in initial/factorⁱ, each projected to D (reference adaptive_input.py;
// Baevski, Auli 2019).
type AdaptiveInput struct {
	bands       Bands
	embeddings  []*Embedding // [band size, dim_i]
	projections []*Linear    // dim_i to D
	scale       float32
}

// NewAdaptiveInput registers the bands' tables and projections.
func NewAdaptiveInput(p Path, bands Bands, initial, dim int, factor, scale float64, padding int32) *AdaptiveInput {
	a := &AdaptiveInput{bands: bands, scale: float32(scale)}
	for i := range bands {
		inner := BandWidth(initial, factor, i)
		q := p.Sub("embeddings").Index(i)
		// The reference zeroes row padding of every band, but only the first
		// band's takes no gradient (adaptive_input.py:46-56).
		e := NewEmbedding(q.Sub("0"), bands.Size(i), inner, padding, true)
		if i > 0 {
			e.Padding = -1
		}
		a.embeddings = append(a.embeddings, e)
		a.projections = append(a.projections, NewLinear(q.Sub("1"), inner, dim, false, XavierUniform))
	}
	return a
}

// Forward embeds tokens [B, L]: [B, L, D].
func (a *AdaptiveInput) Forward(t *autograd.Tape, tokens []int32, batch, length int) *autograd.Variable {
	var parts []*autograd.Variable
	var rows [][]int32
	for i := range a.bands {
		positions, inner := a.bands.split(i, tokens)
		if len(positions) == 0 {
			continue
		}
		x := a.embeddings[i].Forward(t, inner, 1, len(inner))
		parts = append(parts, a.projections[i].Forward(t, x, autograd.Identity))
		rows = append(rows, positions)
	}
	return t.Merge(parts, rows, a.scale, []int{batch, length})
}

// With returns the embedding with its projections as linear returns them.
func (a *AdaptiveInput) With(linear func(*Linear) *Linear) *AdaptiveInput {
	r := *a
	r.projections = nil
	for _, p := range a.projections {
		r.projections = append(r.projections, linear(p))
	}
	return &r
}

// AdaptiveSoftmax predicts frequent words directly and rare ones by way of
// their band (reference adaptive_softmax.py; Grave et al. 2017).
type AdaptiveSoftmax struct {
	bands   Bands
	words   *Parameter // [first band, D]
	classes *Linear    // D to bands − 1
	head    *Linear    // D to both, instead of the two above, when nothing is tied
	tails   []adaptiveTail
	dropout Dropout
}

// An adaptiveTail scores the words of one rare band.
type adaptiveTail struct {
	projection *Parameter
	transposed bool       // the projection is [D, inner], as the input's is tied
	words      *Parameter // [band size, inner]
}

// AdaptiveSoftmaxOptions says what an adaptive softmax shares with the input.
type AdaptiveSoftmaxOptions struct {
	Factor         float64
	Dropout        float64
	Input          *AdaptiveInput // share its tables; nil for tables of its own
	TieProjections bool           // share its projections too
}

// NewAdaptiveSoftmax registers what is not shared and names what is.
func NewAdaptiveSoftmax(p Path, bands Bands, dim int, o AdaptiveSoftmaxOptions) *AdaptiveSoftmax {
	s := &AdaptiveSoftmax{bands: bands, dropout: Dropout{P: o.Dropout}}
	rare := len(bands) - 1
	if o.Input != nil {
		s.words = o.Input.embeddings[0].Weight
		p.Sub("head").Sub("word_proj").Alias("weight", s.words)
		s.classes = NewLinear(p.Sub("head").Sub("class_proj"), dim, rare, false, XavierUniform)
	} else {
		s.head = NewLinear(p.Sub("head"), dim, bands[0]+rare, false, XavierUniform)
	}
	for i := range rare {
		s.tails = append(s.tails, newTail(p.Sub("tail").Index(i), bands, i, dim, o))
	}
	return s
}

// Pack returns the layer for LogProbs with its weights packed, but for projections that
// are shared with the input: see autograd.Pack.
func (s *AdaptiveSoftmax) Pack(in autograd.Precision) *AdaptiveSoftmax {
	r := &AdaptiveSoftmax{bands: s.bands, dropout: s.dropout}
	if s.head != nil {
		r.head = s.head.Pack(in)
	} else {
		r.words, r.classes = s.words.Pack(in), s.classes.Pack(in)
	}
	for _, tail := range s.tails {
		if !tail.transposed {
			tail.projection = tail.projection.Pack(in)
		}
		tail.words = tail.words.Pack(in)
		r.tails = append(r.tails, tail)
	}
	return r
}

func newTail(p Path, bands Bands, i, dim int, o AdaptiveSoftmaxOptions) adaptiveTail {
	inner := BandWidth(dim, o.Factor, i+1)
	var tail adaptiveTail
	if o.Input != nil && o.TieProjections {
		tail.projection, tail.transposed = o.Input.projections[i+1].Weight, true
		p.Sub("0").Alias("weight", tail.projection)
	} else {
		tail.projection = p.Sub("0").Parameter("weight", XavierUniform, inner, dim)
	}
	if o.Input != nil {
		tail.words = o.Input.embeddings[i+1].Weight
		p.Sub("2").Alias("weight", tail.words)
	} else {
		tail.words = p.Sub("2").Parameter("weight", XavierUniform, bands.Size(i+1), inner)
	}
	return tail
}

// Loss returns the summed negative log-likelihood of targets for features
// [..., D]; targets equal to padding do not count. Like the reference
// (adaptive_loss.py:66-74) it also passes over a rare word whose number within
// its band happens to be padding.
func (s *AdaptiveSoftmax) Loss(t *autograd.Tape, x *autograd.Variable, targets []int32, padding int32) autograd.Loss {
	x = s.dropout.Forward(t, x)
	head := append([]int32(nil), targets...)
	var tails []autograd.Loss
	for i := range s.tails {
		positions, inner := s.bands.split(i+1, targets)
		for _, p := range positions {
			head[p] = int32(s.bands[0] + i)
		}
		if len(positions) > 0 {
			logits := s.tailLogits(t, i, t.Rows(x, positions))
			tails = append(tails, t.CrossEntropy(logits, inner, padding, 0))
		}
	}
	return t.AddLosses(t.CrossEntropy(s.headLogits(t, x), head, padding, 0), tails...)
}

// TargetLogProbs returns the log-probability of each target for features x
// [R, D]. Unlike Loss it passes over none (reference adaptive_softmax.py:178).
func (s *AdaptiveSoftmax) TargetLogProbs(t *autograd.Tape, x *autograd.Variable, targets []int32) []float64 {
	classes := append([]int32(nil), targets...)
	inBand := make([]float64, len(targets))
	for i := range s.tails {
		positions, inner := s.bands.split(i+1, targets)
		if len(positions) == 0 {
			continue
		}
		found := t.TargetLogProbs(s.tailLogits(t, i, t.Rows(x, positions)), inner)
		for j, p := range positions {
			classes[p] = int32(s.bands[0] + i)
			inBand[p] = found[j]
		}
	}
	out := t.TargetLogProbs(s.headLogits(t, x), classes)
	for i, p := range inBand {
		out[i] += p
	}
	return out
}

// LogProbs returns log-probabilities of the whole vocabulary for features
// x [..., D]: [..., V]. It is for inference.
func (s *AdaptiveSoftmax) LogProbs(t *autograd.Tape, x *autograd.Variable) *autograd.Variable {
	parts := []*autograd.Variable{t.LogSoftmax(s.headLogits(t, x))}
	for i := range s.tails {
		parts = append(parts, t.LogSoftmax(s.tailLogits(t, i, x)))
	}
	return t.JoinBands(parts, s.bands[0])
}

func (s *AdaptiveSoftmax) headLogits(t *autograd.Tape, x *autograd.Variable) *autograd.Variable {
	if s.head != nil {
		return s.head.Forward(t, x, autograd.Identity)
	}
	return t.Concat(t.Linear(x, s.words.Variable, nil, autograd.Identity), s.classes.Forward(t, x, autograd.Identity))
}

func (s *AdaptiveSoftmax) tailLogits(t *autograd.Tape, i int, x *autograd.Variable) *autograd.Variable {
	tail := s.tails[i]
	if tail.transposed {
		x = t.MatMul(x, tail.projection.Variable)
	} else {
		x = t.Linear(x, tail.projection.Variable, nil, autograd.Identity)
	}
	return t.Linear(s.dropout.Forward(t, x), tail.words.Variable, nil, autograd.Identity)
}
