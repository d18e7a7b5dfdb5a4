package main

import (
	"fmt"
	"io"

	"github.com/mega-go/mega/bleu"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// bleuFlags are the flags of mega score for translations.
type bleuFlags struct {
	sys        string
	refs       []string
	order      int
	ignoreCase bool
	sacre      bool
	sentences  bool
	confidence bool
	options    bleu.Options
	resamples  int
}

func (b *bleuFlags) addFlags(flags *pflag.FlagSet) {
	b.options = bleu.DefaultOptions()
	flags.StringVarP(&b.sys, "sys", "s", "-", "translations to score against --ref, a sentence a line; - for standard input")
	flags.StringArrayVarP(&b.refs, "ref", "r", nil, "reference translations; give it again for further ones of the same sentences (with --sacrebleu)")
	number(flags, &b.order, "order", 4, span{1, 4}, "longest n-gram that counts, 1 to 4")
	flags.BoolVar(&b.ignoreCase, "ignore-case", false, "take letters as small ones")
	flags.BoolVar(&b.sentences, "sentence-bleu", false, "a score for each sentence, smoothed by one")
	flags.BoolVar(&b.sacre, "sacrebleu", false, "sacreBLEU and chrF of detokenised text, with their signatures")
	flags.StringVar(&b.options.Tokeniser, "tokenize", b.options.Tokeniser, "with --sacrebleu: 13a, char or none")
	number(flags, &b.options.ChrF.WordOrder, "chrf-word-order", 0, span{0, 100}, "with --sacrebleu: longest n-gram of words in chrF; 2 for chrF++")
	number(flags, &b.options.ChrF.CharOrder, "chrf-char-order", b.options.ChrF.CharOrder, span{1, 100}, "with --sacrebleu: longest n-gram of characters in chrF")
	flags.BoolVar(&b.confidence, "confidence", false, "with --sacrebleu: intervals of 95% confidence, by bootstrap")
	number(flags, &b.resamples, "confidence-n", 1000, span{2, 1 << 20}, "resamples of the bootstrap")
	number(flags, &b.options.Seed, "seed", b.options.Seed, unbounded, "fixes the resamples")
}

// run scores translations.
func (b *bleuFlags) run(cmd *cobra.Command, asJSON bool) error {
	if err := b.check(); err != nil {
		return usage(err)
	}
	sys, err := b.lines(b.sys, inputOf(cmd))
	if err != nil {
		return err
	}
	var refs [][]string
	for _, path := range b.refs {
		lines, err := b.lines(path, inputOf(cmd))
		if err != nil {
			return err
		}
		if err := aligned(b.sys, len(sys), path, len(lines)); err != nil {
			return err
		}
		refs = append(refs, lines)
	}
	switch {
	case b.sacre:
		return b.runSacre(cmd.OutOrStdout(), sys, refs, asJSON)
	case b.sentences:
		return b.runSentences(cmd.OutOrStdout(), sys, refs[0], asJSON)
	}
	var sum bleu.Stats
	for i, line := range sys {
		sum.Add(bleu.Tokenised(line, refs[0][i]))
	}
	return b.print(cmd.OutOrStdout(), "", sum, asJSON)
}

func (b *bleuFlags) check() error {
	switch {
	case b.sacre && b.sentences:
		return fmt.Errorf("--sacrebleu and --sentence-bleu exclude each other")
	case b.sacre && b.order != 4:
		return fmt.Errorf("--sacrebleu counts up to four words, not --order %d", b.order)
	case !b.sacre && b.confidence:
		return fmt.Errorf("--confidence is for --sacrebleu")
	case !b.sacre && len(b.refs) > 1:
		return fmt.Errorf("%d references are given, and BLEU of tokens takes one; --sacrebleu takes several", len(b.refs))
	}
	return nil
}

func (b *bleuFlags) lines(path string, stdin io.Reader) ([]string, error) {
	f, err := openInput(path, stdin)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return bleu.ReadLines(f, path, b.ignoreCase)
}

// aligned reports files of different lengths by the first line without its
// counterpart.
func aligned(sys string, n int, ref string, m int) error {
	switch {
	case n < m:
		return fmt.Errorf("%s has %d lines, but %s has %d: %s:%d has no translation", sys, n, ref, m, ref, n+1)
	case n > m:
		return fmt.Errorf("%s has %d lines, but %s has %d: %s:%d has no reference", sys, n, ref, m, sys, m+1)
	case n == 0:
		return fmt.Errorf("%s and %s are empty", sys, ref)
	}
	return nil
}

func (b *bleuFlags) runSacre(w io.Writer, sys []string, refs [][]string, asJSON bool) error {
	b.options.Lowercase = b.ignoreCase
	if b.confidence {
		b.options.Resamples = b.resamples
	}
	scores, err := bleu.Corpus(sys, refs, b.options)
	if err != nil {
		return usage(err)
	}
	if asJSON {
		return printJSON(w, scores)
	}
	for _, s := range scores {
		fmt.Fprintln(w, s)
	}
	return nil
}

func (b *bleuFlags) runSentences(w io.Writer, sys, refs []string, asJSON bool) error {
	for i, line := range sys {
		if err := b.print(w, fmt.Sprintf("%d ", i), bleu.Tokenised(line, refs[i]).SmoothedSentence(), asJSON); err != nil {
			return err
		}
	}
	return nil
}

func (b *bleuFlags) print(w io.Writer, before string, s bleu.Stats, asJSON bool) error {
	if asJSON {
		return printJSONLine(w, struct {
			BLEU float64 `json:"bleu"`
			bleu.Stats
		}{s.Score(b.order, false), s})
	}
	_, err := fmt.Fprintln(w, before+s.Tokenised(b.order))
	return err
}
