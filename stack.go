package mega

import (
	"cmp"

	"github.com/mega-go/mega/autograd"
	"github.com/mega-go/mega/nn"
)

// A stack is what every model is built on: an embedding, blocks and a final
// norm (reference mega_lra_encoder.py, mega_lm.py, mega.py).
type stack struct {
	embed     func(t *autograd.Tape, in *Input) *autograd.Variable // [B, L, width]
	adaptive  *nn.AdaptiveInput                                    // what embed looks tokens up in, nil if it is of another kind
	project   *nn.Linear                                           // width to D, nil where they are equal
	embedNorm *nn.Norm                                             // nil unless normalize_embedding
	dropout   nn.Dropout
	blocks    []*Block
	finalNorm *nn.Norm // nil unless normalising before
	chunk     int
}

// stackOptions are the choices about a stack that its blocks do not know of.
type stackOptions struct {
	layers            int
	inputDim          int // width of the embedding
	normalizeEmbed    bool
	finalAffine       bool
	crossAttendWithin int    // positions within reach of an attention to a source, 0 for none
	blocks            string // name of the blocks, "" for layers
}

// newStack registers everything after the embedding, in the reference's order.
func newStack(p nn.Path, b BlockConfig, o stackOptions) stack {
	s := stack{dropout: nn.Dropout{P: b.Dropout}, chunk: b.ChunkSize}
	if o.inputDim != b.EmbedDim {
		s.project = nn.NewLinear(p.Sub("project_in_dim"), o.inputDim, b.EmbedDim, false, nn.XavierUniform)
	}
	if o.normalizeEmbed {
		s.embedNorm = nn.NewNorm(p.Sub("embed_norm"), b.Norm, b.EmbedDim, true)
	}
	blocks, dropPath := p.Sub(cmp.Or(o.blocks, "layers")), b.DropPath
	for i := range o.layers { // whose rates rise from 0 (vision_mega.py:71 of mega-image)
		b.DropPath = dropPath * float64(i) / float64(max(1, o.layers-1))
		s.blocks = append(s.blocks, newBlock(blocks.Index(i), b, o.crossAttendWithin))
	}
	if b.Prenorm {
		s.finalNorm = nn.NewNorm(p.Sub("final_norm"), b.Norm, b.EmbedDim, o.finalAffine)
	}
	return s
}

// A tokenEmbedding turns token ids [B, L] into vectors [B, L, width].
type tokenEmbedding interface {
	Forward(t *autograd.Tape, tokens []int32, batch, length int) *autograd.Variable
}

// embedTokens makes the stack read token ids through an embedding.
func (s *stack) embedTokens(e tokenEmbedding) {
	s.adaptive, _ = e.(*nn.AdaptiveInput)
	s.embed = func(t *autograd.Tape, in *Input) *autograd.Variable {
		return e.Forward(t, in.Tokens, in.Rows, in.Length)
	}
}

// embedReals makes the stack read real numbers.
func (s *stack) embedReals(e *nn.RealEmbedding) {
	s.embed = func(t *autograd.Tape, in *Input) *autograd.Variable {
		return e.Forward(t, in.Samples, in.Rows, in.Length)
	}
}

// ready returns the stack with what sessions need of its parameters, each linear
// layer of its blocks as linear returns it, and those before them as first does.
// Sessions share it and only read.
func (s *stack) ready(linear, first func(*nn.Linear) *nn.Linear) *stack {
	r := *s
	if s.adaptive != nil {
		r.embedTokens(s.adaptive.With(first))
	}
	if s.project != nil {
		r.project = first(s.project)
	}
	r.blocks = nil
	for _, b := range s.blocks {
		r.blocks = append(r.blocks, b.ready(linear))
	}
	return &r
}

// forward returns [B, L, D], zero at padding, and the mask of padding [B·L],
// nil if there is none. source is what the blocks of a translator's decoder
// attend to, nil for all others. Inputs longer than a chunk are padded to whole
// chunks inside (mega_lra_encoder.py:190-194, mega_lm.py:374-380).
func (s *stack) forward(t *autograd.Tape, in *Input, source *Encoded) (*autograd.Variable, []bool, error) {
	whole := in
	if c := s.chunk; c > 0 && in.Length > c && in.Length%c != 0 {
		whole = in.padded((in.Length + c - 1) / c * c)
	}
	mask := whole.mask(nil)
	x, err := s.run(t, whole, mask, source, nil)
	if err != nil {
		return nil, nil, err
	}
	x = t.Scope(func() *autograd.Variable { return t.Head(s.finished(t, x, mask), in.Length) })
	if whole != in {
		mask = in.mask(nil)
	}
	return x, mask, nil
}

// run returns what the blocks make of the input. states, one a block, are those
// of texts that are read piece by piece; nil stands for sequences that begin here.
func (s *stack) run(t *autograd.Tape, in *Input, mask []bool, source *Encoded, states []blockState) (*autograd.Variable, error) {
	x := t.Scope(func() *autograd.Variable { return s.embedded(t, in, mask) })
	for i, b := range s.blocks {
		var state blockState
		if states != nil {
			state = states[i]
		}
		y, err := b.Forward(t, x, mask, source, state)
		if err != nil {
			return nil, err
		}
		t.Release(x)
		x = y
	}
	return x, nil
}

// finished returns what the stack says of x, the output of its blocks: zero at
// padding.
func (s *stack) finished(t *autograd.Tape, x *autograd.Variable, mask []bool) *autograd.Variable {
	if s.finalNorm != nil {
		x = s.finalNorm.Forward(t, x)
	}
	return t.MaskRows(x, mask)
}

// embedded returns the embedded input, zero at padding: [B, L, D].
func (s *stack) embedded(t *autograd.Tape, in *Input, mask []bool) *autograd.Variable {
	x := s.embed(t, in)
	if s.project != nil {
		x = s.project.Forward(t, x, autograd.Identity)
	}
	if s.embedNorm != nil {
		return t.MaskRows(s.embedNorm.Dropout(t, x, s.dropout), mask)
	}
	return t.MaskRows(s.dropout.Forward(t, x), mask)
}
