package main

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/mega-go/mega"
	"github.com/mega-go/mega/recipe"
	"github.com/spf13/cobra"
)

func newPresets() *cobra.Command {
	return &cobra.Command{
		Use:   "presets [NAME]",
		Short: "List training presets and architectures, or the flags of one preset",
		Example: `  mega presets
  mega presets lra-image`,
		Args: atMostArgs(1, "the name of a preset"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				return printRecipe(cmd, args[0])
			}
			return listPresets(cmd)
		},
	}
}

func printRecipe(cmd *cobra.Command, name string) error {
	r, err := recipe.Find(name)
	if err != nil {
		return usage(err)
	}
	fmt.Fprintf(cmd.OutOrStdout(), "# %s\nmega train", r.Summary)
	for _, f := range r.Flags {
		if len(f) > 2 && f[:2] == "--" {
			fmt.Fprintf(cmd.OutOrStdout(), " \\\n   ")
		}
		if strings.ContainsAny(f, `(){}"`) {
			f = "'" + f + "'"
		}
		fmt.Fprintf(cmd.OutOrStdout(), " %s", f)
	}
	fmt.Fprintln(cmd.OutOrStdout())
	return nil
}

func listPresets(cmd *cobra.Command) error {
	w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "PRESET\tFOR mega train --preset")
	for _, name := range recipe.Names() {
		r, err := recipe.Find(name)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%s\t%s\n", r.Name, r.Summary)
	}
	fmt.Fprintln(w, "\t")
	fmt.Fprintln(w, "ARCH\tINPUT\tLAYERS\tD\tH\tZ\tN\tATTENTION\tNORM\tCHUNK\tTRUNCATION\tPARAMETERS")
	for _, name := range mega.ClassifierArchs() {
		c, err := mega.ClassifierArch(name)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%d\t%d\t%d\t%s\t%s\t%d\t%d\t%d\n", name, c.InputType, c.EncoderLayers, c.EncoderEmbedDim,
			c.EncoderHiddenDim, c.ZDim, c.NDim, c.AttentionActivationFn, c.NormType, c.ChunkSize, c.TruncationLength, c.ParameterCount())
	}
	return w.Flush()
}
