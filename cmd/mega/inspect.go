package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/mega-go/mega/checkpoint"
	"github.com/mega-go/mega/inspect"
	"github.com/mega-go/mega/internal/printable"
	"github.com/spf13/cobra"
)

func newInspect() *cobra.Command {
	var plot, name string
	var asJSON, full bool
	cmd := &cobra.Command{
		Use:   "inspect CHECKPOINT",
		Short: "Show what a checkpoint is and what its averages learned",
		Long: `inspect shows what a checkpoint is, how large, on what it was trained, how far and
how well. With --full its configuration follows, its tensors and, for every layer,
what its moving averages learned. Of an archive that holds several checkpoints it
lists them: ARCHIVE.zip:NAME is one.`,
		Example: `  mega inspect runs/listops-short
  mega inspect runs/listops-short --full
  mega inspect mega.lra.zip
  mega inspect mega.lra.zip:listops/checkpoint_best.pt
  mega inspect runs/listops-short --plot halflives.png`,
		Args: exactArgs(1, "one checkpoint"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkPlot(plot); err != nil {
				return err
			}
			path := inArchive(args[0], name)
			names, err := checkpoint.List(path)
			if err != nil {
				return err
			}
			if len(names) > 1 {
				return inspectArchive(cmd.OutOrStdout(), path, names, asJSON)
			}
			c, err := checkpoint.Open(path)
			if err != nil {
				return err
			}
			defer c.Close()
			layers, err := inspect.Layers(c)
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
			if err := toFit(cmd.OutOrStdout(), func(w io.Writer) error { return inspect.WriteSummary(w, c, layers) }); err != nil || !full {
				return err
			}
			return inspectText(cmd.OutOrStdout(), c, layers)
		},
	}
	cmd.Flags().StringVar(&plot, "plot", "", "draw the half-lives of the moving averages to this .png, .svg or .pdf")
	cmd.Flags().BoolVar(&full, "full", false, "show the configuration, every tensor and every layer's moving averages too")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	addCheckpointName(cmd.Flags(), &name)
	return cmd
}

// inspectArchive lists the checkpoints of an archive, in the form in which every
// command takes them.
func inspectArchive(w io.Writer, archive string, names []string, asJSON bool) error {
	var paths []string
	for _, name := range names {
		paths = append(paths, inArchive(archive, name))
	}
	if asJSON {
		return printJSON(w, paths)
	}
	_, err := fmt.Fprintln(w, strings.Join(paths, "\n"))
	return err
}

func inspectText(w io.Writer, c *checkpoint.Checkpoint, layers []inspect.Layer) error {
	config, err := json.MarshalIndent(c.Settings(), "", "  ")
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "\n%s\n\n", printable.Shorten(string(config)))
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
