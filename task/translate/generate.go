package translate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/mega-go/mega/bleu"
	"github.com/mega-go/mega/data/pairs"
	"github.com/mega-go/mega/generate"
	"github.com/mega-go/mega/train"
)

// GenerateOptions say what Generate translates and what it writes. The
// JSON names are the reference's argument names.
type GenerateOptions struct {
	TextConfig
	Subset         string `json:"gen_subset" help:"split to translate"`
	ScoreReference bool   `json:"score_reference" help:"do not translate: score the references"`
	PrefixSize     int    `json:"prefix_size" help:"tokens of each reference that its translation begins with"`
	SacreBLEU      bool   `json:"sacrebleu" help:"sacreBLEU (13a) in place of BLEU of the tokens"`
	Scoring        string `json:"scoring" help:"bleu or sacrebleu"`
	PrintAlignment bool   `json:"print_alignment" help:"print the source word that each word of a translation attends to most"`
	Quiet          bool   `json:"quiet" help:"print only the score"`
	MaxSource      int    `json:"max_source_positions" range:"0," help:"leave out pairs with a longer source; 0 for what the model takes"`
	MaxTarget      int    `json:"max_target_positions" range:"0," help:"leave out pairs with a longer target; 0 for what the model takes"`
	NumShards      int    `json:"num_shards" range:"1," help:"divide the batches into this many parts and translate one"`
	ShardID        int    `json:"shard_id" range:"0," help:"which part, from 0"`
	Workers        int    `json:"-"` // batches translated at a time; 0 stands for 1
}

// DefaultGenerateOptions returns the reference's defaults.
func DefaultGenerateOptions() GenerateOptions {
	return GenerateOptions{Subset: "test", Scoring: "bleu", NumShards: 1}
}

// A Generation says how a split was translated.
type Generation struct {
	Split              string      `json:"split"`
	Sentences          int         `json:"sentences"`
	Tokens             int         `json:"tokens"` // of the best translations, </s> included
	Seconds            float64     `json:"seconds"`
	SentencesPerSecond float64     `json:"sentences_per_s"`
	TokensPerSecond    float64     `json:"tokens_per_s"`
	Skipped            int         `json:"skipped"`              // sources too long for the model
	BLEU               *bleu.Stats `json:"bleu_stats,omitempty"` // of the tokens; nil without references
	Score              *float64    `json:"bleu_score,omitempty"` // BLEU4 of them
	Sacre              *bleu.Score `json:"sacrebleu,omitempty"`  // if asked for
	Beam               int         `json:"beam"`
}

// Generate translates a split with one model or an ensemble and writes what
// the reference's generate.py does: for each pair its source (S-), its target
// (T-), and of each hypothesis the score in base 2 and the words (H-), the same
// detokenised (D-) and the scores of the tokens (P-). The corpus says how the split is
// batched; w receives the lines. Processes share the batches, and each writes all
// lines.
func Generate(ctx context.Context, ev *train.Evaluator, m Ensemble, c *Corpus, s generate.Searcher, o GenerateOptions, w io.Writer) (*Generation, error) {
	g, err := newGeneration(m, c, s, o, w)
	if err != nil {
		return nil, err
	}
	return g.run(ctx, ev)
}

func newGeneration(m Ensemble, c *Corpus, s generate.Searcher, o GenerateOptions, w io.Writer) (*generation, error) {
	o.SacreBLEU = o.SacreBLEU || o.Scoring == sacrebleu
	g := &generation{models: m, corpus: c, searcher: s, options: o, out: pairWriter{w: w, corpus: c, options: o, nbest: s.Options.NBest}}
	return g, g.open()
}

func (g *generation) run(ctx context.Context, ev *train.Evaluator) (*Generation, error) {
	defer g.models.Freeze()()
	start := time.Now()
	translate := g.alone
	if ev.Communicator().Size() > 1 {
		translate = g.together
	}
	if err := translate(ctx, ev); err != nil {
		return nil, err
	}
	g.seconds = time.Since(start).Seconds()
	return g.summary()
}

// alone translates all batches and writes each when those before it are written.
func (g *generation) alone(ctx context.Context, ev *train.Evaluator) error {
	return inOrder(ctx, len(g.order), g.options.Workers, g.batch, func(i int, t translated) error {
		ev.Tick(i+1, len(g.order))
		return g.write(t)
	})
}

