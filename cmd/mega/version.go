package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/mega-go/mega/autograd"
	"github.com/mega-go/mega/internal/cuda/driver"
	"github.com/mega-go/mega/internal/mpi"
	"github.com/mega-go/mega/internal/parallel"
	"github.com/spf13/cobra"
)

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version, the kernels in use and what is built in",
		Example: "  mega version",
		Args:    exactArgs(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			lines := versionLine()
			if driver.Built {
				lines += "\n" + driverLine()
			}
			_, err := fmt.Fprintln(cmd.OutOrStdout(), lines)
			return err
		},
	}
}

func versionLine() string {
	return fmt.Sprintf("mega %s, %s %s/%s, %s, %d workers, %s, %s",
		version(), runtime.Version(), runtime.GOOS, runtime.GOARCH, autograd.DescribeKernels(), parallel.Shared.Size(), mpiWords(), cudaWords())
}

// mpiWords says whether several processes can share the work.
func mpiWords() string {
	if mpi.Built {
		return "with MPI"
	}
	return "without MPI"
}

// version is what the build recorded: a module version or a commit.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "(unknown)"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && info.Main.Version == "(devel)" {
			return s.Value[:min(12, len(s.Value))]
		}
	}
	return info.Main.Version
}
