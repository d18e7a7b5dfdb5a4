package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/mega-go/mega/data"
	"github.com/mega-go/mega/data/documents"
	"github.com/spf13/cobra"
)

func newDocuments() *cobra.Command {
	var sizes splitSizes
	var config documents.Config
	cmd := &cobra.Command{
		Use:   "documents DIR CLASS=FROM...",
		Short: "Make a task of files: which class is a text from?",
		Long: `documents cuts windows of bytes out of the files below directories, each of which
is named by its class; a class may have several. FROM is a directory, or one and
a pattern of names: FROM/*.go. The task is to tell the class; with --pairs,
whether two windows come from one file or from two of different classes. Files
are divided between the splits, not windows, so that no file of the test is trained
on. It writes DIR in the layout that mega train --task lra-text reads, and prints
the accuracy of a baseline that counts bytes.`,
		Example: `  mega data documents data/topics crypto="$(go env GOROOT)/src/crypto/*.go" net="$(go env GOROOT)/src/net/*.go"
  mega data documents data/pairs manual=/usr/share/man code=/usr/include --pairs`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) < 2 {
				return usagef("%s takes a directory to write and one or more of CLASS=FROM, got %s", cmd.CommandPath(), counted(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			config.Seed = sizes.seed
			if err := errors.Join(config.Validate(), sizes.Validate()); err != nil {
				return usage(err)
			}
			c, err := collect(args[1:], config)
			if err != nil {
				return err
			}
			var drawn []documents.Drawn
			var baseline float64
			err = writeSet(cmd, args[0], data.TextEntries, func(temp string) (err error) {
				drawn, baseline, err = c.Write(temp, config, sizes.SplitSizes)
				return err
			})
			if err != nil {
				return err
			}
			for _, s := range drawn {
				fmt.Fprintf(cmd.OutOrStdout(), "%s: %d texts from %d documents\n", s.Name, s.Count, s.Documents)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: of the test, counting bytes gets %.1f%% right\n", args[0], 100*baseline)
			return nil
		},
	}
	sizes.addFlags(cmd, 20000, 1000, 2000)
	number(cmd.Flags(), &config.Window, "window", 1024, made, "bytes of a text")
	cmd.Flags().BoolVar(&config.Pairs, "pairs", false, "pairs of texts: are both from one file?")
	return cmd
}

// collect reads the documents of CLASS=FROM arguments.
func collect(args []string, config documents.Config) (*documents.Collection, error) {
	c := &documents.Collection{}
	for _, arg := range args {
		class, from, ok := strings.Cut(arg, "=")
		if !ok {
			return nil, usagef("%q is not a class and a directory, want CLASS=FROM", arg)
		}
		pattern := "*"
		if base := filepath.Base(from); strings.ContainsAny(base, "*?[") {
			from, pattern = filepath.Dir(from), base
		}
		if err := c.Add(class, from, pattern, config.Least()); err != nil {
			return nil, err
		}
	}
	return c, nil
}
