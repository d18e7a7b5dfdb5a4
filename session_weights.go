package mega

import (
	"github.com/mega-go/mega/autograd"
	"github.com/mega-go/mega/nn"
	"github.com/mega-go/mega/tensor"
)

// A product is a linear layer as a reader multiplies by it: *nn.Linear, or
// *nn.PackedLinear where many products with a few rows are to come.
type product interface {
	Into(dst, x *tensor.Tensor, act autograd.Activation)
	AddInto(dst, x *tensor.Tensor)
}

// readerWeights are what a reader makes of its stack's parameters. Sessions
// share them and only read.
type readerWeights struct{ blocks []blockWeights }

// blockWeights are those of a block. Where it has no such layer they are nil.
type blockWeights struct {
	average        *autograd.EMAStream
	v, mx, h       product // of the gated attention
	crossQ, crossH product // of the attention to the source
	fc1, fc2       product // of the feed-forward network
}

// newReaderWeights prepares a stack's parameters, each linear layer by ready.
func newReaderWeights(s *stack, ready func(*nn.Linear) product) *readerWeights {
	w := new(readerWeights)
	for _, b := range s.blocks {
		a := b.attention
		block := blockWeights{
			average: autograd.NewEMAStream(a.move.parameters, a.move.config),
			v:       ready(a.vProj), mx: ready(a.mxProj), h: ready(a.hProj),
		}
		if c := b.cross; c != nil {
			block.crossQ, block.crossH = ready(c.qProj), ready(c.hProj)
		}
		if f := b.feedForward; f != nil {
			block.fc1, block.fc2 = ready(f.fc1), ready(f.fc2)
		}
		w.blocks = append(w.blocks, block)
	}
	return w
}

func plain(l *nn.Linear) product { return l }

// packed returns a function that packs a layer, in bfloat16 or float32.
func packed(bf16 bool) func(l *nn.Linear) product {
	return func(l *nn.Linear) product { return l.Pack(bf16) }
}

// packedWeights are those of a model's decoder and output, for sessions.
type packedWeights struct {
	decoder    *readerWeights
	projection *autograd.PackedWeight // nil without one
}

// packWeights packs a stack and a projection, which may be nil.
func packWeights(s *stack, projection *nn.Parameter, bf16 bool) *packedWeights {
	w := &packedWeights{decoder: newReaderWeights(s, packed(bf16))}
	if projection != nil {
		w.projection = autograd.PackWeight(projection.Variable, bf16)
	}
	return w
}

// freeze sets frozen to what pack returns, unless it is set, until thaw is called.
func freeze(frozen **packedWeights, pack func() *packedWeights) (thaw func()) {
	before := *frozen
	if before == nil {
		*frozen = pack()
	}
	return func() { *frozen = before }
}
