package main

import (
	"fmt"

	"github.com/mega-go/mega/generate"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// interactiveTranslation is the flags of mega interactive for translators.
type interactiveTranslation struct {
	text   textTranslatorFlags
	search *binding
	buffer int
	align  bool
}

func (p *interactiveTranslation) addFlags(flags *pflag.FlagSet) {
	search := generate.DefaultOptions()
	p.search = bind(flags, &search)
	p.text.leftPad = true // as the reference does
	p.text.addFlags(flags)
	number(flags, &p.buffer, "buffer-size", 1, anyWhole, "lines to translate that are read at a time")
	flags.BoolVar(&p.align, "print-alignment", false, "print the source word that each word of a translation attends to most")
}

// run translates lines as they come and prints what the reference's
// interactive.py does.
func (p *interactiveTranslation) run(cmd *cobra.Command, model textModelFlags, input string, args []string) error {
	search := generate.DefaultOptions()
	err := p.search.apply(&search)
	if err == nil {
		err = search.Validate()
	}
	if err != nil {
		return usage(err)
	}
	p.text.path, p.text.overrides, p.text.workers, p.text.bf16, p.text.on = model.path, model.overrides, model.workers, model.bf16, model.on
	if p.text.batchSize == 0 && p.text.batchTokens == 0 {
		p.text.batchSize = 1
	}
	t, err := p.text.open(cmd, args, search)
	if err != nil {
		return err
	}
	t.Alignment = p.align
	in, err := openInput(input, inputOf(cmd))
	if err != nil {
		return err
	}
	defer in.Close()
	first := 0
	toTypist(cmd, input, "Lines as the reference prints them: source (S), hypothesis (H), its text (D), scores\nof its words (P). mega translate prints translations alone.\n")
	ask(cmd, input)
	defer askNoMore(cmd, input)
	return eachLines(in, input, max(1, p.buffer), func(lines []string) error {
		found, err := t.Translate(cmd.Context(), lines, first+1, nil)
		if err != nil {
			return fmt.Errorf("%s: %w", input, err)
		}
		for i, l := range found {
			if err := t.WriteLines(textOutput(cmd), first+i, l); err != nil {
				return err
			}
		}
		first += len(lines)
		ask(cmd, input)
		return nil
	})
}
