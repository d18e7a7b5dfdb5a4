package main

import (
	"fmt"
	"io"
	"strconv"

	"github.com/mega-go/mega/task/language"
	"github.com/spf13/cobra"
)

// A scoreCommand is the command line of mega score.
type scoreCommand struct {
	model  textModelFlags
	tokens bool
	apart  bool
	json   bool
	bleu   bleuFlags
}

func newScore() *cobra.Command {
	c := &scoreCommand{}
	cmd := &cobra.Command{
		Use:   "score MODEL [DATA] FILE | --sys FILE --ref FILE",
		Short: "Score a text with a language model, or translations by BLEU",
		Long: `score reads a text (- for standard input) with a language model and prints, for
each line, its number, its log-probability, the number of its tokens (its end is
one) and its text, with tabs between. The state is carried from line to line, in
memory that does not grow with the text. Logarithms are natural ones; the
summary on standard error is in bits.

With --ref it scores translations instead: BLEU of their tokens, as fairseq-score
does, or with --sacrebleu BLEU as sacreBLEU computes it and chrF.`,
		Example: `  mega score runs/bytes-small book.txt
  mega score runs/bytes-small --tokens --json - < book.txt
  mega score data-bin/wikitext-103 --path model.pt --lines-apart candidates.txt
  mega score --sys translated.de --ref test.de
  mega score --sys translated.de --ref test.de --sacrebleu --confidence`,
		Args: atMostArgs(2, "the directory of the data and a text"),
	}
	score := c.model.onDevice(c.run)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(c.bleu.refs) > 0 {
			return c.runBLEU(cmd, args)
		}
		return score(cmd, args)
	}
	flags := cmd.Flags()
	c.model.addFlags(flags)
	flags.BoolVar(&c.tokens, "tokens", false, "print every token with its log-probability")
	flags.BoolVar(&c.apart, "lines-apart", false, "take each line as a text of its own")
	flags.BoolVar(&c.json, "json", false, "print JSON, a line for each line of the text")
	c.bleu.addFlags(flags)
	takesModel(cmd, &c.model.path)
	return cmd
}

// runBLEU scores translations. It opens no device.
func (c *scoreCommand) runBLEU(cmd *cobra.Command, args []string) error {
	switch {
	case len(args) > 0:
		return usagef("translations are given by --sys FILE, not as %q", args[0])
	case !isProcessor(c.model.device.name):
		return usagef("--device is for language models: BLEU needs none")
	}
	if err := c.model.device.check(); err != nil {
		return err
	}
	return c.bleu.run(cmd, c.json)
}

func (c *scoreCommand) run(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return usagef("mega score takes a model and a text, or --sys FILE and --ref FILE")
	}
	path := args[len(args)-1]
	m, err := c.model.open(cmd, args[:len(args)-1])
	if err != nil {
		return err
	}
	text, err := openInput(path, inputOf(cmd))
	if err != nil {
		return err
	}
	defer text.Close()
	sum, err := m.Score(cmd.Context(), text, language.ScoreOptions{LinesApart: c.apart}, func(l language.LineScore) error {
		return c.print(textOutput(cmd), l)
	})
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if sum.Unknown > 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "mega: %d words are not in the dictionary and are scored as <unk>\n", sum.Unknown)
	}
	_, err = fmt.Fprintln(cmd.ErrOrStderr(), sum.Line())
	return err
}

// print prints a line.
func (c *scoreCommand) print(w io.Writer, l language.LineScore) error {
	if c.json {
		if !c.tokens {
			l.Tokens = nil
		}
		return printJSONLine(w, l)
	}
	_, err := fmt.Fprintf(w, "%d\t%.4f\t%d\t%s\n", l.Line, l.LogProb, len(l.Tokens), l.Text)
	if !c.tokens {
		return err
	}
	for _, t := range l.Tokens {
		if _, err = fmt.Fprintf(w, "\t%.4f\t%s\n", t.LogProb, strconv.Quote(t.Token)); err != nil {
			return err
		}
	}
	return err
}
