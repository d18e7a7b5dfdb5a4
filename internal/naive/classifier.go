package naive

import "fmt"

// Classifier names the class of a text, of a pair of texts, or of a sequence of
// pixels or samples (models/lra/model.py, models/speech_commands/model.py).
type Classifier struct {
	Encoder *Stack
	// Values embeds pixels and samples; nil where the input is text.
	Values func(x []float64) *Matrix
	Cls    bool // take the first position and not the mean
	Head   ClassifierHead
}

func (l *loader) classifier() *Classifier {
	const prefix = "encoder.encoder."
	o := layout{
		prefix:     prefix,
		layers:     l.int("encoder_layers", 0),
		attention:  AttentionOptions{Function: l.text("attention_activation_fn", "softmax"), Chunk: l.int("chunk_size", -1)},
		truncation: l.int("truncation_length", 0),
		bias:       l.text("rel_pos_bias", "simple"),
		norm:       l.text("norm_type", "layernorm"),
		prenorm:    l.flag("encoder_normalize_before"),
		normEmbed:  l.flag("normalize_embedding"),
		affine:     true,
	}
	c := &Classifier{Cls: l.text("sen_rep_type", "mp") == "cls"}
	var embed func([]int) *Matrix
	if l.has(prefix + "embed_tokens.embed.weight") {
		table := l.matrix(prefix + "embed_tokens.embed.weight")
		embed = func(tokens []int) *Matrix { return TokenEmbedding(table, tokens) }
	} else {
		weight, bias := l.matrix(prefix+"embed_tokens.weight"), l.matrix(prefix+"embed_tokens.bias")
		c.Values = func(x []float64) *Matrix { return RealEmbedding(weight, bias, x) }
	}
	c.Encoder = l.stack(o, embed, 1)
	for i := range l.int("classifier_layers", 1) {
		c.Head.Layers = append(c.Head.Layers, l.projection(fmt.Sprintf("classifier.%d.0", i)))
	}
	c.Head.Activation = l.activation("classifier_activation_fn", "gelu")
	c.Head.Out = l.projection("sentence_projection_layer")
	return c
}

func (c *Classifier) forward(b Batch) *Output {
	var x *Matrix
	if c.Values != nil {
		x = c.encodeValues(b.Values, b.Lengths)
	} else {
		x = c.encodeTokens(b.Tokens, b.Lengths)
	}
	if b.Tokens2 != nil { // the second text comes first (models/lra/model.py:190)
		x = ConcatCols(c.encodeTokens(b.Tokens2, b.Lengths2), x)
	}
	return &Output{Logits: c.Head.Apply(x)}
}

func (c *Classifier) encodeTokens(tokens [][]int, lengths []int) *Matrix {
	return c.pool(c.Encoder.Forward(tokens, nil, nil), len(tokens), lengths)
}

func (c *Classifier) encodeValues(values [][]float64, lengths []int) *Matrix {
	var flat []float64
	for _, sequence := range values {
		flat = append(flat, sequence...)
	}
	x := c.Values(flat)
	if norm := c.Encoder.Embedder.Norm; norm != nil {
		x = norm.Apply(x)
	}
	return c.pool(c.Encoder.layers(x, noMasks(len(values), x.Rows/len(values)), nil, nil), len(values), lengths)
}

func (c *Classifier) pool(x *Matrix, batch int, lengths []int) *Matrix {
	if c.Cls {
		return FirstPool(x, batch)
	}
	if lengths == nil {
		for range batch {
			lengths = append(lengths, x.Rows/batch)
		}
	}
	return MeanPool(x, lengths)
}

func (c *Classifier) loss(out *Output, target []int) *Matrix {
	return CrossEntropy(out.Logits, target, NoPad)
}
