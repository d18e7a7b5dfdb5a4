package mega

import (
	"github.com/mega-go/mega/autograd"
	"github.com/mega-go/mega/nn"
	"github.com/mega-go/mega/tensor"
)

// A stack is what every model is built on: an embedding, blocks and a final
// norm (reference mega_lra_encoder.py, mega_lm.py, mega.py).
type stack struct {
	embed     func(t *autograd.Tape, in *Input) *autograd.Variable // [B, L, width]
	tokens    tokenEmbedding                                       // behind embed; nil for real numbers
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
	crossAttendWithin int // positions within reach of an attention to a source, 0 for none
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
	for i := range o.layers {
		s.blocks = append(s.blocks, newBlock(p.Sub("layers").Index(i), b, o.crossAttendWithin))
	}
	if b.Prenorm {
		s.finalNorm = nn.NewNorm(p.Sub("final_norm"), b.Norm, b.EmbedDim, o.finalAffine)
	}
	return s
}

// A tokenEmbedding turns token ids into vectors.
type tokenEmbedding interface {
	Forward(t *autograd.Tape, tokens []int32, shape ...int) *autograd.Variable
	Into(dst *tensor.Tensor, tokens []int32) // [R, width], without a tape
}

// embedTokens makes the stack read token ids through an embedding.
func (s *stack) embedTokens(e tokenEmbedding) {
	s.tokens = e
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

// forward returns [B, L, D], zero at padding, and the mask of padding [B·L],
// nil if there is none. source is what the blocks of a translator's decoder
// attend to, nil for all others. Inputs longer than a chunk are padded to whole
// chunks inside (mega_lra_encoder.py:190-194, mega_lm.py:374-380).
func (s *stack) forward(t *autograd.Tape, in *Input, source *Encoded) (*autograd.Variable, []bool, error) {
	whole := in
	if c := s.chunk; c > 0 && in.Length > c && in.Length%c != 0 {
		whole = in.padded((in.Length + c - 1) / c * c)
	}
	mask := whole.mask()
	x := t.Scope(func() *autograd.Variable { return s.embedded(t, whole, mask) })
	for _, b := range s.blocks {
		y, err := b.Forward(t, x, mask, source)
		if err != nil {
			return nil, nil, err
		}
		t.Release(x)
		x = y
	}
	x = t.Scope(func() *autograd.Variable {
		if s.finalNorm != nil {
			x = s.finalNorm.Forward(t, x)
		}
		return t.Head(t.MaskRows(x, mask), in.Length)
	})
	if whole != in {
		mask = in.mask()
	}
	return x, mask, nil
}

// embedded returns the embedded input, zero at padding: [B, L, D].
func (s *stack) embedded(t *autograd.Tape, in *Input, mask []bool) *autograd.Variable {
	x := s.embed(t, in)
	if s.project != nil {
		x = s.project.Forward(t, x, autograd.Identity)
	}
	if s.embedNorm != nil {
		x = s.embedNorm.Forward(t, x)
	}
	return t.MaskRows(s.dropout.Forward(t, x), mask)
}
