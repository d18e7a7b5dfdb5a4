package naive

import "math"

// Pad is the id of the padding symbol (data/dictionary.py:34).
const Pad = 1

// Embedding returns the rows of table [V×D] that tokens name, [len(tokens)×D].
func Embedding(table *Matrix, tokens []int) *Matrix {
	return Gather(table, len(tokens), table.Cols, func(i, j int) int { return tokens[i]*table.Cols + j })
}

// TokenEmbedding is Embedding of token ids, of which Pad has a row that no
// gradient goes to (padding_idx of torch.nn.Embedding).
func TokenEmbedding(table *Matrix, tokens []int) *Matrix {
	y := Gather(table, len(tokens), table.Cols, func(i, j int) int {
		if tokens[i] == Pad {
			return -1
		}
		return tokens[i]*table.Cols + j
	})
	for i, id := range tokens {
		if id == Pad {
			copy(y.Row(i), table.Row(id))
		}
	}
	return y
}

// RealEmbedding returns x_t·weight + bias for numbers x (pixels, samples), those of
// C channels side by side, weight [C×D] and bias [1×D]: [len(x)/C×D] (modules/real_number_embedding.py:25).
func RealEmbedding(weight, bias *Matrix, x []float64) *Matrix {
	return Add(MatMul(New(len(x)/weight.Rows, weight.Rows, x), weight), bias)
}

// AdaptiveInput embeds the words of a band, cutoff[i−1] ≤ id < cutoff[i], with
// fewer numbers the rarer they are, and projects all to D (Baevski and Auli
// 2019; modules/adaptive_input.py:67).
type AdaptiveInput struct {
	Cutoff []int     // ascending; the last is V
	Words  []*Matrix // band i: [words×d_i]
	Proj   []*Matrix // band i: [D×d_i]
}

// Apply returns the embeddings of tokens, [len(tokens)×D].
func (a *AdaptiveInput) Apply(tokens []int) *Matrix {
	rows := make([]*Matrix, len(tokens))
	for i, id := range tokens {
		band, first := bandOf(a.Cutoff, id)
		embed := Embedding
		if band == 0 { // the others have no padding_idx (modules/adaptive_input.py:46)
			embed = TokenEmbedding
		}
		rows[i] = Linear(embed(a.Words[band], []int{id - first}), a.Proj[band], nil)
	}
	return ConcatRows(rows...)
}

// bandOf returns the band that id lies in and the band's first id.
func bandOf(cutoff []int, id int) (band, first int) {
	for id >= cutoff[band] {
		first = cutoff[band]
		band++
	}
	return band, first
}

// Embedder turns a stack's input tokens into its first hidden states.
type Embedder struct {
	Tokens    func(tokens []int) *Matrix
	Scale     float64     // √D, or 1 with no_scale_embedding and in classifiers
	ProjectIn *Projection // where decoder_input_dim is not decoder_embed_dim
	Norm      *Norm       // normalize_embedding
}

// Apply returns norm(projection(scale·embedding)) of a batch of tokens [B][L] with
// 0 at the padding, [B·L×D] (models/mega_lm.py:382).
func (e *Embedder) Apply(tokens [][]int) *Matrix {
	var flat []int
	for _, sequence := range tokens {
		flat = append(flat, sequence...)
	}
	x := Scale(e.Tokens(flat), e.Scale)
	if e.ProjectIn != nil {
		x = e.ProjectIn.Apply(x)
	}
	if e.Norm != nil {
		x = e.Norm.Apply(x)
	}
	return zeroRows(x, flatten(padMasks(tokens)))
}

func embedScale(dim int, unscaled bool) float64 {
	if unscaled {
		return 1
	}
	return math.Sqrt(float64(dim))
}

// padMasks returns where tokens are padding.
func padMasks(tokens [][]int) [][]bool {
	masks := make([][]bool, len(tokens))
	for b, sequence := range tokens {
		masks[b] = make([]bool, len(sequence))
		for t, id := range sequence {
			masks[b][t] = id == Pad
		}
	}
	return masks
}

// noMasks returns the masks of a batch without padding.
func noMasks(batch, length int) [][]bool {
	masks := make([][]bool, batch)
	for b := range masks {
		masks[b] = make([]bool, length)
	}
	return masks
}

func flatten(masks [][]bool) []bool {
	var flat []bool
	for _, m := range masks {
		flat = append(flat, m...)
	}
	return flat
}

// padToChunk appends padding up to a multiple of the chunk to sequences longer
// than it (models/mega_lm.py:375).
func padToChunk(tokens [][]int, chunk int) [][]int {
	length := len(tokens[0])
	if chunk <= 0 || length <= chunk || length%chunk == 0 {
		return tokens
	}
	padded := make([][]int, len(tokens))
	for b, sequence := range tokens {
		padded[b] = append([]int(nil), sequence...)
		for range chunk - length%chunk {
			padded[b] = append(padded[b], Pad)
		}
	}
	return padded
}
