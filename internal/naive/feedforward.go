package naive

// FeedForward is the normalised feed-forward network of a block,
// Y = X + W_2·act(W_1·norm(X)), or norm(X + …) without Prenorm
// (normalized_feedforward_network.py:52).
type FeedForward struct {
	Norm       *Norm
	Prenorm    bool
	FC1, FC2   Projection
	Activation func(*Matrix) *Matrix
}

// Forward returns Y for any rows x [R×D].
func (f *FeedForward) Forward(x *Matrix) *Matrix {
	h := x
	if f.Prenorm {
		h = f.Norm.Apply(h)
	}
	y := Add(x, f.FC2.Apply(f.Activation(f.FC1.Apply(h))))
	if !f.Prenorm {
		y = f.Norm.Apply(y)
	}
	return y
}

// Block is one layer of an encoder or decoder: gated attention, then in a
// translator's decoder attention to the source, then the feed-forward network
// unless it has none (mega_layer.py:66, :157).
type Block struct {
	Mega  *GatedAttention
	Cross *CrossAttention // nil but in a translator's decoder
	FFN   *FeedForward    // nil where ffn_embed_dim is 0
}

// Forward returns the layer's output for x [B·L×D] with its masks [B][L].
// encoded [B·S×D] and its masks are the source; blocks without Cross ignore them.
func (b *Block) Forward(x *Matrix, masks [][]bool, encoded *Matrix, sourceMasks [][]bool) *Matrix {
	x = b.Mega.Forward(x, masks)
	if b.Cross != nil {
		x = b.Cross.Forward(x, encoded, sourceMasks)
	}
	if b.FFN != nil {
		x = b.FFN.Forward(x)
	}
	return x
}
