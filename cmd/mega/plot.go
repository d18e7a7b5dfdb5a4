package main

import (
	"fmt"
	"path/filepath"

	"github.com/mega-go/mega/train"
	"github.com/spf13/cobra"
)

func newPlot() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "plot RUN...",
		Short: "Draw the learning curve of a run, or compare several",
		Example: `  mega plot runs/listops-short
  mega plot runs/a runs/b --output compare.png`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("mega plot takes one or more run directories")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkPlot(output); err != nil {
				return err
			}
			var curves []train.Curve
			for _, run := range args {
				c, err := train.ReadCurve(run)
				if err != nil {
					return err
				}
				curves = append(curves, c)
			}
			files := []string{output}
			if output == "" {
				if len(args) > 1 {
					return usagef("comparing several runs needs --output FILE, ending in .png, .svg or .pdf")
				}
				files = []string{filepath.Join(args[0], "curve.svg"), filepath.Join(args[0], "curve.png")}
			}
			for _, f := range files {
				if err := train.WriteCurves(f, curves); err != nil {
					return err
				}
				fmt.Fprintln(cmd.OutOrStdout(), f)
			}
			return nil
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "file to write, .png, .svg or .pdf (default curve.svg and curve.png in the run directory)")
	return cmd
}
