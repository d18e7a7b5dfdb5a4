package main

import (
	"github.com/mega-go/mega/data/labelled"
	"github.com/spf13/cobra"
)

func newDataLook() *cobra.Command {
	var options labelled.Options
	var flags *binding
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "look PATH",
		Short: "Say what labelled data holds, as mega train understands it",
		Long: `look reads labelled data as mega train does and prints what it is: samples,
classes, lengths, parts, and what is left out and why. PATH is a table (.csv,
.tsv, .jsonl, .parquet), an array of numpy (.npy, .npz), a directory of folders named for
classes with a file a sample (texts or WAV), or a directory with train.csv,
valid.csv and test.csv (or folders of these names); each file but .parquet and .npz
may end in .gz or .zst.`,
		Example: `  mega data look reviews.csv --text-column text --label-column label
  mega data look words/`,
		Args: exactArgs(1, "the file or the directory of the data"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := flags.apply(&options); err != nil {
				return usage(err)
			}
			if err := options.Check(); err != nil {
				return usage(err)
			}
			s, err := labelled.Look(args[0], options)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), s)
			}
			return toFit(cmd.OutOrStdout(), s.WriteText)
		},
	}
	flags = bind(cmd.Flags(), &labelled.Options{})
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}
