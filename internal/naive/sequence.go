package naive

import "fmt"

// LanguageModel predicts each next token (models/mega_lm.py).
type LanguageModel struct {
	Decoder *Stack
	Out     Projection       // where Softmax is nil
	Softmax *AdaptiveSoftmax // where the vocabulary is in bands
	// Smoothing is label_smoothing, where the criterion has it.
	Smoothing float64
}

func (l *loader) languageModel() *LanguageModel {
	m := &LanguageModel{Smoothing: l.smoothing()}
	embed := l.decoderEmbedding()
	o := l.sequenceLayout("decoder", true)
	m.Decoder = l.stack(o, embed, embedScale(l.int("decoder_embed_dim", 0), l.flag("no_scale_embedding")))
	if l.args["adaptive_softmax_cutoff"] != nil {
		m.Softmax = l.adaptiveSoftmax()
	} else {
		m.Out = l.outputProjection()
	}
	return m
}

func (m *LanguageModel) forward(b Batch) *Output {
	return m.output(m.Decoder.Forward(b.Tokens, nil, nil))
}

func (m *LanguageModel) output(features *Matrix) *Output {
	out := &Output{Features: features}
	if m.Softmax == nil {
		out.Logits = m.Out.Apply(features)
	}
	return out
}

func (m *LanguageModel) loss(out *Output, target []int) *Matrix {
	if m.Softmax != nil {
		return m.Softmax.Loss(out.Features, target)
	}
	return LabelSmoothedCrossEntropy(out.Logits, target, m.Smoothing, Pad)
}

// Translator reads a source sentence and predicts each next token of its
// translation (models/mega.py).
type Translator struct {
	Encoder, Decoder *Stack
	Out              Projection
	Smoothing        float64
}

func (l *loader) translator() *Translator {
	source := l.matrix("encoder.embed_tokens.weight")
	if l.flag("share_all_embeddings") {
		l.tie("decoder.embed_tokens.weight", source)
	}
	unscaled := l.flag("no_scale_embedding")
	embed := func(tokens []int) *Matrix { return TokenEmbedding(source, tokens) }
	return &Translator{
		Encoder:   l.stack(l.sequenceLayout("encoder", false), embed, embedScale(source.Cols, unscaled)),
		Decoder:   l.stack(l.sequenceLayout("decoder", true), l.decoderEmbedding(), embedScale(l.int("decoder_embed_dim", 0), unscaled)),
		Out:       l.outputProjection(),
		Smoothing: l.smoothing(),
	}
}

func (m *Translator) forward(b Batch) *Output {
	encoded := m.Encoder.Forward(b.Tokens, nil, nil)
	features := m.Decoder.Forward(b.Prev, encoded, padMasks(b.Tokens))
	return &Output{Features: features, Logits: m.Out.Apply(features)}
}

func (m *Translator) loss(out *Output, target []int) *Matrix {
	return LabelSmoothedCrossEntropy(out.Logits, target, m.Smoothing, Pad)
}

func (l *loader) smoothing() float64 {
	if l.text("criterion", "") != "label_smoothed_cross_entropy" {
		return 0
	}
	return l.number("label_smoothing", 0)
}

// sequenceLayout returns the layout of the side, encoder or decoder, of a
// language model or translator.
func (l *loader) sequenceLayout(side string, causal bool) layout {
	return layout{
		prefix: side + ".",
		layers: l.int(side+"_layers", 0),
		attention: AttentionOptions{
			Function: l.text("attention_activation_fn", "softmax"),
			Causal:   causal,
			Chunk:    l.int(side+"_chunk_size", -1),
		},
		truncation: l.int("truncation_length", 0),
		bias:       l.text("rel_pos_bias", "simple"),
		norm:       l.text("normalization_type", "layernorm"),
		prenorm:    l.flag("normalize_before"),
		normEmbed:  l.flag("normalize_embedding"),
		affine:     side == "encoder" || !l.flag("no_affine_final_norm"),
	}
}

func (l *loader) decoderEmbedding() func(tokens []int) *Matrix {
	if l.flag("adaptive_input") {
		return l.adaptiveInput().Apply
	}
	table := l.matrix("decoder.embed_tokens.weight")
	return func(tokens []int) *Matrix { return TokenEmbedding(table, tokens) }
}

func (l *loader) outputProjection() Projection {
	const name = "decoder.output_projection.weight"
	if l.flag("share_decoder_input_output_embed") || l.flag("share_all_embeddings") {
		return Projection{Weight: l.tie(name, l.matrix("decoder.embed_tokens.weight"))}
	}
	return Projection{Weight: l.matrix(name)}
}

func (l *loader) adaptiveInput() *AdaptiveInput {
	a := &AdaptiveInput{Cutoff: l.ints("adaptive_input_cutoff")}
	for i := 0; l.has(bandName(i, 0)); i++ {
		a.Words = append(a.Words, l.matrix(bandName(i, 0)))
		a.Proj = append(a.Proj, l.matrix(bandName(i, 1)))
	}
	if n := len(a.Cutoff); n < len(a.Words) {
		a.Cutoff = append(a.Cutoff, a.Cutoff[n-1]+a.Words[n].Rows)
	}
	return a
}

// bandName is the name of the embedding (part 0) or projection (part 1) of a band.
func bandName(band, part int) string {
	return fmt.Sprintf("decoder.embed_tokens.embeddings.%d.%d.weight", band, part)
}

// adaptiveSoftmax loads the output bands, which with tie_adaptive_weights are the
// input's (modules/adaptive_softmax.py:81, :96).
func (l *loader) adaptiveSoftmax() *AdaptiveSoftmax {
	const prefix = "decoder.adaptive_softmax."
	a := &AdaptiveSoftmax{Cutoff: l.ints("adaptive_softmax_cutoff"), Head: l.adaptiveHead(prefix + "head.")}
	for i := 0; l.has(fmt.Sprintf("%stail.%d.2.weight", prefix, i)); i++ {
		tail, words := l.adaptiveTail(fmt.Sprintf("%stail.%d.", prefix, i), i+1)
		a.Tail = append(a.Tail, tail)
		if i+1 == len(a.Cutoff) {
			a.Cutoff = append(a.Cutoff, a.Cutoff[i]+words)
		}
	}
	return a
}

func (l *loader) adaptiveHead(prefix string) func(*Matrix) *Matrix {
	if !l.flag("tie_adaptive_weights") {
		head := l.projection(prefix[:len(prefix)-1])
		return head.Apply
	}
	words := l.tie(prefix+"word_proj.weight", l.matrix(bandName(0, 0)))
	classes := l.matrix(prefix + "class_proj.weight")
	return func(x *Matrix) *Matrix { return ConcatCols(Linear(x, words, nil), Linear(x, classes, nil)) }
}

func (l *loader) adaptiveTail(prefix string, band int) (tail func(*Matrix) *Matrix, words int) {
	if !l.flag("tie_adaptive_weights") {
		proj, out := l.projection(prefix+"0"), l.projection(prefix+"2")
		return func(x *Matrix) *Matrix { return out.Apply(proj.Apply(x)) }, out.Weight.Rows
	}
	out := l.tie(prefix+"2.weight", l.matrix(bandName(band, 0)))
	if !l.flag("tie_adaptive_proj") {
		proj := l.projection(prefix + "0")
		return func(x *Matrix) *Matrix { return Linear(proj.Apply(x), out, nil) }, out.Rows
	}
	proj := l.tie(prefix+"0.weight", l.matrix(bandName(band, 1))) // [D×d], used the other way round
	return func(x *Matrix) *Matrix { return Linear(MatMul(x, proj), out, nil) }, out.Rows
}
