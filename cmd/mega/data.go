package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/mega-go/mega/data"
	"github.com/mega-go/mega/data/listops"
	"github.com/mega-go/mega/data/lra"
	"github.com/mega-go/mega/data/pathfinder"
	"github.com/mega-go/mega/internal/atomicfile"
	"github.com/mega-go/mega/internal/config"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func newData() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "data",
		Short: "Generate data sets, convert them, or look at labelled data",
		Example: `  mega data listops data/listops
  mega data imdb aclImdb data/imdb`,
	}
	chooses(cmd, "data set")
	makers := []*cobra.Command{newListOps(), newPathfinder(), newEnwik8(), newSpeech(), newNumbers(), newDocuments(), newShapes(), newPieces(),
		newConversion("imdb", "film reviews (aclImdb's directories, or tsv files)", data.TextEntries, textConversion(lra.IMDB)),
		newConversion("aan", "pairs of papers (new_aan_pairs.*.tsv)", data.TextEntries, textConversion(lra.AAN)),
		newConversion("listops-tsv", "ListOps of the Long Range Arena (basic_*.tsv)", data.TextEntries, textConversion(lra.ListOps)),
		newConversion("cifar10", "CIFAR-10 as grey pixels (data_batch_*.bin)", data.PixelEntries, pixelConversion(lra.CIFAR10, lra.CIFAR10Classes)),
		newPathfinderConversion(),
	}
	for _, c := range makers {
		addOverwrite(c.Flags(), new(bool))
	}
	cmd.AddCommand(append(makers, newDataLook())...)
	return cmd
}

// addOverwrite adds the flag that all commands have which make data.
func addOverwrite(flags *pflag.FlagSet, overwrite *bool) {
	flags.BoolVar(overwrite, "overwrite", false, "replace data of this kind that is there already")
}

func overwrites(cmd *cobra.Command) bool {
	overwrite, err := cmd.Flags().GetBool("overwrite")
	return overwrite && err == nil
}

// writeSet puts the entries of a data set, which write makes in a temporary
// directory, into dir at once. An interrupt before that changes nothing.
func writeSet(cmd *cobra.Command, dir string, entries []string, write func(temp string) error) error {
	for _, path := range cmd.Flags().Args() {
		read, err := os.Stat(path)
		for _, name := range entries {
			made, none := os.Stat(filepath.Join(dir, name))
			if err == nil && none == nil && os.SameFile(read, made) {
				return usagef("%s is read, and would be replaced: choose another directory", path)
			}
		}
	}
	return atomicfile.WriteSet(dir, entries, overwrites(cmd), func(temp string) error {
		if err := write(temp); err != nil {
			return err
		}
		return cmd.Context().Err()
	})
}

// newConversion returns the command that converts one distribution to the
// layout that mega train reads.
func newConversion(name, what string, entries []string, convert func(from, to string) error) *cobra.Command {
	return &cobra.Command{
		Use:     name + " FROM TO",
		Short:   "Convert " + what,
		Example: fmt.Sprintf("  mega data %s download/%s data/%s", name, name, name),
		Args:    exactArgs(2, "the directory of the distribution and the one to write"),
		RunE: func(cmd *cobra.Command, args []string) error {
			err := writeSet(cmd, args[1], entries, func(temp string) error { return convert(args[0], temp) })
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), args[1])
			return nil
		},
	}
}

func textConversion(read func(dir string) ([]data.TextSplit, error)) func(from, to string) error {
	return func(from, to string) error {
		splits, err := read(from)
		if err != nil {
			return err
		}
		return config.Wrap(from, data.WriteText(to, splits...))
	}
}

func pixelConversion(read func(dir string) ([]data.PixelSplit, error), classes []string) func(from, to string) error {
	return func(from, to string) error {
		splits, err := read(from)
		if err != nil {
			return err
		}
		if err := data.WritePixels(to, splits...); err != nil {
			return config.Wrap(from, err)
		}
		return data.WriteClasses(to, classes)
	}
}

func newPathfinderConversion() *cobra.Command {
	var size int
	difficulty := lra.Pathfinder14
	cmd := newConversion("pathfinder-images", "Pathfinder images (metadata and PNG files)", data.PixelEntries, func(from, to string) error {
		return pixelConversion(func(dir string) ([]data.PixelSplit, error) { return lra.Pathfinder(dir, difficulty, size) }, pathfinder.Classes)(from, to)
	})
	number(cmd.Flags(), &size, "size", 32, span{1, 1 << 12}, "side of an image in pixels: 32 or 128")
	cmd.Flags().StringVar(&difficulty, "difficulty", difficulty, "directory of one difficulty")
	return cmd
}

