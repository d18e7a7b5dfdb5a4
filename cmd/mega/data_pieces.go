package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/mega-go/mega/data/plaintext"
	"github.com/mega-go/mega/data/sentencepiece"
	"github.com/mega-go/mega/internal/atomicfile"
	"github.com/mega-go/mega/internal/progress"
	"github.com/spf13/cobra"
)

func newPieces() *cobra.Command {
	var options *binding
	cmd := &cobra.Command{
		Use:   "pieces MODEL TEXT...",
		Short: "Make a SentencePiece model of texts",
		Long: `pieces reads files of text (or patterns of names in quotes; .gz and .zst are
decompressed) and writes MODEL, a SentencePiece model that sentencepiece's own
tools read too. Its pieces give back every text byte for byte: nothing is
normalised, spaces stay as they are, and characters without a piece become bytes.
mega train --text and mega preprocess --pieces cut text by it.`,
		Example: `  mega data pieces go.model "$(go env GOROOT)/src/net/http/*.go" --vocab-size 4000
  mega train --preset bytes-small --text "$(go env GOROOT)/src/net/http/*.go" --pieces go.model`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) < 2 {
				return usagef("%s takes a file to write and one or more texts, got %s", cmd.CommandPath(), counted(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			o := sentencepiece.DefaultTrainOptions()
			if err := options.apply(&o); err != nil {
				return usage(err)
			}
			t, err := sentencepiece.NewTrainer(o)
			if err != nil {
				return usage(err)
			}
			return makePieces(cmd, t, args[0], args[1:])
		},
	}
	o := sentencepiece.DefaultTrainOptions()
	options = bind(cmd.Flags(), &o)
	return cmd
}

// makePieces trains on texts and writes the model.
func makePieces(cmd *cobra.Command, t *sentencepiece.Trainer, to string, texts []string) error {
	if _, err := os.Lstat(to); err == nil && !overwrites(cmd) {
		return fmt.Errorf("%s is there already: choose another name, or give --overwrite to replace it", to)
	}
	files, err := plaintext.Files(strings.Join(texts, ":"))
	if err != nil {
		return err
	}
	read := progress.New(cmd.ErrOrStderr(), "reading", "files")
	done := 0
	err = plaintext.Read(files, func(r io.Reader, _ string) error {
		if err := t.Read(r); err != nil {
			return err
		}
		done++
		read.Show(int64(done), int64(len(files)))
		return cmd.Context().Err()
	})
	read.Close()
	if err != nil {
		return err
	}
	meter := progress.New(cmd.ErrOrStderr(), "pieces", "pieces")
	model, err := t.Train(func(done, total int) { meter.Show(int64(done), int64(total)) })
	meter.Close()
	if err != nil {
		return err
	}
	m, err := sentencepiece.Parse(model, to)
	if err != nil {
		return err
	}
	if err := atomicfile.WriteFile(to, model); err != nil {
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: %d pieces\n", to, m.Len())
	return err
}
