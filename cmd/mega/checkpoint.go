package main

import (
	"github.com/mega-go/mega/checkpoint"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// addCheckpoint adds the flags that name a model.
func addCheckpoint(flags *pflag.FlagSet, path *string) {
	flags.StringVar(path, "checkpoint", "", "the model: a run directory, a checkpoint or a fairseq .pt")
	flags.StringVar(path, "path", "", "the same, by the reference's name")
}

// addModelEMA adds the flag that chooses averages of the weights.
func addModelEMA(flags *pflag.FlagSet, on *bool) {
	flags.BoolVar(on, "model-ema", false, "take the exponential averages of the weights, which a training with --model-ema keeps")
}

// useModelEMA makes the averages the weights of a checkpoint if they are wanted.
func useModelEMA(c *checkpoint.Checkpoint, on bool) error {
	if !on {
		return nil
	}
	return c.UseModelEMA()
}

// useBF16 lets models of a checkpoint multiply in bfloat16 if that is wanted.
func useBF16(c *checkpoint.Checkpoint, on bool) error {
	if !on {
		return nil
	}
	return c.UseBF16()
}

var errNoModel = usagef("no model is given, want a run directory or a checkpoint, first or as --checkpoint")

// takesModel lets a command's first argument be the model if no flag names it:
// without a model there is nothing that it could be else, but what scores
// translations.
func takesModel(cmd *cobra.Command, path *string) {
	check, run := cmd.Args, cmd.RunE
	rest := func(args []string) []string {
		if *path != "" || len(args) == 0 || cmd.Flags().Changed("ref") {
			return args
		}
		return args[1:]
	}
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if check == nil {
			return nil
		}
		return check(cmd, rest(args))
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		others := rest(args)
		if len(others) < len(args) {
			*path = args[0]
		}
		return run(cmd, others)
	}
}

// openCheckpoint opens the model that addCheckpoint's flags name.
func openCheckpoint(path string) (*checkpoint.Checkpoint, error) {
	if path == "" {
		return nil, errNoModel
	}
	return checkpoint.Open(path)
}
