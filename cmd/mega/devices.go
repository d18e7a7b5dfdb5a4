package main

import (
	"fmt"
	"io"
	"runtime"
	"strconv"
	"strings"

	"github.com/mega-go/mega/autograd"
	"github.com/mega-go/mega/internal/cuda/device"
	"github.com/mega-go/mega/internal/cuda/driver"
	"github.com/mega-go/mega/internal/cuda/kernels"
	"github.com/mega-go/mega/internal/mpi"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func newDevices() *cobra.Command {
	return &cobra.Command{
		Use:   "devices",
		Short: "List the processor and the GPUs",
		Long: `devices lists what mega can compute on: the processor with the kernels that are used
on it, and each of NVIDIA's GPUs with its compute capability, its memory and the driver,
or why there is none. Commands that have the flag --device compute on one with --device
cuda:0. This has not run on a GPU yet. The others use only the processor.

A GPU needs a program that was built with go build -tags cuda and NVIDIA's driver.
` + driver.LibraryVariable + ` names the driver's library where it is not found.`,
		Example: "  mega devices",
		Args:    exactArgs(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return printDevices(cmd.OutOrStdout())
		},
	}
}

// deviceFlags say what computes, and how it multiplies.
type deviceFlags struct {
	name  string
	tf32  bool
	flags *pflag.FlagSet // all of the command
}

// addDevice adds the flags of the device that computes.
func addDevice(flags *pflag.FlagSet, d *deviceFlags) {
	addDeviceName(flags, d)
	flags.BoolVar(&d.tf32, "tf32", false, "on a device, round the factors of matrix products, attention's too, to TF32, which has 11 bits of precision. It is for CUDA devices of compute capability 8.0 or later, and not beside --bf16")
}

// addDeviceName adds the flag --device alone: how training multiplies is part of its
// configuration.
func addDeviceName(flags *pflag.FlagSet, d *deviceFlags) {
	d.flags = flags
	flags.StringVar(&d.name, "device", "cpu", "what computes: cpu; cuda:0 or another number for that GPU (mega devices lists them); cuda for the first, or for one of each process under mpirun; auto for cuda where there is a GPU, else cpu. Needs a build with -tags cuda, and has not run on a GPU yet")
}

// isProcessor reports whether a value of --device stands for the CPU. What is refused on a
// device, or asked of the CPU, goes by this and not by the value.
func isProcessor(name string) bool {
	return name == "cpu" || name == "auto" && countGPUs() == 0
}

// check returns an error if --tf32 is set where it cannot be.
func (d *deviceFlags) check() error {
	if !d.tf32 {
		return nil
	}
	if bf16 := d.flags.Lookup("bf16"); bf16 != nil && bf16.Value.String() == "true" {
		return usagef("--tf32 is set; --bf16 is set too, and factors of products are rounded to one of them")
	}
	if isProcessor(d.name) {
		return usagef("--tf32 is set, and the CPU computes: it is for CUDA devices of compute capability 8.0 or later")
	}
	return nil
}

// onDevice runs f on the device that flags name, with nil for the CPU. Steps
// that come again are replayed there as graphs, if the device has any. It returns what f
// does, or the device.Failure that f panics with. All that f does with the device it must
// do in its own goroutine. stderr is told if graphs fail.
func onDevice(stderr io.Writer, on *deviceFlags, f func(device.Device) error) error {
	if err := on.check(); err != nil {
		return err
	}
	name := on.name
	number, numbered := strings.CutPrefix(name, "cuda:")
	index, err := strconv.ParseUint(number, 10, 16)
	switch {
	case isProcessor(name):
		return f(nil)
	case name == "auto" || name == "cuda":
		// Processes of a machine go round its devices. Where there is none, number 0 says so.
		index = uint64(mpi.LocalRank() % max(1, countGPUs()))
	case !numbered || err != nil:
		return usagef("--device %q: want cpu, cuda, cuda:N with a number from 0 on, or auto", name)
	}
	return onGPU(name, int(index), func(d device.Device) (err error) {
		defer device.Catch(&err)
		d.SetTF32(on.tf32)
		return f(device.Replaying(d, func(err error) {
			say(stderr, "mega: CUDA graphs failed, so steps are launched one by one from now on: %s", oneLine(err))
		}))
	})
}

// runOnDevice returns the RunE of a command that does f on the device which flags name, nil
// for the CPU.
func runOnDevice(on *deviceFlags, f func(cmd *cobra.Command, args []string, d device.Device) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		return onDevice(cmd.ErrOrStderr(), on, func(d device.Device) error { return f(cmd, args, d) })
	}
}

// onGPU runs f on a GPU, which a value of --device asked for. Tests put the interpreter of
// kernels in its place, and in that of countGPUs.
var onGPU = func(name string, index int, f func(device.Device) error) (err error) {
	d, err := driver.Load()
	if err != nil {
		return fmt.Errorf("--device %s: %w", name, err)
	}
	dev, err := d.Open(index, kernels.PTX)
	if err != nil {
		return fmt.Errorf("--device %s: %w", name, err)
	}
	defer func() {
		if failed := dev.Close(); err == nil {
			err = failed
		}
	}()
	return dev.Run(func(s *driver.Stream) error { return f(s) })
}

// countGPUs returns how many GPUs can be asked for.
var countGPUs = func() int {
	d, err := driver.Load()
	if err != nil {
		return 0
	}
	all, err := d.Devices()
	if err != nil {
		return 0
	}
	return len(all)
}

// printDevices prints a line for each device.
func printDevices(w io.Writer) error {
	_, err := fmt.Fprintf(w, "cpu: %s, %d cores\n", autograd.DescribeKernels(), runtime.NumCPU())
	if err != nil {
		return err
	}
	d, failure := driver.Load()
	var all []driver.Info
	if failure == nil {
		all, failure = d.Devices()
	}
	_, err = io.WriteString(w, gpuLines(d, all, failure))
	return err
}

// gpuLines describes the GPUs that a driver has, or says why there are none.
func gpuLines(d *driver.Driver, all []driver.Info, failure error) string {
	switch {
	case failure != nil:
		return fmt.Sprintf("cuda: none: %s\n", strings.TrimPrefix(oneLine(failure), "cuda: "))
	case len(all) == 0:
		return fmt.Sprintf("cuda: none: the driver (%v) sees no GPU\n", d)
	}
	var b strings.Builder
	for _, i := range all {
		fmt.Fprintf(&b, "cuda:%d: %s, compute capability %d.%d, %.1f GiB, driver %v\n", i.Index, i.Name, i.Major, i.Minor, float64(i.Memory)/(1<<30), d)
	}
	return b.String()
}

// cudaWords says whether GPUs can be used, without a look for one.
func cudaWords() string {
	if driver.Built {
		return "with CUDA"
	}
	return "without CUDA"
}

// driverLine says which driver there is for GPUs.
func driverLine() string {
	d, err := driver.Load()
	if err != nil {
		return "CUDA driver: none: " + strings.TrimPrefix(oneLine(err), "cuda: ")
	}
	return fmt.Sprintf("CUDA driver: %v", d)
}
