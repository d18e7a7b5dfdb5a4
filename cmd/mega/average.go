package main

import (
	"fmt"

	"github.com/mega-go/mega/checkpoint"
	"github.com/spf13/cobra"
)

func newAverage() *cobra.Command {
	var output, format, dtype string
	var epochs, updates, limit int
	var inputs []string
	var options checkpoint.SaveOptions
	cmd := &cobra.Command{
		Use:   "average CHECKPOINT... --output OUT",
		Short: "Average the weights of checkpoints of one model",
		Long: `average writes the mean of the weights of several checkpoints, with the
configuration of the first. With --num-epoch-checkpoints or
--num-update-checkpoints it takes the last checkpoints of one run directory. Flags
have the names of the reference's
scripts/average_checkpoints.py.`,
		Example: `  mega average a.pt b.pt c.pt --output mean.pt
  mega average runs/lm --num-epoch-checkpoints 5 --output runs/lm-mean`,
		RunE: func(cmd *cobra.Command, args []string) error {
			args = append(inputs, args...)
			if output == "" || len(args) == 0 {
				return usagef("mega average needs checkpoints and --output")
			}
			if err := parseSaving(&options, output, format, dtype); err != nil {
				return usage(err)
			}
			paths, err := averaged(args, epochs, updates, limit)
			if err != nil {
				return err
			}
			for _, path := range paths {
				fmt.Fprintln(cmd.ErrOrStderr(), "averaging", path)
			}
			saved, err := checkpoint.Average(paths, output, options)
			if err != nil {
				return err
			}
			return tellSaved(cmd.ErrOrStderr(), output, options, saved)
		},
	}
	cmd.Flags().StringVar(&output, "output", "", "where to write")
	cmd.Flags().StringArrayVar(&inputs, "inputs", nil, "a checkpoint, by the reference's flag")
	number(cmd.Flags(), &epochs, "num-epoch-checkpoints", 0, counts, "average the last N that a run saved at the ends of epochs")
	number(cmd.Flags(), &updates, "num-update-checkpoints", 0, counts, "average the last N that a run saved by --save-interval-updates")
	number(cmd.Flags(), &limit, "checkpoint-upper-bound", 0, counts, "of these, take none after this epoch or update; 0 for no bound")
	addSaving(cmd.Flags(), &format, &dtype, &options)
	return cmd
}

// averaged returns the checkpoints to average.
func averaged(args []string, epochs, updates, limit int) ([]string, error) {
	switch {
	case epochs > 0 && updates > 0:
		return nil, usagef("--num-epoch-checkpoints and --num-update-checkpoints exclude each other")
	case epochs == 0 && updates == 0 && limit > 0:
		return nil, usagef("--checkpoint-upper-bound needs --num-epoch-checkpoints or --num-update-checkpoints")
	case epochs == 0 && updates == 0:
		return args, nil
	case len(args) != 1:
		return nil, usagef("--num-epoch-checkpoints and --num-update-checkpoints take one directory, got %d arguments", len(args))
	}
	return checkpoint.LastCheckpoints(args[0], max(epochs, updates), updates > 0, limit)
}
