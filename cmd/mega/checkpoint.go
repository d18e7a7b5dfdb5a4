package main

import (
	"github.com/mega-go/mega/checkpoint"
	"github.com/spf13/pflag"
)

// addCheckpoint adds the flags that name a model.
func addCheckpoint(flags *pflag.FlagSet, path *string) {
	flags.StringVar(path, "checkpoint", "", "the model: a run directory, a checkpoint or a fairseq .pt")
	flags.StringVar(path, "path", "", "the same, by the reference's name")
}

var errNoModel = usagef("no model is given, want --checkpoint CHECKPOINT")

// openCheckpoint opens the model that addCheckpoint's flags name.
func openCheckpoint(path string) (*checkpoint.Checkpoint, error) {
	if path == "" {
		return nil, errNoModel
	}
	return checkpoint.Open(path)
}
