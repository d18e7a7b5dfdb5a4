package mega

import "github.com/mega-go/mega/nn"

// ParameterCount returns the number of trainable numbers of a classifier with
// this configuration, 0 if it is not valid. It allocates none of them.
func (c ClassifierConfig) ParameterCount() int {
	b, err := c.block()
	if err != nil {
		return 0
	}
	d := c.EncoderEmbedDim
	n := 2 * d // of numbers
	if c.Tokens() {
		n = c.VocabSize * d
	}
	n += b.stackCount(c.stackOptions())
	in := c.ClassifierInDim
	for range c.ClassifierLayers {
		n += (in + 1) * c.ClassifierOutDim
		in = c.ClassifierOutDim
	}
	return n + in*c.SentenceClassNum
}

// ParameterCount returns the number of trainable numbers of a language model
// with this configuration, 0 if it is not valid. It allocates none of them.
func (c LanguageModelConfig) ParameterCount() int {
	b, err := c.block()
	if err != nil {
		return 0
	}
	n := b.stackCount(c.stackOptions()) + c.inputCount()
	switch {
	case c.Adaptive():
		n += c.adaptiveSoftmaxCount()
	case !c.ShareDecoderInputOutputEmbed:
		n += c.VocabSize * c.DecoderEmbedDim
	}
	return n
}

// inputCount counts the embedding.
func (c LanguageModelConfig) inputCount() int {
	if !c.AdaptiveInput {
		return c.VocabSize * c.DecoderInputDim
	}
	bands, err := nn.NewBands(c.AdaptiveInputCutoff, c.VocabSize)
	if err != nil {
		return 0
	}
	n := 0
	for i := range bands {
		n += (bands.Size(i) + c.DecoderEmbedDim) * nn.BandWidth(c.DecoderInputDim, c.AdaptiveInputFactor, i)
	}
	return n
}

// adaptiveSoftmaxCount counts what the adaptive softmax does not share with the
// input.
func (c LanguageModelConfig) adaptiveSoftmaxCount() int {
	bands, err := nn.NewBands(c.AdaptiveSoftmaxCutoff, c.VocabSize)
	if err != nil {
		return 0
	}
	rare := len(bands) - 1
	n := rare * c.DecoderEmbedDim
	if !c.TieAdaptiveWeights {
		n += bands[0] * c.DecoderEmbedDim
	}
	for i := range rare {
		width := nn.BandWidth(c.DecoderEmbedDim, c.AdaptiveSoftmaxFactor, i+1)
		if !c.TieAdaptiveWeights {
			n += bands.Size(i+1) * width
		}
		if !c.TieAdaptiveWeights || !c.TieAdaptiveProj {
			n += c.DecoderEmbedDim * width
		}
	}
	return n
}

// ParameterCount returns the number of trainable numbers of a translator with
// this configuration, 0 if it is not valid. It allocates none of them.
func (c TranslatorConfig) ParameterCount() int {
	source, err := c.encoderBlock()
	if err != nil {
		return 0
	}
	target, err := c.decoderBlock()
	if err != nil {
		return 0
	}
	n := c.SourceVocabSize * c.EncoderEmbedDim
	n += source.stackCount(c.sourceOptions()) + target.stackCount(c.targetOptions())
	if !c.ShareAllEmbeddings {
		n += c.TargetVocabSize * c.DecoderInputDim
	}
	if !c.sharedOutput() {
		n += c.TargetVocabSize * c.DecoderEmbedDim
	}
	return n
}

// stackCount counts a stack without its embedding.
func (b BlockConfig) stackCount(o stackOptions) int {
	block := b.ParameterCount()
	if o.crossAttendWithin > 0 {
		block += b.crossCount(o.crossAttendWithin)
	}
	n := o.layers * block
	if o.inputDim != b.EmbedDim {
		n += o.inputDim * b.EmbedDim
	}
	if o.normalizeEmbed {
		n += b.normCount()
	}
	if b.Prenorm && o.finalAffine {
		n += b.normCount()
	}
	return n
}

// ParameterCount returns the number of trainable numbers of one block.
func (b BlockConfig) ParameterCount() int {
	d, h, f, z := b.EmbedDim, b.HiddenDim, b.FFNDim, b.ZDim
	channels := d
	if b.Bidirectional {
		channels = 2 * d
	}
	n := 4*z + channels*b.NDim*4 + d + b.normCount()
	n += (d+1)*h + (d+1)*(z+h+2*d) + (h+1)*d
	n += b.biasCount(b.biasLength())
	if f > 0 {
		n += (d+1)*f + (f+1)*d + b.normCount()
	}
	return n
}

// crossCount counts an attention to a source that reaches so many positions.
func (b BlockConfig) crossCount(reach int) int {
	d, z := b.EmbedDim, b.ZDim
	return b.normCount() + (d+1)*(z+d+2*d+z+d) + b.biasCount(reach)
}

// biasCount counts a relative position bias.
func (b BlockConfig) biasCount(reach int) int {
	if b.RelPosBias == RelPosRotary {
		return 2 * b.ZDim
	}
	return 2*reach - 1
}

// normCount counts one norm.
func (b BlockConfig) normCount() int {
	switch {
	case !b.NormAffine:
		return 0
	case b.Norm == nn.ScaleNorm:
		return 1
	case b.Norm == nn.RMSNorm:
		return b.EmbedDim
	}
	return 2 * b.EmbedDim
}
