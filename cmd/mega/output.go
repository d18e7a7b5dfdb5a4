package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/mega-go/mega/internal/atomicfile"
	"github.com/mega-go/mega/internal/picture"
	"github.com/mega-go/mega/internal/printable"
	"github.com/spf13/cobra"
)

// A standardOutput is where a command prints its results. It keeps the first
// error, at which it ends the command, and lets no control character through.
type standardOutput struct {
	text *printable.Writer
	w    io.Writer // text, or what it writes to
	raw  io.Writer
	stop context.CancelFunc
	err  error
}

func newStandardOutput(w io.Writer, stop context.CancelFunc) *standardOutput {
	text := printable.NewWriter(w)
	return &standardOutput{text: text, w: text, raw: w, stop: stop}
}

// Write fails for ever once it has failed.
func (s *standardOutput) Write(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	n, err := s.w.Write(p)
	s.keep(err)
	return n, err
}

func (s *standardOutput) keep(err error) {
	if err != nil && s.err == nil {
		s.err = fmt.Errorf("the standard output: %w", err)
		s.stop()
	}
}

// close ends the output and returns what went wrong with it.
func (s *standardOutput) close() error {
	s.keep(s.text.Close())
	return s.err
}

// textOutput is the standard output for what a model wrote or read: its very bytes,
// except to a terminal.
func textOutput(cmd *cobra.Command) io.Writer {
	w := cmd.OutOrStdout()
	if s, ok := w.(*standardOutput); ok && terminal(w) == nil {
		s.w = s.raw
	}
	return w
}

// terminal returns the terminal that the standard output leads to, nil if it leads
// to none.
func terminal(w io.Writer) *os.File {
	if s, ok := w.(*standardOutput); ok {
		w = s.raw
	}
	return printable.Terminal(w)
}

// outputError returns what went wrong with the standard output.
func outputError(cmd *cobra.Command) error {
	if s, ok := cmd.OutOrStdout().(*standardOutput); ok {
		return s.err
	}
	return nil
}

// toOutput lets write print to a file, whole or not at all, or to the standard
// output if path is empty or "-".
func toOutput(cmd *cobra.Command, path string, write func(io.Writer) error) error {
	if path == "" || path == "-" {
		return write(textOutput(cmd))
	}
	return atomicfile.Write(path, write)
}

// toResults is toOutput for the reference's file of a split in the directory of
// --results-path, which it makes. Of several processes only the first writes it.
func toResults(cmd *cobra.Command, dir, split string, write func(io.Writer) error) error {
	if dir == "" {
		return toOutput(cmd, "", write)
	}
	if split == "" || split != filepath.Base(split) {
		return usagef("--gen-subset is %q, want the name of a split for --results-path", split)
	}
	if !jobOf(cmd).first() {
		return write(io.Discard)
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	return toOutput(cmd, filepath.Join(dir, "generate-"+split+".txt"), write)
}

// checkPlot reports, before the work, a picture that cannot be drawn.
func checkPlot(path string) error {
	if path == "" {
		return nil
	}
	return usage(picture.Check(path))
}
