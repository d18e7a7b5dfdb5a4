package main

import (
	"io"
	"os"
	"path/filepath"

	"github.com/mega-go/mega/internal/atomicfile"
	"github.com/spf13/cobra"
)

// toOutput lets write print to a file, whole or not at all, or to the standard
// output if path is empty or "-".
func toOutput(cmd *cobra.Command, path string, write func(io.Writer) error) error {
	if path == "" || path == "-" {
		return write(cmd.OutOrStdout())
	}
	return atomicfile.Write(path, write)
}

// toResults is toOutput for the reference's file of a split in the directory of
// --results-path, which it makes.
func toResults(cmd *cobra.Command, dir, split string, write func(io.Writer) error) error {
	if dir == "" {
		return toOutput(cmd, "", write)
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	return toOutput(cmd, filepath.Join(dir, "generate-"+split+".txt"), write)
}
