package translate

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"math"

	"github.com/mega-go/mega/bleu"
	"github.com/mega-go/mega/data/bpe"
	"github.com/mega-go/mega/data/moses"
	"github.com/mega-go/mega/generate"
	"github.com/mega-go/mega/internal/cuda/device"
	"github.com/mega-go/mega/internal/literal"
	"github.com/mega-go/mega/train"
)

// Words for <unk> that never match each other and that no tokeniser splits
// (tasks/translation.py:396-404).
const (
	unknownInReference  = "UNKNOWNTOKENINREF"
	unknownInHypothesis = "UNKNOWNTOKENINHYP"
)

// bleuEvaluation measures the BLEU of translations in validation.
type bleuEvaluation struct {
	config    DataConfig
	searcher  generate.Searcher
	tokeniser bleu.Tokeniser
	detok     func(string) string
}

func newBLEUEvaluation(c DataConfig) (*bleuEvaluation, error) {
	e := &bleuEvaluation{config: c, searcher: generate.Searcher{Options: generate.DefaultOptions()}}
	if err := literal.Unmarshal(cmp.Or(c.EvalBLEUArgs, "{}"), &e.searcher.Options); err != nil {
		return nil, fmt.Errorf("eval_bleu_args: %w", err)
	}
	if err := e.searcher.Options.Validate(); err != nil {
		return nil, fmt.Errorf("eval_bleu_args: %w", err)
	}
	name := "13a"
	if c.EvalTokenizedBLEU {
		name = "none"
	}
	var err error
	if e.tokeniser, err = bleu.FindTokeniser(name); err != nil {
		return nil, err
	}
	e.detok, err = detokeniser(c)
	return e, err
}

// detokeniser returns what puts tokens together before BLEU.
func detokeniser(c DataConfig) (func(string) string, error) {
	var args struct {
		SourceLang string `json:"moses_source_lang"`
		TargetLang string `json:"moses_target_lang"`
	}
	if err := literal.Unmarshal(cmp.Or(c.EvalBLEUDetokArgs, "{}"), &args); err != nil {
		return nil, fmt.Errorf("eval_bleu_detok_args: %w", err)
	}
	switch c.EvalBLEUDetok {
	case "space", "":
		return func(s string) string { return s }, nil
	case "moses":
		lang := c.TargetLang
		if args.TargetLang != "" {
			lang = args.TargetLang
		}
		return moses.New(lang).Detokenise, nil
	}
	return nil, fmt.Errorf("eval_bleu_detok is %q, want space or moses", c.EvalBLEUDetok)
}

// run translates a split and returns BLEU, rounded as the reference
// does. Processes share the batches.
func (e *bleuEvaluation) run(ctx context.Context, b batches, ev *train.Evaluator) (_ float64, err error) {
	defer device.Finish(&err, b.task.model.EndSessions) // training needs the memory
	defer b.task.model.Freeze()()
	comm := ev.Communicator()
	var sum bleu.Stats
	for i := comm.Rank(); i < len(b.order); i += comm.Size() {
		stats, err := e.batch(ctx, b, b.order[i])
		if err != nil {
			return 0, err
		}
		sum.Add(stats)
		ev.Tick(i+1, len(b.order))
	}
	vector := bleuVector(sum)
	if err := comm.Sum64("n-grams of translations", vector); err != nil {
		return 0, err
	}
	return math.Round(bleuStats(vector).Score(4, true)*100) / 100, nil
}

func (e *bleuEvaluation) batch(ctx context.Context, split batches, indices []int) (bleu.Stats, error) {
	var sum bleu.Stats
	t := split.task
	b, err := split.split.Collate(indices, t.config.padding())
	if err != nil {
		return sum, err
	}
	found, err := Ensemble{t.model}.search(ctx, e.searcher, b, 0)
	if err != nil {
		return sum, err
	}
	for i, hypotheses := range found {
		hypothesis := e.text(t.corpus, hypotheses[0].Tokens, unknownInHypothesis)
		reference := e.text(t.corpus, b.TargetRow(i), unknownInReference)
		if e.config.EvalBLEUPrintSamples && i == 0 {
			slog.Info("example", "hypothesis", hypothesis, "reference", reference)
		}
		sum.Add(bleu.Sentence(e.tokeniser.Part(hypothesis), e.tokeniser.Part(reference)))
	}
	return sum, nil
}

func (e *bleuEvaluation) text(c *Corpus, tokens []int32, unknown string) string {
	words := c.Target.Decode(tokens, unknown)
	if c.Pieces != nil {
		return e.detok(c.Pieces.Join(words))
	}
	return e.detok(bpe.Remove(words, e.config.EvalBLEURemoveBPE))
}

// bleuVector and bleuStats turn statistics into numbers that can be summed over
// processes, and back.
func bleuVector(s bleu.Stats) []float64 {
	v := []float64{float64(s.Length), float64(s.RefLength)}
	for n := range s.Matches {
		v = append(v, float64(s.Matches[n]), float64(s.Totals[n]))
	}
	return v
}

func bleuStats(v []float64) bleu.Stats {
	s := bleu.Stats{Length: int(v[0]), RefLength: int(v[1])}
	for n := range s.Matches {
		s.Matches[n], s.Totals[n] = int(v[2+2*n]), int(v[3+2*n])
	}
	return s
}
