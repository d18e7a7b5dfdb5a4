package translate

import (
	"cmp"
	"context"
	"fmt"
	"io"

	"github.com/mega-go/mega"
	"github.com/mega-go/mega/generate"
	"github.com/mega-go/mega/internal/literal"
	"github.com/mega-go/mega/train"
)

// Evaluate translates a split as validation does: in batches of its size, with
// the search and the subwords put together that eval_bleu_args and
// eval_bleu_remove_bpe say.
func (t *Task) Evaluate(ctx context.Context, m *mega.Translator, split string) (*Generation, error) {
	g, err := t.generation(m, split)
	if err != nil {
		return nil, err
	}
	return g.run(ctx, train.NewEvaluator(train.Alone{}, nil))
}

// CheckEvaluation fails where Evaluate would for want of fitting data or settings.
func (t *Task) CheckEvaluation(split string) error {
	_, err := t.generation(t.model, split)
	return err
}

func (t *Task) generation(m *mega.Translator, split string) (*generation, error) {
	s := generate.Searcher{Options: generate.DefaultOptions()}
	if err := literal.Unmarshal(cmp.Or(t.config.EvalBLEUArgs, "{}"), &s.Options); err != nil {
		return nil, fmt.Errorf("eval_bleu_args: %w", err)
	}
	o := DefaultGenerateOptions()
	o.Quiet, o.RemoveBPE, o.SacreBLEU = true, t.config.EvalBLEURemoveBPE, t.config.EvalBLEU && !t.config.EvalTokenizedBLEU
	o.Subset = split
	t.corpus.config.BatchSize, t.corpus.config.MaxTokens = t.config.validSize() // training's batches are cut
	return newGeneration(Ensemble{m}, t.corpus, s, o, io.Discard)
}

// Finite reports whether the loss is a number. BLEU always is.
func (s *Generation) Finite() bool { return true }

// Line says how translations are in a line.
func (s *Generation) Line() string {
	text := fmt.Sprintf("%s: %d sentences in %.1f s, beam %d", s.Split, s.Sentences, s.Seconds, s.Beam)
	switch {
	case s.BLEU != nil:
		text += ": " + s.BLEU.Tokenised(4)
	case s.Sacre != nil:
		text += ": " + s.Sacre.String()
	}
	return text
}