// together translates the batches, which go round the processes, and writes them once
// all are translated.
func (g *generation) together(ctx context.Context, ev *train.Evaluator) error {
	c, n := ev.Communicator(), len(g.order)
	var mine [][][]generate.Hypothesis
	turns := (n - c.Rank() + c.Size() - 1) / c.Size()
	number := func(turn int) int { return c.Rank() + turn*c.Size() }
	work := func(ctx context.Context, turn int) (translated, error) { return g.batch(ctx, number(turn)) }
	err := inOrder(ctx, turns, g.options.Workers, work, func(turn int, t translated) error {
		ev.Tick(number(turn)+1, n)
		mine = append(mine, t.found)
		return nil
	})
	if err != nil {
		return err
	}
	all, err := train.Collect(c, "translations", mine, n)
	if err != nil {
		return err
	}
	for i, found := range all {
		b, err := g.collate(i)
		if err == nil {
			err = g.write(translated{b, found})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// generation is one call of Generate.
type generation struct {
	models   Ensemble
	corpus   *Corpus
	searcher generate.Searcher
	options  GenerateOptions
	split    *pairs.Split
	sampler  *pairs.Sampler
	order    [][]int
	out      pairWriter

	sentences, tokens int
	seconds           float64
}

const sacrebleu = "sacrebleu"

// generateTokens is the most tokens of a batch if nothing limits it
// (fairseq_cli/generate.py:66).
const generateTokens = 12000

func (g *generation) open() error {
	o := g.options
	if err := errors.Join(g.searcher.Options.Validate(), g.models.check()); err != nil {
		return err
	}
	if o.Scoring != "" && o.Scoring != "bleu" && o.Scoring != sacrebleu {
		return fmt.Errorf("scoring is %q, want bleu or sacrebleu", o.Scoring)
	}
	if o.PrefixSize < 0 {
		return fmt.Errorf("prefix_size is %d, want 0 or more", o.PrefixSize)
	}
	if o.ShardID < 0 || o.ShardID >= max(1, o.NumShards) {
		return fmt.Errorf("shard_id is %d of num_shards %d, want 0 to %d", o.ShardID, o.NumShards, max(1, o.NumShards)-1)
	}
	g.searcher.Attention = o.PrintAlignment || o.ReplaceUnk != ""
	for _, m := range g.models {
		if err := g.corpus.checkModel(m.Config()); err != nil {
			return err
		}
	}
	c := g.models[0].Config()
	c.MaxSourcePositions, c.MaxTargetPositions = g.models.positions()
	if o.MaxSource > 0 {
		c.MaxSourcePositions = min(c.MaxSourcePositions, o.MaxSource)
	}
	if o.MaxTarget > 0 {
		c.MaxTargetPositions = min(c.MaxTargetPositions, o.MaxTarget)
	}
	var err error
	if g.out.text, err = o.decoding(g.corpus.TargetLang); err != nil {
		return err
	}
	g.out.text = g.out.text.of(g.corpus.Pieces)
	if g.split, err = g.corpus.open(o.Subset, 0, c); err != nil {
		return err
	}
	if !g.split.HasTargets() && (o.ScoreReference || o.PrefixSize > 0) {
		return fmt.Errorf("%s: split %s has no targets to score or to begin with", g.corpus.Path, o.Subset)
	}
	size, tokens := g.corpus.config.BatchSize, g.corpus.config.MaxTokens
	if size == 0 && tokens == 0 {
		tokens = generateTokens
	}
	if g.sampler, err = g.corpus.sampler(g.split, o.Subset, c, size, tokens); err != nil {
		return err
	}
	batches, err := g.sampler.Batches(1)
	for i := o.ShardID; i < len(batches); i += max(1, o.NumShards) {
		g.order = append(g.order, batches[i])
	}
	return err
}

// translated is a batch with what was found for its sources.
type translated struct {
	*pairs.Batch
	found [][]generate.Hypothesis
}

func (g *generation) collate(i int) (*pairs.Batch, error) {
	return g.split.Collate(g.order[i], g.corpus.config.padding())
}

// batch translates a batch.
func (g *generation) batch(ctx context.Context, i int) (translated, error) {
	b, err := g.collate(i)
	if err != nil {
		return translated{}, err
	}
	t := translated{Batch: b}
	if g.options.ScoreReference {
		t.found, err = g.models.scoreReferences(b, g.searcher.Attention)
	} else {
		t.found, err = g.models.search(ctx, g.searcher, b, g.options.PrefixSize)
	}
	return t, err
}

// write writes a batch.
func (g *generation) write(t translated) error {
	for i, hypotheses := range t.found {
		g.sentences++
		g.tokens += len(hypotheses[0].Tokens)
		if err := g.out.pair(t.Batch, i, hypotheses); err != nil {
			return err
		}
	}
	return nil
}

func (g *generation) summary() (*Generation, error) {
	s := &Generation{
		Split: g.options.Subset, Sentences: g.sentences, Tokens: g.tokens, Seconds: g.seconds, Skipped: len(g.sampler.Skipped()),
		SentencesPerSecond: float64(g.sentences) / g.seconds, TokensPerSecond: float64(g.tokens) / g.seconds, Beam: g.searcher.Options.Beam,
	}
	if !g.split.HasTargets() {
		return s, nil
	}
	if g.options.SacreBLEU {
		scores, err := bleu.Corpus(g.out.hypotheses, [][]string{g.out.references}, bleu.DefaultOptions())
		if err != nil {
			return nil, err
		}
		s.Sacre = &scores[0]
		return s, nil
	}
	score := g.out.stats.Score(4, false)
	s.BLEU, s.Score = &g.out.stats, &score
	return s, nil
}

// WriteText writes the score as the reference does, if there is one.
func (s *Generation) WriteText(w io.Writer) error {
	text := ""
	switch {
	case s.BLEU != nil:
		text = s.BLEU.Tokenised(4)
	case s.Sacre != nil:
		text = s.Sacre.String()
	default:
		return nil
	}
	_, err := fmt.Fprintf(w, "Generate %s with beam=%d: %s\n", s.Split, s.Beam, text)
	return err
}
