package main

import (
	"fmt"

	"github.com/mega-go/mega/data/numbers"
	"github.com/spf13/cobra"
)

func newNumbers() *cobra.Command {
	var sizes splitSizes
	most := numbers.Max
	cmd := &cobra.Command{
		Use:   "numbers DIR",
		Short: "Generate names of numbers in English and German",
		Long: `numbers draws whole numbers up to a million and writes their names, a number a
line, to DIR/train.en and .de, valid and test: "two hundred and one thousand forty
two" and "zwei hundert ein tausend zwei und vierzig". No number occurs twice. It
also preprocesses them for mega train in the same directory, as mega preprocess
--joined-dictionary does.`,
		Example: "  mega data numbers data/numbers\n  mega train data/numbers --preset numbers-en-de",
		Args:    exactArgs(1, "the directory to write"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o := numbers.Options{Train: sizes.Train, Valid: sizes.Valid, Test: sizes.Test, Max: most, Seed: sizes.seed}
			err := writeSet(cmd, args[0], numbers.Entries(), func(temp string) error { return numbers.Write(cmd.Context(), temp, o) })
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), args[0])
			return nil
		},
	}
	sizes.addFlags(cmd, 40000, 500, 2000)
	number(cmd.Flags(), &most, "max", most, positive, "the greatest number")
	return cmd
}
