package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// groupKey is the annotation of a flag of mega train that says where its help stands.
const groupKey = "group"

// The groups of flags in the help of mega train, in its order.
const (
	modelFlags      = "Model"
	dataFlags       = "Data"
	trainingFlags   = "Training"
	checkpointFlags = "Checkpoints and validation"
	outputFlags     = "Run and output"
)

var flagGroups = []string{outputFlags, dataFlags, modelFlags, trainingFlags, checkpointFlags}

// checkpointWords are in the names of flags about checkpoints and validation.
var checkpointWords = []string{"checkpoint", "save-", "-save", "keep-", "valid", "restore", "reset", "finetune", "patience"}

// groupFlags puts the flags that are in no group yet into one.
func groupFlags(flags *pflag.FlagSet, group string) {
	flags.VisitAll(func(f *pflag.Flag) { groupFlag(f, group) })
}

// group is groupFlags for those of a binding.
func (b *binding) group(group string) {
	for name := range flagFields(b.kind) {
		if f := b.flags.Lookup(name); f != nil {
			groupFlag(f, group)
		}
	}
}

func groupFlag(f *pflag.Flag, group string) {
	if group == trainingFlags && slices.ContainsFunc(checkpointWords, func(w string) bool { return strings.Contains(f.Name, w) }) {
		group = checkpointFlags
	}
	if f.Annotations == nil {
		f.Annotations = map[string][]string{}
	}
	if f.Annotations[groupKey] == nil {
		f.Annotations[groupKey] = []string{group}
	}
}

// help prints what mega train takes: flags by groups, those of the kind of model
// if an architecture or a preset is named, else those of every kind.
func (c *trainCommand) help(cmd *cobra.Command, _ []string) {
	out := cmd.OutOrStdout()
	sayHelp(out, func(w io.Writer) {
		fmt.Fprintf(w, "%s\n\nUsage:\n  %s\n\nExamples:\n%s\n", cmd.Long, cmd.UseLine(), cmd.Example)
	})
	kinds := modelKinds
	if kind, err := c.kind(c.flags.Lookup("arch").Value.String()); err == nil {
		kinds = []string{kind.name()}
	}
	width := columnsOf(out) // 0 leaves lines as long as they are
	for _, group := range flagGroups {
		set := pflag.NewFlagSet(group, pflag.ContinueOnError)
		set.SortFlags = false
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if slices.Contains(f.Annotations[groupKey], group) && (c.helpAll || isFor(f, kinds)) {
				set.AddFlag(f)
			}
		})
		if text := set.FlagUsagesWrapped(width); text != "" {
			fmt.Fprintf(out, "\n%s:\n%s", group, text)
		}
	}
	switch {
	case c.helpAll:
	case len(kinds) == 1:
		say(out, "\nThese are the flags for %s. --help-all shows all.", kinds[0])
	default:
		say(out, "\nThese flags are for every kind of model. With --preset NAME or --arch ARCH, --help\nshows those for its kind too; --help-all shows all.")
	}
}

// isFor reports whether a flag is for each of some kinds of models.
func isFor(f *pflag.Flag, kinds []string) bool {
	of := f.Annotations[forKey]
	return len(of) == 0 || !slices.ContainsFunc(kinds, func(k string) bool { return !slices.Contains(of, k) })
}
