package main

import (
	"fmt"
	"path/filepath"

	"github.com/mega-go/mega/data/bytetext"
	"github.com/mega-go/mega/internal/progress"
	"github.com/spf13/cobra"
)

func newEnwik8() *cobra.Command {
	heldOut := int64(0)
	cmd := &cobra.Command{
		Use:   "enwik8 FROM TO",
		Short: "Split enwik8, or any text, as published results on bytes do",
		Long: `enwik8 reads the file enwik8, or the zip it is distributed as, and writes
train.txt, valid.txt and test.txt, 90, 5 and 5 million bytes as decimal numbers
with spaces between, and the bytes themselves as NAME.txt.raw: the files of
Transformer-XL's prep_enwik8.py, which mega preprocess --only-source turns into
token files. With --held-out any text will do.`,
		Example: `  mega data enwik8 enwik8.zip data/enwik8
  mega preprocess --only-source --trainpref data/enwik8/train.txt --validpref data/enwik8/valid.txt \
    --testpref data/enwik8/test.txt --destdir data-bin/enwik8
  mega data enwik8 --held-out 100000 book.txt data/book`,
		Args: exactArgs(2, "the file enwik8 or its zip, and the directory to write"),
		RunE: func(cmd *cobra.Command, args []string) error {
			meter := progress.New(cmd.ErrOrStderr(), "enwik8", "bytes")
			defer meter.Close()
			var parts []bytetext.Part
			err := writeSet(cmd, args[1], bytetext.Entries, func(temp string) (err error) {
				parts, err = splitBytes(args[0], temp, heldOut, meter.Show)
				return err
			})
			if err != nil {
				return err
			}
			for _, p := range parts {
				fmt.Fprintf(cmd.OutOrStdout(), "%s: %d bytes\n", filepath.Join(args[1], filepath.Base(p.Path)), p.Bytes)
			}
			return nil
		},
	}
	number(cmd.Flags(), &heldOut, "held-out", 0, lengths, "bytes at the end of any text that are for the test, and before them for validation; 0 for enwik8's")
	return cmd
}

func splitBytes(from, to string, heldOut int64, show func(done, total int64)) ([]bytetext.Part, error) {
	if heldOut > 0 {
		return bytetext.Split(from, to, heldOut, show)
	}
	return bytetext.Enwik8(from, to, show)
}
