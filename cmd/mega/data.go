package main

import (
	"bytes"
	"fmt"
	"image/png"
	"io"
	"os"
	"path/filepath"

	"github.com/mega-go/mega/data"
	"github.com/mega-go/mega/data/listops"
	"github.com/mega-go/mega/data/lra"
	"github.com/mega-go/mega/data/pathfinder"
	"github.com/mega-go/mega/internal/atomicfile"
	"github.com/spf13/cobra"
)

func newData() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "data",
		Short: "Generate data sets, or convert them from their distributions",
		Example: `  mega data listops data/listops
  mega data imdb aclImdb data/imdb`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usagef("unknown data set %q; mega data --help lists them", args[0])
			}
			return cmd.Help()
		},
	}
	cmd.AddCommand(newListOps(), newPathfinder(), newEnwik8(), newSpeech(), newNumbers(), newDocuments(),
		newConversion("imdb", "film reviews (aclImdb's directories, or tsv files)", textConversion(lra.IMDB)),
		newConversion("aan", "pairs of papers (new_aan_pairs.*.tsv)", textConversion(lra.AAN)),
		newConversion("listops-tsv", "ListOps of the Long Range Arena (basic_*.tsv)", textConversion(lra.ListOps)),
		newConversion("cifar10", "CIFAR-10 as grey pixels (data_batch_*.bin)", pixelConversion(lra.CIFAR10, lra.CIFAR10Classes)),
		newPathfinderConversion(),
	)
	return cmd
}

