package main

import (
	"fmt"
	"strings"

	"github.com/mega-go/mega/data/preprocess"
	"github.com/mega-go/mega/internal/progress"
	"github.com/spf13/cobra"
)

// A preprocessCommand is the command line of mega preprocess.
type preprocessCommand struct {
	options     preprocess.Options
	valid, test string
}

func newPreprocess() *cobra.Command {
	c := &preprocessCommand{}
	o := &c.options
	cmd := &cobra.Command{
		Use:   "preprocess --only-source | -s LANG -t LANG --trainpref PREFIX ...",
		Short: "Make dictionaries and token files, as fairseq-preprocess does",
		Long: `preprocess reads texts of words with spaces between and writes dictionaries and
token files (dict.txt, .bin, .idx), byte for byte those of fairseq-preprocess,
whose flags it has. With --only-source it makes the data of a language model,
with two languages that of a translator. With --pieces the texts of a pair are raw:
a model cuts their lines into pieces, and translators trained on the data keep it.`,
		Example: `  mega preprocess --only-source --trainpref wiki.train.tokens --validpref wiki.valid.tokens \
    --testpref wiki.test.tokens --destdir data-bin/wikitext-103
  mega preprocess -s en -t de --trainpref train --validpref valid --testpref test --joined-dictionary --destdir data-bin/wmt
  mega preprocess -s en -t de --trainpref train --validpref valid --testpref test --pieces mt.model --destdir data-bin/mt`,
		Args: exactArgs(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error { return c.run(cmd) },
	}
	flags := cmd.Flags()
	flags.StringVarP(&o.SourceLang, "source-lang", "s", "", "source language: the end of its texts' names")
	flags.StringVarP(&o.TargetLang, "target-lang", "t", "", "target language")
	flags.BoolVar(&o.OnlySource, "only-source", false, "there is one language, whose texts' names need no end")
	flags.StringVar(&o.TrainPref, "trainpref", "", "training text, without the language")
	flags.StringVar(&c.valid, "validpref", "", "validation texts, with commas between; the second becomes valid1")
	flags.StringVar(&c.test, "testpref", "", "test texts, with commas between; the second becomes test1")
	flags.StringVar(&o.DestDir, "destdir", "data-bin", "directory for the result")
	addOverwrite(flags, &o.Overwrite)
	number(flags, &o.ThresholdSource, "thresholdsrc", 0, lengths, "source words that are rarer become <unk>")
	number(flags, &o.ThresholdTarget, "thresholdtgt", 0, lengths, "target words that are rarer become <unk>")
	flags.StringVar(&o.SourceDict, "srcdict", "", "a source dictionary to use instead of a new one")
	flags.StringVar(&o.TargetDict, "tgtdict", "", "a target dictionary to use instead of a new one")
	number(flags, &o.WordsSource, "nwordssrc", -1, anyWhole, "the most source words, special ones included; negative for all")
	number(flags, &o.WordsTarget, "nwordstgt", -1, anyWhole, "the most target words, special ones included; negative for all")
	flags.BoolVar(&o.JoinedDictionary, "joined-dictionary", false, "one dictionary for both languages, by the source's settings")
	flags.StringVar(&o.Pieces, "pieces", "", "SentencePiece model (mega data pieces makes one) or tokenizer.json that cuts raw lines of both languages into pieces, which are their dictionary")
	flags.BoolVar(&o.DictOnly, "dict-only", false, "make the dictionaries alone")
	flags.StringVar(&o.DatasetImpl, "dataset-impl", preprocess.Formats[0], "format to write: "+strings.Join(preprocess.Formats, ", ")+", which copies the texts")
	number(flags, &o.PaddingFactor, "padding-factor", preprocess.DefaultPaddingFactor, span{0, 1 << 16}, "make the size of a dictionary a multiple of this")
	threads(flags, &o.Workers, "workers", "threads that read a text; 0 for all cores. The result does not depend on it")
	addReference(flags, map[string]string{"task": "texts are read alike for every task"})
	return cmd
}

func (c *preprocessCommand) run(cmd *cobra.Command) error {
	o := c.options
	o.ValidPref, o.TestPref = prefixes(c.valid), prefixes(c.test)
	if err := o.Validate(); err != nil {
		return usage(err)
	}
	meter := progress.New(cmd.ErrOrStderr(), "preprocessing", "bytes")
	o.Progress = func(p preprocess.Progress) { meter.Show(p.Done, p.Total) }
	report, err := preprocess.Run(cmd.Context(), o)
	meter.Close()
	if err != nil {
		return err
	}
	for _, w := range report.Warnings {
		fmt.Fprintln(cmd.ErrOrStderr(), "mega:", w)
	}
	for _, d := range report.Dictionaries {
		fmt.Fprintln(cmd.OutOrStdout(), d)
	}
	for _, f := range report.Files {
		fmt.Fprintln(cmd.OutOrStdout(), f)
	}
	fmt.Fprintln(cmd.OutOrStdout(), "Wrote preprocessed data to", o.DestDir)
	return nil
}

// prefixes parts a list at its commas.
func prefixes(list string) []string {
	if list == "" {
		return nil
	}
	return strings.Split(list, ",")
}
