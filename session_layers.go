package mega

import (
	"math"

	"github.com/mega-go/mega/autograd"
	"github.com/mega-go/mega/tensor"
)

// This file is the layers' Forward for a session: the same formulas over the
// next positions of texts of which the layers carry a state, in memory made
// once and mostly in place.

// A layerState is what a layer carries of each text, and what it makes of its
// parameters to read with.
type layerState struct {
	*blockWeights
	attention autograd.StreamAttention
	averages  *tensor.Tensor            // [rows, state size]
	spare     *tensor.Tensor            // memory of averages before the last reordering, nil for none
	caches    []*autograd.KeyValueCache // [rows]
}

// newState returns the state at the beginning of so many texts.
func (a *GatedAttention) newState(w *blockWeights, texts int) layerState {
	c := a.config
	s := layerState{
		blockWeights: w,
		attention:    autograd.StreamAttention{Function: c.Attention, Scale: c.attentionScale(), Chunk: c.ChunkSize},
	}
	s.averages = tensor.New(texts, s.average.StateSize())
	for range texts {
		s.caches = append(s.caches, autograd.NewKeyValueCache(c.ZDim, c.HiddenDim))
	}
	return s
}

// firstReach is how far the biases are made to reach at first.
const firstReach = 256

// reach makes the biases reach so many positions, or those of a chunk if they are
// fewer. It is an error if the bias is made for less.
func (s *reader) reach(positions int) error {
	most := math.MaxInt
	if chunk := s.stack.chunk; chunk > 0 {
		most = chunk
	}
	if positions = min(positions, most); positions <= s.reached {
		return nil
	}
	// Twice as far as before, so that it is seldom done, if the bias has it.
	if s.setBiases(min(max(positions, 2*s.reached, firstReach), most)) == nil {
		return nil
	}
	return s.setBiases(positions)
}

func (s *reader) setBiases(positions int) error {
	defer s.tape.Reset()
	for i, b := range s.stack.blocks {
		bias, zero, err := b.attention.bias.Forward(s.tape, positions)
		if err != nil {
			return err
		}
		a := &s.layers[i].attention
		a.Bias, a.BiasZero = bias.Value().Clone(), zero
	}
	s.reached = positions
	return nil
}

// A workspace is the memory in which a window of R positions is read.
type workspace struct {
	x             *tensor.Tensor // [R, D], from layer to layer
	embedded      *tensor.Tensor // [R, width of the embedding], x itself if that is D
	in, average   *tensor.Tensor // [R, D]
	values        *tensor.Tensor // [R, H]
	attended      *tensor.Tensor // [R, H]
	queries, keys *tensor.Tensor // [R, Z]
	gates         *tensor.Tensor // [R, 2D+Z+H], and its columns:
	u, z, r, hx   *tensor.Tensor
	hidden        *tensor.Tensor // [R, width of the feed-forward network]
	cross         *tensor.Tensor // [R, 2D+Z], u, r and q of an attention to a source; nil without one
}

// workspace returns the memory for a window of so many positions.
func (s *reader) workspace(positions int) *workspace {
	if s.work != nil && s.work.x.Rows() == positions {
		return s.work
	}
	s.work = nil // for the garbage collector, before there is another
	c := s.stack.blocks[0].attention.config
	d, h, z := c.EmbedDim, c.HiddenDim, c.ZDim
	var pool tensor.Pool // for its aligned memory
	w := &workspace{
		x: pool.Get(positions, d), in: pool.Get(positions, d), average: pool.Get(positions, d),
		values: pool.Get(positions, h), attended: pool.Get(positions, h),
		queries: pool.Get(positions, z), keys: pool.Get(positions, z),
		gates: pool.Get(positions, 2*d+z+h), hidden: pool.Get(positions, c.FFNDim),
	}
	w.u, w.z = w.gates.Columns(0, d), w.gates.Columns(d, d+z)
	w.r, w.hx = w.gates.Columns(d+z, d+z+h), w.gates.Columns(d+z+h, 2*d+z+h)
	w.embedded = w.x
	if s.stack.blocks[0].cross != nil {
		w.cross = pool.Get(positions, 2*d+z)
	}
	if p := s.stack.project; p != nil {
		w.embedded = pool.Get(positions, p.Weight.Shape()[1])
	}
	s.work = w
	return w
}

// embedInto sets w.x to the embeddings of tokens.
func (s *stack) embedInto(w *workspace, tokens []int32) {
	s.tokens.Into(w.embedded, tokens)
	if s.project != nil {
		s.project.Into(w.x, w.embedded, autograd.Identity)
	}
	if s.embedNorm != nil {
		s.embedNorm.Into(w.x, w.x)
	}
}

// read takes the next positions, w.x, through the layer.
func (a *GatedAttention) read(w *workspace, s *layerState) {
	c, in := a.config, w.x
	if c.Prenorm {
		in = w.in
		a.norm.Into(in, w.x)
	}
	s.v.Into(w.values, in, c.Activation)
	s.average.Into(w.average, in, s.averages)
	autograd.ActivateInto(w.average, w.average, autograd.SiLU)
	s.mx.Into(w.gates, w.average, autograd.Identity)
	autograd.QueryKeyInto(w.queries, w.keys, w.z, a.gamma.Variable, a.beta.Variable)
	s.attention.Into(w.attended, w.queries, w.keys, w.values, s.caches)
	autograd.SiLUMulInto(w.attended, w.r, w.attended)
	s.h.AddInto(w.hx, w.attended)
	autograd.ActivateInto(w.hx, w.hx, c.Activation)
	autograd.GatedResidualInto(w.x, w.x, w.u, w.hx)
	if !c.Prenorm {
		a.norm.Into(w.x, w.x)
	}
}

func (f *FeedForward) read(w *workspace, s *layerState) {
	in := w.x
	if f.config.Prenorm {
		in = w.in
		f.norm.Into(in, w.x)
	}
	s.fc1.Into(w.hidden, in, f.config.Activation)
	s.fc2.AddInto(w.x, w.hidden)
	if !f.config.Prenorm {
		f.norm.Into(w.x, w.x)
	}
}
