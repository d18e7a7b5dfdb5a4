package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"github.com/mega-go/mega/checkpoint"
	"github.com/mega-go/mega/internal/progress"
	"github.com/mega-go/mega/task/classify"
	"github.com/mega-go/mega/task/image"
	"github.com/spf13/cobra"
)

// evalPictures is mega eval for a classifier of pictures.
func evalPictures(cmd *cobra.Command, c *checkpoint.Checkpoint, args []string, plot string, asJSON bool) error {
	dir := ""
	if len(args) == 1 {
		dir = args[0]
	}
	meter := progress.New(cmd.ErrOrStderr(), "evaluating", "batches")
	e, skipped, err := image.Evaluate(cmd.Context(), evaluator(cmd, meter), c, dir)
	meter.Close()
	tellSkipped(cmd.ErrOrStderr(), skipped)
	if err != nil {
		return err
	}
	if plot != "" && jobOf(cmd).first() {
		if err := e.WritePlot(plot); err != nil {
			return err
		}
	}
	if asJSON {
		return printJSON(cmd.OutOrStdout(), e)
	}
	return e.WriteText(cmd.OutOrStdout())
}

// tellSkipped names files that were passed over.
func tellSkipped(w io.Writer, skipped []error) {
	for _, err := range skipped {
		fmt.Fprintln(w, "mega: skipped", err)
	}
}

// classifyPictures is mega classify for a classifier of pictures.
func (c *classifyCommand) classifyPictures(cmd *cobra.Command, ck *checkpoint.Checkpoint, args []string) error {
	if c.stream || len(args) == 0 {
		return usagef("%s is of a classifier of pictures, which reads files and directories", c.path)
	}
	p, err := image.NewPredictor(ck, c.classNames)
	if err != nil {
		return err
	}
	if err := image.CheckSheet(c.sheet); err != nil {
		return usage(err)
	}
	files, skipped, err := image.Expand(args)
	if err != nil {
		return err
	}
	tellSkipped(cmd.ErrOrStderr(), skipped)
	broken := 0
	var first error
	out := bufio.NewWriter(cmd.OutOrStdout())
	var answers []classify.Prediction
	print := c.printer(out)
	keep := func(r classify.Prediction) error {
		if c.sheet != "" {
			answers = append(answers, r)
		}
		return print(r)
	}
	err = p.Predict(cmd.Context(), files, c.batchSize, keep, func(err error) {
		if broken++; broken == 1 {
			first = err
		}
		fmt.Fprintln(cmd.ErrOrStderr(), "mega:", err)
	})
	if err == nil && len(answers) > 0 {
		err = image.WriteSheet(c.sheet, answers)
	}
	if err == nil && broken > 0 {
		err = fmt.Errorf("%d of %d files cannot be read, the first: %w", broken, len(files), first)
	}
	return errors.Join(err, out.Flush())
}

// printer returns what prints predictions.
func (c *classifyCommand) printer(out io.Writer) func(classify.Prediction) error {
	return func(r classify.Prediction) error {
		r.Top(c.top)
		if c.json {
			return r.WriteJSON(out)
		}
		return r.WriteText(out)
	}
}
