package mega

import (
	"errors"
	"fmt"
	"math"

	"github.com/mega-go/mega/autograd"
	"github.com/mega-go/mega/nn"
)

// Translator maps sequences to sequences: a bidirectional encoder, and a causal
// decoder whose blocks also attend to what the encoder says (reference
// fairseq/models/mega.py).
type Translator struct {
	base[TranslatorConfig]
	source     stack
	target     stack
	projection *nn.Parameter // [V, D]
	frozen     *readyWeights // nil unless frozen
	home                     // of sessions
	precision                // of sessions
}

// NewTranslator returns a model with initial parameters fixed by config.Seed,
// or an error that lists what is wrong with the configuration.
func NewTranslator(config TranslatorConfig) (*Translator, error) {
	return NewTranslatorOf(nn.NewParams(config.Seed), config)
}

// NewTranslatorOf is NewTranslator with parameters registered in an empty set,
// as NewClassifierOf does.
func NewTranslatorOf(params *nn.Params, config TranslatorConfig) (*Translator, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	return buildTranslator(params, config)
}

// buildTranslator registers the model of a valid configuration, with vocabularies of any size.
func buildTranslator(params *nn.Params, config TranslatorConfig) (*Translator, error) {
	m := &Translator{base: base[TranslatorConfig]{config, params}}
	table, err := m.newEncoder(m.params.Root().Sub("encoder"))
	if err != nil {
		return nil, err
	}
	return m, m.newDecoder(m.params.Root().Sub("decoder"), table)
}

// newEncoder registers the encoder and returns its table of embeddings.
func (m *Translator) newEncoder(p nn.Path) (*nn.Embedding, error) {
	c := m.config
	block, err := c.encoderBlock()
	if err != nil {
		return nil, err
	}
	table := nn.NewEmbedding(p.Sub("embed_tokens"), c.SourceVocabSize, c.EncoderEmbedDim, Pad, true)
	table.Scale = c.embedScale(c.EncoderEmbedDim)
	m.source = newStack(p, block, c.sourceOptions())
	m.source.embedTokens(table)
	return table, nil
}

// newDecoder registers the decoder. source is the encoder's table, which it may
// share.
func (m *Translator) newDecoder(p nn.Path, source *nn.Embedding) error {
	c := m.config
	block, err := c.decoderBlock()
	if err != nil {
		return err
	}
	table := c.targetEmbedding(p.Sub("embed_tokens"), source)
	m.target = newStack(p, block, c.targetOptions())
	m.target.embedTokens(table)
	if c.sharedOutput() {
		m.projection = table.Weight
		p.Sub("output_projection").Alias("weight", m.projection)
	} else {
		m.projection = nn.NewEmbedding(p.Sub("output_projection"), c.TargetVocabSize, c.DecoderEmbedDim, -1, false).Weight
	}
	return nil
}

func (c TranslatorConfig) sourceOptions() stackOptions {
	return stackOptions{
		layers: c.EncoderLayers, inputDim: c.EncoderEmbedDim,
		normalizeEmbed: c.NormalizeEmbedding, finalAffine: true,
	}
}

func (c TranslatorConfig) targetOptions() stackOptions {
	return stackOptions{
		layers: c.DecoderLayers, inputDim: c.DecoderInputDim,
		normalizeEmbed: c.NormalizeEmbedding, finalAffine: true,
		crossAttendWithin: max(c.MaxSourcePositions, c.MaxTargetPositions),
	}
}

// targetEmbedding registers the decoder's table, or names the shared one.
func (c TranslatorConfig) targetEmbedding(p nn.Path, source *nn.Embedding) *nn.Embedding {
	scale := c.embedScale(c.DecoderEmbedDim)
	if c.ShareAllEmbeddings {
		p.Alias("weight", source.Weight)
		return &nn.Embedding{Weight: source.Weight, Scale: scale, Padding: Pad}
	}
	table := nn.NewEmbedding(p, c.TargetVocabSize, c.DecoderInputDim, Pad, true)
	table.Scale = scale
	return table
}

func (c TranslatorConfig) embedScale(dim int) float32 {
	if c.NoScaleEmbedding {
		return 1
	}
	return float32(math.Sqrt(float64(dim)))
}

// Encode reads sources [B, S], padded with <pad> on either side.
func (m *Translator) Encode(t *autograd.Tape, tokens []int32, rows, length int) (Encoded, error) {
	c := m.config
	if err := checkText("source", tokens, rows, length, c.SourceVocabSize, c.MaxSourcePositions); err != nil {
		return Encoded{}, err
	}
	x, mask, err := m.source.forward(t, &Input{Rows: rows, Length: length, Tokens: tokens}, nil)
	if err != nil {
		return Encoded{}, fmt.Errorf("source: %w", err)
	}
	return Encoded{Output: x, Mask: mask}, nil
}

// Decode returns scores [B, L, V] of the word that follows each prefix of
// targets [B, L], given the encoded sources of the same batch.
func (m *Translator) Decode(t *autograd.Tape, source Encoded, tokens []int32, rows, length int) (*autograd.Variable, error) {
	c := m.config
	if err := checkText("target", tokens, rows, length, c.TargetVocabSize, c.MaxTargetPositions); err != nil {
		return nil, err
	}
	if err := source.check(rows); err != nil {
		return nil, err
	}
	x, _, err := m.target.forward(t, &Input{Rows: rows, Length: length, Tokens: tokens}, &source)
	if err != nil {
		return nil, fmt.Errorf("target: %w", err)
	}
	return t.Linear(x, m.projection.Variable, nil, autograd.Identity), nil
}

// Loss returns the summed cross-entropy, label-smoothed, of targets [B, L] given
// the tokens of sources [B, S] and those of the targets shifted right by one,
// [B, L]; targets of <pad> do not count.
func (m *Translator) Loss(t *autograd.Tape, source, shifted *Input, targets []int32, smoothing float64) (autograd.Loss, error) {
	if err := checkText("target", targets, shifted.Rows, shifted.Length, m.config.TargetVocabSize, shifted.Length); err != nil {
		return autograd.Loss{}, err
	}
	if !(smoothing >= 0 && smoothing < 1) {
		return autograd.Loss{}, fmt.Errorf("label smoothing of %g, want a share from 0 to below 1", smoothing)
	}
	encoded, err := m.Encode(t, source.Tokens, source.Rows, source.Length)
	if err != nil {
		return autograd.Loss{}, err
	}
	logits, err := m.Decode(t, encoded, shifted.Tokens, shifted.Rows, shifted.Length)
	if err != nil {
		return autograd.Loss{}, err
	}
	return t.CrossEntropy(logits, targets, Pad, smoothing), nil
}

// check reports an encoded source with another number of texts.
func (e Encoded) check(rows int) error {
	if e.Output == nil {
		return errors.New("no encoded source: want the result of Encode")
	}
	if got := e.Output.Shape()[0]; got != rows {
		return fmt.Errorf("%d encoded sources for %d targets", got, rows)
	}
	return nil
}

// checkText reports what is wrong with a batch of texts.
func checkText(what string, tokens []int32, rows, length, vocab, limit int) error {
	in := Input{Rows: rows, Length: length, Tokens: tokens}
	if err := in.check(ClassifierConfig{InputType: InputText, VocabSize: vocab}); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if length > limit {
		return fmt.Errorf("%s of %d tokens, but the model takes at most %d", what, length, limit)
	}
	return nil
}
