package naive

// State is what a language model carries from one token of a sequence to the
// next: in each layer the averages of the EMA, and the keys and values since the
// chunk's start. The zero State is that of an empty sequence.
type State struct {
	layers []layerState
}

type layerState struct {
	ema          *Matrix // [D×N]
	keys, values *Matrix // [n×Z], [n×H]: of the chunk's tokens so far
}

// Step returns the output for the next token of one sequence, [1×D] features and
// logits unless softmax is adaptive, and moves the state past it. It is Forward
// over the sequence so far, but that the EMA is never truncated
// (exponential_moving_average.py:147, moving_average_gated_attention.py:246). The
// token may not be padding.
func (m *LanguageModel) Step(s *State, token int) *Output {
	if s.layers == nil {
		s.layers = make([]layerState, len(m.Decoder.Blocks))
	}
	x := m.Decoder.Embedder.Apply([][]int{{token}})
	for i, b := range m.Decoder.Blocks {
		x = b.Mega.step(x, &s.layers[i])
		if b.FFN != nil {
			x = b.FFN.Forward(x)
		}
	}
	if norm := m.Decoder.FinalNorm; norm != nil {
		x = norm.Apply(x)
	}
	return m.output(x)
}

// step is Forward for the next position x [1×D].
func (g *GatedAttention) step(x *Matrix, s *layerState) *Matrix {
	normed := g.normBefore(x)
	v := g.Activation(g.V.Apply(normed))
	var mx *Matrix
	mx, s.ema = g.EMA.Step(normed, s.ema)
	gates := g.gates(mx)

	if s.keys == nil || s.keys.Rows == g.Attention.Chunk { // a new chunk
		s.keys, s.values = gates.k, v
	} else {
		s.keys, s.values = ConcatRows(s.keys, gates.k), ConcatRows(s.values, v)
	}
	n := s.keys.Rows
	bias := Rows(g.Bias(n), n-1, n)
	all := AttentionOptions{Function: g.Attention.Function} // no key lies ahead
	return g.output(x, attendChunk(gates.q, s.keys, s.values, bias, nil, all), gates)
}