// splitSizes are the flags for how many samples are generated, and which.
type splitSizes struct {
	data.SplitSizes
	seed uint64
}

func (s *splitSizes) addFlags(cmd *cobra.Command, train, valid, test int) {
	number(cmd.Flags(), &s.Train, "train", train, made, "samples to train on")
	number(cmd.Flags(), &s.Valid, "valid", valid, made, "samples to validate on")
	number(cmd.Flags(), &s.Test, "test", test, made, "samples to test on")
	number(cmd.Flags(), &s.seed, "seed", 1, unbounded, "fixes the samples")
}

// print says what was written.
func (s *splitSizes) print(w io.Writer, dir, what string) error {
	_, err := fmt.Fprintf(w, "%s: %d, %d and %d %s\n", dir, s.Train, s.Valid, s.Test, what)
	return err
}

func newListOps() *cobra.Command {
	var sizes splitSizes
	config := listops.LRA
	low, high := config.MinLength+1, config.MaxLength-1
	cmd := &cobra.Command{
		Use:   "listops DIR",
		Short: "Generate ListOps expressions",
		Long: `listops generates nested expressions over digits with MIN, MAX, MED(ian) and SM
(sum modulo ten), labelled by their value: the grammar of the Long Range Arena.
It writes DIR in the layout that mega train --task lra-text reads, and the
arena's own train.tsv, valid.tsv and test.tsv beside it.`,
		Example: "  mega data listops data/listops --train 96000 --valid 2000 --test 2000",
		Args:    exactArgs(1, "the directory to write"),
		RunE: func(cmd *cobra.Command, args []string) error {
			config.MinLength, config.MaxLength = low-1, high+1
			if err := errors.Join(config.Validate(), sizes.Validate()); err != nil {
				return usage(err)
			}
			entries := append([]string{"train.tsv", "valid.tsv", "test.tsv"}, data.TextEntries...)
			err := writeSet(cmd, args[0], entries, func(temp string) error { return config.Write(temp, sizes.SplitSizes, sizes.seed) })
			if err != nil {
				return err
			}
			return sizes.print(cmd.OutOrStdout(), args[0], "expressions")
		},
	}
	sizes.addFlags(cmd, 96000, 2000, 2000)
	number(cmd.Flags(), &low, "min-length", low, span{1, 1 << 20}, "shortest expression, in symbols")
	number(cmd.Flags(), &high, "max-length", high, span{1, 1 << 20}, "longest expression, in symbols")
	number(cmd.Flags(), &config.MaxDepth, "max-depth", config.MaxDepth, span{0, 1 << 10}, "levels of nesting")
	number(cmd.Flags(), &config.MaxArgs, "max-args", config.MaxArgs, span{0, 1 << 10}, "arguments of an operation")
	return cmd
}

func newPathfinder() *cobra.Command {
	var sizes splitSizes
	var size, contour, distractors int
	var sheet string
	cmd := &cobra.Command{
		Use:   "pathfinder DIR",
		Short: "Generate Pathfinder images: are the two discs connected?",
		Long: `pathfinder draws grey images with two discs and dashed curves: in one class a
curve connects the discs, in the other it does not. It writes DIR in the layout
that mega train --task lra-image reads, and a contact sheet to look at.`,
		Example: "  mega data pathfinder data/pathfinder32 --size 32 --contour 9",
		Args:    exactArgs(1, "the directory to write"),
		RunE: func(cmd *cobra.Command, args []string) error {
			config := pathfinder.Preset(size, contour)
			if distractors >= 0 {
				config.Distractors = distractors
			}
			if err := errors.Join(config.Validate(), sizes.Validate()); err != nil {
				return usage(err)
			}
			const inDir = "sheet.png"
			err := writeSet(cmd, args[0], append([]string{inDir}, data.PixelEntries...), func(temp string) error {
				return config.Write(temp, cmp.Or(sheet, filepath.Join(temp, inDir)), sizes.SplitSizes, sizes.seed)
			})
			if err != nil {
				return err
			}
			return sizes.print(cmd.OutOrStdout(), args[0], "images; contact sheet "+cmp.Or(sheet, filepath.Join(args[0], inDir)))
		},
	}
	sizes.addFlags(cmd, 160000, 20000, 20000)
	number(cmd.Flags(), &size, "size", 32, span{1, 1 << 12}, "side of an image in pixels")
	number(cmd.Flags(), &contour, "contour", 14, span{1, 1 << 10}, "dashes of the target curves: 6, 9 and 14 in the original")
	number(cmd.Flags(), &distractors, "distractors", -1, span{-1, 1 << 10}, "further curves (default 4)")
	cmd.Flags().StringVar(&sheet, "sheet", "", "contact sheet of the first images (default DIR/sheet.png)")
	return cmd
}