// newConversion returns the command that converts one distribution to the
// layout that mega train reads.
func newConversion(name, what string, convert func(from, to string) error) *cobra.Command {
	return &cobra.Command{
		Use:     name + " FROM TO",
		Short:   "Convert " + what,
		Example: fmt.Sprintf("  mega data %s download/%s data/%s", name, name, name),
		Args:    exactArgs(2, "the directory of the distribution and the one to write"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := convert(args[0], args[1]); err != nil {
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
		return data.WriteText(to, splits...)
	}
}

func pixelConversion(read func(dir string) ([]data.PixelSplit, error), classes []string) func(from, to string) error {
	return func(from, to string) error {
		splits, err := read(from)
		if err != nil {
			return err
		}
		if err := data.WritePixels(to, splits...); err != nil {
			return err
		}
		return data.WriteClasses(to, classes)
	}
}

func newPathfinderConversion() *cobra.Command {
	var size int
	difficulty := lra.Pathfinder14
	cmd := newConversion("pathfinder-images", "the original Pathfinder images (metadata and PNG files)", func(from, to string) error {
		return pixelConversion(func(dir string) ([]data.PixelSplit, error) { return lra.Pathfinder(dir, difficulty, size) }, lra.PathfinderClasses)(from, to)
	})
	cmd.Flags().IntVar(&size, "size", 32, "side of an image in pixels: 32 or 128")
	cmd.Flags().StringVar(&difficulty, "difficulty", difficulty, "directory of one difficulty")
	return cmd
}

// splitSizes are the samples of the three splits of generated data.
type splitSizes struct {
	train, valid, test int
	seed               uint64
}

func (s *splitSizes) addFlags(cmd *cobra.Command, train, valid, test int) {
	cmd.Flags().IntVar(&s.train, "train", train, "samples to train on")
	cmd.Flags().IntVar(&s.valid, "valid", valid, "samples to validate on")
	cmd.Flags().IntVar(&s.test, "test", test, "samples to test on")
	cmd.Flags().Uint64Var(&s.seed, "seed", 1, "fixes the samples")
}

// each calls f for every split with the range of its samples.
func (s *splitSizes) each(f func(name string, from, to int) error) error {
	from := 0
	for _, split := range []struct {
		name string
		n    int
	}{{"train", s.train}, {"valid", s.valid}, {"test", s.test}} {
		if split.n < 1 {
			return usagef("--%s is %d, want at least 1", split.name, split.n)
		}
		if err := f(split.name, from, from+split.n); err != nil {
			return err
		}
		from += split.n
	}
	return nil
}

func newListOps() *cobra.Command {
	var sizes splitSizes
	config := listops.LRA
	low, high := config.MinLength+1, config.MaxLength-1
	cmd := &cobra.Command{
		Use:   "listops DIR",
		Short: "Generate ListOps expressions, as the Long Range Arena defines them",
		Long: `listops generates nested expressions over digits with MIN, MAX, MED(ian) and SM
(sum modulo ten), labelled by their value: the grammar of the Long Range Arena.
It writes DIR in the layout that mega train --task lra-text reads, and the
arena's own train.tsv, valid.tsv and test.tsv beside it.`,
		Example: "  mega data listops data/listops --train 96000 --valid 2000 --test 2000",
		Args:    exactArgs(1, "the directory to write"),
		RunE: func(cmd *cobra.Command, args []string) error {
			config.MinLength, config.MaxLength = low-1, high+1
			if err := config.Validate(); err != nil {
				return usage(err)
			}
			return writeListOps(cmd.OutOrStdout(), args[0], config, sizes)
		},
	}
	sizes.addFlags(cmd, 96000, 2000, 2000)
	cmd.Flags().IntVar(&low, "min-length", low, "shortest expression, in symbols")
	cmd.Flags().IntVar(&high, "max-length", high, "longest expression, in symbols")
	cmd.Flags().IntVar(&config.MaxDepth, "max-depth", config.MaxDepth, "levels of nesting")
	cmd.Flags().IntVar(&config.MaxArgs, "max-args", config.MaxArgs, "arguments of an operation")
	return cmd
}

func writeListOps(w io.Writer, dir string, config listops.Config, sizes splitSizes) error {
	expressions, err := config.Generate(sizes.train+sizes.valid+sizes.test, sizes.seed)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	var splits []data.TextSplit
	err = sizes.each(func(name string, from, to int) error {
		part := expressions[from:to]
		splits = append(splits, data.TextSplit{Name: name, Records: listops.Records(part)})
		return listops.WriteTSV(filepath.Join(dir, name+".tsv"), part)
	})
	if err != nil {
		return err
	}
	if err := data.WriteText(dir, splits...); err != nil {
		return err
	}
	fmt.Fprintf(w, "%s: %d, %d and %d expressions\n", dir, sizes.train, sizes.valid, sizes.test)
	return nil
}

func newPathfinder() *cobra.Command {
	var sizes splitSizes
	var size, contour, distractors int
	var sheet string
	cmd := &cobra.Command{
		Use:   "pathfinder DIR",
		Short: "Generate Pathfinder images: do the dashes connect the two discs?",
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
			if err := config.Validate(); err != nil {
				return usage(err)
			}
			return writePathfinder(cmd.OutOrStdout(), args[0], config, sizes, sheet)
		},
	}
	sizes.addFlags(cmd, 160000, 20000, 20000)
	cmd.Flags().IntVar(&size, "size", 32, "side of an image in pixels")
	cmd.Flags().IntVar(&contour, "contour", 14, "dashes of the target curves: 6, 9 and 14 in the original")
	cmd.Flags().IntVar(&distractors, "distractors", -1, "further curves (default 4)")
	cmd.Flags().StringVar(&sheet, "sheet", "", "contact sheet of the first images (default DIR/sheet.png)")
	return cmd
}

func writePathfinder(w io.Writer, dir string, config pathfinder.Config, sizes splitSizes, sheet string) error {
	images, labels, err := config.Generate(sizes.train+sizes.valid+sizes.test, sizes.seed)
	if err != nil {
		return err
	}
	var splits []data.PixelSplit
	err = sizes.each(func(name string, from, to int) error {
		splits = append(splits, data.PixelSplit{Name: name, Images: func(yield func(data.Image, error) bool) {
			for i := from; i < to; i++ {
				if !yield(data.Image{Pixels: images[i], Label: labels[i]}, nil) {
					return
				}
			}
		}})
		return nil
	})
	if err != nil {
		return err
	}
	if err := data.WritePixels(dir, splits...); err != nil {
		return err
	}
	if err := data.WriteClasses(dir, lra.PathfinderClasses); err != nil {
		return err
	}
	if sheet == "" {
		sheet = filepath.Join(dir, "sheet.png")
	}
	const shown, columns, side = 64, 8, 128 // images, and the side of one in pixels
	n := min(shown, len(images))
	scale := max(1, side/config.Size)
	var picture bytes.Buffer
	if err := png.Encode(&picture, pathfinder.Sheet(images[:n], labels[:n], config.Size, columns, scale)); err != nil {
		return err
	}
	fmt.Fprintf(w, "%s: %d, %d and %d images; contact sheet %s\n", dir, sizes.train, sizes.valid, sizes.test, sheet)
	return atomicfile.WriteFile(sheet, picture.Bytes())
}
