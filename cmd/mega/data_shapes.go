package main

import (
	"errors"

	"github.com/mega-go/mega/data/shapes"
	"github.com/spf13/cobra"
)

func newShapes() *cobra.Command {
	var sizes splitSizes
	var config shapes.Config
	cmd := &cobra.Command{
		Use:   "shapes DIR",
		Short: "Draw pictures of shapes with textures, in 36 classes",
		Long: `shapes draws pictures of discs, squares, stars and triangles, plain, striped or
dotted, in red, green or blue, among grey ones. It writes them as JPEG files to
DIR/train/CLASS, DIR/valid/CLASS and DIR/test/CLASS, as many of each class, and some
of all to DIR/sheet.png.`,
		Example: "  mega data shapes data/shapes --train 7200 --valid 720 --test 720",
		Args:    exactArgs(1, "the directory to write"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := errors.Join(config.Validate(), sizes.Validate()); err != nil {
				return usage(err)
			}
			err := writeSet(cmd, args[0], shapes.Entries, func(temp string) error { return config.Write(temp, sizes.SplitSizes, sizes.seed) })
			if err != nil {
				return err
			}
			return sizes.print(cmd.OutOrStdout(), args[0], "pictures")
		},
	}
	sizes.addFlags(cmd, 18000, 1800, 1800)
	number(cmd.Flags(), &config.Size, "size", 64, span{16, 1024}, "side of a picture in pixels")
	return cmd
}
