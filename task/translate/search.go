package translate

import (
	"context"
	"fmt"
	"slices"

	"github.com/mega-go/mega"
	"github.com/mega-go/mega/data"
	"github.com/mega-go/mega/data/pairs"
	"github.com/mega-go/mega/generate"
)

// An Ensemble is the models that translate together, one at least, of the same
// vocabularies.
type Ensemble []*mega.Translator

// check reports models that do not go together.
func (m Ensemble) check() error {
	for i, other := range m[1:] {
		a, b := m[0].Config(), other.Config()
		if a.SourceVocabSize != b.SourceVocabSize || a.TargetVocabSize != b.TargetVocabSize {
			return fmt.Errorf("model %d of the ensemble has vocabularies of %d and %d, the first one of %d and %d",
				i+2, b.SourceVocabSize, b.TargetVocabSize, a.SourceVocabSize, a.TargetVocabSize)
		}
	}
	return nil
}

// Freeze makes the models ready for many searches: see mega.Translator.Freeze.
func (m Ensemble) Freeze() (thaw func()) {
	thaws := make([]func(), len(m))
	for i, model := range m {
		thaws[i] = model.Freeze()
	}
	return func() {
		for _, thaw := range thaws {
			thaw()
		}
	}
}

// positions returns the most positions of source and target that all models
// take.
func (m Ensemble) positions() (source, target int) {
	c := m[0].Config()
	source, target = c.MaxSourcePositions, c.MaxTargetPositions
	for _, other := range m[1:] {
		c = other.Config()
		source, target = min(source, c.MaxSourcePositions), min(target, c.MaxTargetPositions)
	}
	return source, target
}

// search translates the sources of a batch. With sources padded on the left a
// translation may be as long as the longest source of the batch allows, as in
// the reference; on the right as its own does.
func (m Ensemble) search(ctx context.Context, s generate.Searcher, b *pairs.Batch, prefix int) ([][]generate.Hypothesis, error) {
	var sessions []generate.Model
	for _, model := range m {
		session, err := model.NewSession(b.Source, b.Rows, b.SourceLength)
		if err != nil {
			return nil, err
		}
		sessions = append(sessions, generate.Tempered(session, s.Options.Temperature))
	}
	s.Options.Temperature = 1
	model, err := generate.Ensemble(sessions...)
	if err != nil {
		return nil, err
	}
	_, positions := m.positions()
	texts := make([]generate.Text, b.Rows)
	for i := range texts {
		length := int(b.SourceLengths[i])
		if b.LeftPadSource {
			length = b.SourceLength
		}
		texts[i] = generate.Text{
			First: data.EOS, MaxLen: s.Options.MaxLen(length, positions), Source: int(b.SourceLengths[i]) - 1, ID: b.IDs[i],
		}
		if target := b.TargetRow(i); prefix > 0 {
			texts[i].Prefix = slices.Clone(target[:min(prefix, len(target))])
		}
	}
	return s.Search(ctx, model, texts)
}
