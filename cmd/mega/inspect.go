package main

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/mega-go/mega/checkpoint"
	"github.com/mega-go/mega/inspect"
	"github.com/spf13/cobra"
)

func newInspect() *cobra.Command {
	var plot string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "inspect CHECKPOINT",
		Short: "Show a checkpoint's configuration, tensors and what its moving averages learned",
		Example: `  mega inspect runs/listops-short
  mega inspect runs/listops-short --plot halflives.png`,
		Args: exactArgs(1, "one checkpoint"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := checkpoint.Open(args[0])
			if err != nil {
				return err
			}
			defer c.Close()
			layers, err := inspect.Layers(c.Weights)
			if err != nil {
				return err
			}
			if plot != "" {
				if err := inspect.WritePlot(plot, layers); err != nil {
					return err
				}
			}
			if asJSON {
				return inspectJSON(cmd.OutOrStdout(), c, layers)
			}
			return inspectText(cmd.OutOrStdout(), c, layers)
		},
	}
	cmd.Flags().StringVar(&plot, "plot", "", "draw the half-lives of the moving averages to this .png, .svg or .pdf")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func inspectText(w io.Writer, c *checkpoint.Checkpoint, layers []inspect.Layer) error {
	config, err := json.MarshalIndent(c.Settings(), "", "  ")
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%s: %s\n%s\n\n", c.Path, c.Task, config)
	if err := inspect.WriteParameters(w, inspect.Parameters(c.Weights)); err != nil {
		return err
	}
	fmt.Fprintln(w)
	return inspect.WriteLayers(w, layers)
}

func inspectJSON(w io.Writer, c *checkpoint.Checkpoint, layers []inspect.Layer) error {
	return printJSON(w, map[string]any{
		"path": c.Path, "task": c.Task, "config": c.Settings(),
		"tensors": inspect.Parameters(c.Weights), "layers": layers,
	})
}
